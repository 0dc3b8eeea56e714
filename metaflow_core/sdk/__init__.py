"""MetaFlow inside a program: the app, its synchronous face, the runner, and captures without any app."""

from __future__ import annotations

from metaflow_core.pipeline import Tap
from metaflow_core.sdk.app import App
from metaflow_core.sdk.capture import Capture
from metaflow_core.sdk.loading import check_config, open_host
from metaflow_core.sdk.read import read_pcap
from metaflow_core.sdk.rows import Rows
from metaflow_core.sdk.run import run
from metaflow_core.sdk.stores import Store, open_store
from metaflow_core.sdk.sync_app import SyncApp

__all__ = [
    "App",
    "Capture",
    "Rows",
    "Store",
    "SyncApp",
    "Tap",
    "check_config",
    "open_host",
    "open_store",
    "read_pcap",
    "run",
]
