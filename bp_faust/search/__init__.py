"""Keep the anomalies in Elasticsearch: the index template, the client and the bulk writer."""
