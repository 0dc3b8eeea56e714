"""A trace as documents: ours, OpenTelemetry's, Jaeger's."""
