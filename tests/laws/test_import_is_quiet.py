"""Importing the core opens nothing, reads no environment, configures no logging and keeps no state."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import builtins, logging, os, socket, sys, threading

opened = []
real_open = builtins.open
def audit(event, args):
    if event == "open" and isinstance(args[0], str) and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            opened.append(args[0])
    if event in ("socket.__new__", "subprocess.Popen", "os.system"):
        opened.append(event)
sys.addaudithook(audit)

class Environ(dict):
    read = []
    def __getitem__(self, key):
        caller = sys._getframe(1)
        while caller is not None and "importlib" in caller.f_code.co_filename:
            caller = caller.f_back
        if caller is not None and "metaflow_core" in caller.f_code.co_filename:
            self.read.append(key)
        return super().__getitem__(key)
    def get(self, key, default=None):
        return self[key] if key in self else default

os.environ = Environ(os.environ)
handlers = list(logging.getLogger().handlers)
threads = threading.active_count()
import metaflow_core
for name in metaflow_core.__all__:
    getattr(metaflow_core, name)
assert not opened, opened
assert not os.environ.read, os.environ.read
assert logging.getLogger().handlers == handlers
assert threading.active_count() == threads
assert not any(module.startswith("metaflow_") and not module.startswith("metaflow_core") for module in sys.modules)
print("quiet")
"""


def test_import_is_quiet() -> None:
    result = subprocess.run([sys.executable, "-B", "-c", PROBE], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "quiet", result.stderr


def test_import_alone_imports_nothing_heavy() -> None:
    code = "import sys, metaflow_core; print([m for m in ('pydantic', 'pyarrow', 'pluggy', 'click', 'yaml') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
