"""The clock that ends endless loops: a thread that advances an engine's epoch while guests run."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Ticker"]


class Ticker:
    """Calls ``tick`` every ``period`` seconds while anything runs; the thread ends by itself when nothing has for a while.

    The guest's call releases the GIL, so the thread gets its turn. Thread-safe.
    """

    def __init__(self, tick: Callable[[], None], period: float = 0.01, idle_ticks: int = 50) -> None:
        self._tick = tick
        self._period = period
        self._idle_ticks = idle_ticks
        self._lock = threading.Lock()
        self._running = 0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is there."""
        with self._lock:
            return self._thread is not None

    def ticks(self, milliseconds: int) -> int:
        """Ticks after which at least so much time has passed: the first tick may come at once."""
        return max(1, -(-milliseconds // int(self._period * 1000))) + 1

    def begin(self) -> None:
        """A guest is about to run."""
        with self._lock:
            self._running += 1
            if self._thread is None and not self._stopped.is_set():
                self._thread = threading.Thread(target=self._run, name="metaflow-wasm-ticker", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """It came back."""
        with self._lock:
            self._running -= 1

    def stop(self) -> None:
        """End the thread for good, and wait until it has. Idempotent."""
        self._stopped.set()
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        idle = 0
        while not self._stopped.wait(self._period):
            self._tick()
            with self._lock:
                idle = 0 if self._running else idle + 1
                if idle >= self._idle_ticks:
                    self._thread = None
                    return
