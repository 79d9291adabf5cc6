"""Measure this worker beside others that do the same job, on a real Kafka and a real Elasticsearch.

``python -m benchmarks --help`` tells the options. It reads, from top to bottom: ``dataset`` (what is processed),
``contenders`` (by whom), ``measuring`` (how it is timed), ``sections`` (the questions asked), ``report``.
"""
