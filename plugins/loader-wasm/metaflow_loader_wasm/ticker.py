"""The clock that ends endless loops: a thread that advances an engine's epoch while guests run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Ticker"]


class Ticker:
    """Calls ``tick`` every ``period`` seconds that this process has computed while anything runs; the thread ends by itself
    when nothing has for a while.

    Seconds by the clock would punish guests for what others do: on a machine with twenty times more work than cores a
    guest that needs a millisecond waits for its turn longer than its deadline, and would lose its batch. A guest cannot
    wait for anything, so one that does not come back computes, and is ended. The guest's call releases the GIL, so the
    thread gets its turn. Thread-safe.

    :param spent: seconds of processor time of this process.
    """

    def __init__(
        self,
        tick: Callable[[], None],
        period: float = 0.01,
        idle_ticks: int = 50,
        spent: Callable[[], float] = time.process_time,
    ) -> None:
        self._tick = tick
        self._spent = spent
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
        """Ticks after which at least so much time was computed: the first tick may come at once."""
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
        idle, counted = 0, self._spent()
        while not self._stopped.wait(self._period):
            spent = self._spent()
            if spent - counted >= self._period:
                # One tick a turn, and what is beyond it counts for the next: waiting takes a little longer than was asked.
                counted = max(counted + self._period, spent - self._period)
                self._tick()
            with self._lock:
                idle = 0 if self._running else idle + 1
                if idle >= self._idle_ticks:
                    self._thread = None
                    return
