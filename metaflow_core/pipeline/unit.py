"""One component in its life: built, started, resting after a fault, started again, quarantined, stopped."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from metaflow_core.api.clock import Clock
from metaflow_core.api.context import Resource
from metaflow_core.api.counters import Counters, CounterSample
from metaflow_core.api.identity import Kind
from metaflow_core.config.loaded import ComponentConfig
from metaflow_core.errors import ComponentError, MetaFlowError, StartError
from metaflow_core.hooks.status import ComponentState
from metaflow_core.pipeline.board import StatusBoard, UnitKey
from metaflow_core.pipeline.faults import FaultWindow, SupervisionPolicy
from metaflow_core.pipeline.worker import Worker

__all__ = ["Unit", "sentence"]

_THREADED = (Kind.ENGINE, Kind.TAGGER)
# what happened to a component stays to be seen when the app has stopped
_FATES = (ComponentState.FAILED, ComponentState.QUARANTINED, ComponentState.STOPPED)


def sentence(error: BaseException) -> str:
    """An error as a sentence: MetaFlow's own say it themselves, others are named by their class."""
    text = str(error).strip()
    if isinstance(error, MetaFlowError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Unit:
    """A component with all that the core keeps of it.

    :param make: builds a new instance; called again after a fault, so that no broken state lives on.
    """

    def __init__(
        self,
        key: UnitKey,
        config: ComponentConfig,
        make: Callable[[], Any],
        *,
        counters: Counters,
        board: StatusBoard,
        clock: Clock,
        policy: SupervisionPolicy,
        stop_timeout_s: float,
    ) -> None:
        self.key = key
        self.config = config
        self.counters = counters
        self.component: Any = None
        self.worker = Worker(f"metaflow-{config.id}") if key[0] in _THREADED else None
        self.write_lock = asyncio.Lock()
        self.writes_at_once = max(int(getattr(config.factory, "writes_at_once", 1)), 1)
        self.write_slots = asyncio.Semaphore(self.writes_at_once)
        self.is_shown = True
        self.is_dead = False
        self.why_dead = "stopped"
        self.is_usable = False
        self.on_quarantine: Callable[[Unit, BaseException], None] = lambda unit, error: None
        self.settled = asyncio.Event()
        self._make = make
        self._board = board
        self._clock = clock
        self._policy = policy
        self._stop_timeout_s = stop_timeout_s
        self._faults = FaultWindow(policy, clock)
        self._recovering = asyncio.Lock()
        self._logger = logging.getLogger(f"metaflow.{config.kind}.{config.id}")
        self._said: tuple[ComponentState, str] = (ComponentState.BUILT, "")
        self._past: dict[tuple[str, str, str], int] = {}

    @property
    def path(self) -> str:
        """Its place in the configuration."""
        return self.config.path

    def state(self, state: ComponentState, message: str = "", *, restarted: bool = False) -> None:
        """It came into a state; shown on the board unless another unit stands there for it."""
        self._said = (state, message)
        if self.is_shown:
            self._board.set(self.key, state, message, restarted=restarted)

    def reported(self, state: str, said: str) -> None:
        """What the component says of itself; safe from any thread. A word that is no state counts as ``degraded``."""
        allowed = (ComponentState.RUNNING, ComponentState.DEGRADED, ComponentState.FAILED)
        self.state(next((each for each in allowed if each == state), ComponentState.DEGRADED), said)

    def show(self) -> None:
        """This unit stands on the board from now on."""
        self.is_shown = True
        self._board.set(self.key, *self._said)

    def build(self) -> None:
        """Make the instance; nothing of the machine is touched.

        :raises ComponentError: with a sentence that names the component.
        """
        try:
            self.component = self._make()
        except MetaFlowError as error:
            raise _named(self.path, error) from error
        except Exception as error:
            raise ComponentError(f"{self.path}: cannot be built: {sentence(error)}") from error
        self.state(ComponentState.BUILT)

    def resources(self) -> list[Resource]:
        """What it alone can have.

        :raises ComponentError: the component cannot tell.
        """
        ask = getattr(self.component, "resources", None)
        try:
            return list(ask()) if ask is not None else []
        except Exception as error:
            raise ComponentError(f"{self.path}: cannot tell what it needs: {sentence(error)}") from error

    async def start(self) -> None:
        """Start it.

        :raises ComponentError: with a sentence that names the component; it was stopped again.
        """
        if self.component is None:
            self.build()
        self.state(ComponentState.STARTING)
        try:
            await self._call("start")
        except asyncio.CancelledError:
            await self._stop_instance()
            raise
        except Exception as error:
            self.state(ComponentState.FAILED, sentence(error))
            await self._stop_instance()
            if isinstance(error, MetaFlowError):
                raise _named(self.path, error) from error
            raise StartError(f"{self.path}: cannot start: {sentence(error)}") from error
        self.is_usable = True
        self.settled.set()
        # a component may have said in start() that it runs degraded, e.g. on a fallback
        if self._said[0] is ComponentState.STARTING:
            self.state(ComponentState.RUNNING)

    async def _call(self, method: str) -> None:
        function = getattr(self.component, method, None)
        if function is None:
            return
        answer = function()
        if inspect.isawaitable(answer):
            await answer

    async def _stop_instance(self) -> str:
        """Stop the instance under the deadline; returns what went wrong, empty when nothing did."""
        self.is_usable = False
        if not self.is_dead:
            self.settled.clear()
        instance, self.component = self.component, None
        function = getattr(instance, "stop", None)
        if function is None:
            return ""
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001 - stopping goes on whatever a component does
            return f"failed while stopping: {sentence(error)}"
        return await within(answer, self._stop_timeout_s) if inspect.isawaitable(answer) else ""

    async def stop(self, final: ComponentState = ComponentState.STOPPED, message: str = "") -> str:
        """Stop it for good. Idempotent; never raises. Returns a sentence about what went wrong, mostly empty."""
        self.is_dead = True
        wrong = await self._stop_instance()
        if self.worker is not None and not await self.worker.close(self._stop_timeout_s):
            wrong = wrong or f"a call hangs and did not return within {self._stop_timeout_s:g} s"
        self.settled.set()
        if wrong:
            self._logger.error("%s: %s.", self.path, wrong)
            self.state(ComponentState.FAILED, wrong)
        elif self._said[0] not in _FATES:
            self.state(final, message)
        return wrong

    async def recover(self, error: BaseException, instance: object) -> bool:
        """After a fault of ``instance``: rest, build a new one and start it.

        :returns: whether the component can be used again; False when it is quarantined or was stopped.
        """
        async with self._recovering:
            if self.is_dead or self.component is not instance:
                return not self.is_dead
            while True:
                recent = self._faults.add()
                self.counters.add("faults", unit="errors")
                said = sentence(error)
                self.remember()
                stop_said = await self._stop_instance()
                if stop_said:
                    self._logger.error("%s: %s.", self.path, stop_said)
                if self._faults.is_full:
                    await self._quarantine(error, recent)
                    return False
                rest = self._policy.rest_s(recent)
                self._logger.warning("%s: %s; restarting in %g s.", self.path, said, rest, exc_info=error)
                self.state(
                    ComponentState.DEGRADED,
                    f"{said}; it is restarted in {rest:g} s (fault {recent} of {self._policy.faults})",
                )
                await self._clock.sleep(rest)
                try:
                    self.build()
                    await self.start()
                except Exception as again:  # noqa: BLE001 - counted as the next fault
                    error = again
                    continue
                self.state(ComponentState.RUNNING, restarted=True)
                return True

    async def _quarantine(self, error: BaseException, recent: int) -> None:
        message = (
            f"{sentence(error)}; {recent} faults in {self._policy.window_s:g} s, so it is not started again; "
            "correct the cause and reload or restart"
        )
        self._logger.error("%s: %s.", self.path, message)
        self.is_dead = True
        self.why_dead = "quarantined"
        self.settled.set()
        if self.worker is not None:
            await self.worker.close(self._stop_timeout_s)
        self.state(ComponentState.QUARANTINED, message)
        self.on_quarantine(self, error)

    def leave_out(self, message: str) -> None:
        """``startup_error: ignore``: the app goes on without it."""
        self.is_dead = True
        self.why_dead = "not_started"
        self.settled.set()
        self.state(ComponentState.FAILED, f"{message}; the app goes on without it")

    async def retry_start(self) -> bool:
        """``startup_error: retry``: try again until it starts; cancelled when the app stops."""
        attempt = 0
        while True:
            attempt += 1
            await self._clock.sleep(self._policy.rest_s(attempt))
            try:
                self.build()
                await self.start()
            except Exception as error:  # noqa: BLE001 - that is what retrying means
                self.state(ComponentState.FAILED, f"{sentence(error)}; tried {attempt + 1} times, trying again")
                continue
            return True

    def remember(self) -> None:
        """Keep what the instance counted itself, before it goes."""
        for sample in self._own():
            key = (sample.stage, sample.reason, sample.unit)
            self._past[key] = self._past.get(key, 0) + sample.value

    def _own(self) -> Iterable[CounterSample]:
        ask = getattr(self.component, "counters", None)
        if self.key[0] is not Kind.ENGINE or ask is None:
            return []
        try:
            return list(ask())
        except Exception:  # noqa: BLE001 - a broken counter must not take the others away
            return []

    def absorb(self) -> None:
        """Take over what the engine counts itself; called in its worker thread."""
        for sample in self._own():
            key = (sample.stage, sample.reason, sample.unit)
            self.counters.set(
                sample.stage, self._past.get(key, 0) + sample.value, reason=sample.reason, unit=sample.unit
            )


def _named(path: str, error: MetaFlowError) -> ComponentError:
    """The same error with the component's name in front."""
    text = str(error)
    text = text if text.startswith(path) else f"{path}: {text}"
    if isinstance(error, ComponentError):
        return type(error)(text)
    return StartError(text)


async def within(answer: Awaitable[Any], timeout_s: float) -> str:
    """Await with a deadline that holds even against what swallows cancellation; returns a sentence, empty when all went well."""
    task = asyncio.ensure_future(answer)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        # give it one turn to go; it is not waited for any longer
        await asyncio.sleep(0)
        if task.done() and not task.cancelled():
            task.exception()
        return f"did not stop within {timeout_s:g} s and was left behind"
    if task.cancelled():
        return "was cancelled while stopping"
    error = task.exception()
    return f"failed while stopping: {sentence(error)}" if error is not None else ""
