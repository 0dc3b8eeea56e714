"""Names calls of Elasticsearch and OpenSearch: operation, index, errors inside a success."""
