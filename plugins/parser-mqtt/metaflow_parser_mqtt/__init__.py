"""MQTT for MetaFlow."""
