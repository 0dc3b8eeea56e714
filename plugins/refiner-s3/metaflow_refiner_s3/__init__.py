"""Names calls of object stores of the S3 API: operation, bucket, shape of the key, error codes."""
