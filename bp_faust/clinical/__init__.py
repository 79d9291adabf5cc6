"""Judge readings and follow patients. Pure: no clock, no chance, no Kafka, no Elasticsearch."""
