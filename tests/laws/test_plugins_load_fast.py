"""Loading the plugins imports no heavy library: what is costly is imported when a component is built."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
from metaflow_core.hooks.host import PluginHost
host = PluginHost()
host.load()
heavy = ["pyarrow", "numpy", "pandas", "wasmtime", "chdb", "sqlalchemy", "sqlglot", "libpcap", "pyshark", "starlette", "uvicorn", "duckdb"]
print([name for name in heavy if name in sys.modules])
"""


def test_loading_plugins_imports_nothing_heavy() -> None:
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
