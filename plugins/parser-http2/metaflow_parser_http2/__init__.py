"""HTTP/2 and gRPC for MetaFlow."""
