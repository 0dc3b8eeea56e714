"""Apache Kafka for MetaFlow."""
