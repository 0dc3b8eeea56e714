"""gRPC, without its own lines on standard error: what they tell is in the state of our components, in sentences."""

from __future__ import annotations

import os

# read once, when the library is loaded; who set it keeps what they set
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

__all__ = ["grpc"]
