"""The app as a program of its own: event loop, signals, logging, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import signal
import sys

from metaflow_core.config.sections import LogFormat, TelemetrySection
from metaflow_core.errors import ConfigError, MetaFlowError
from metaflow_core.sdk.app import App

__all__ = ["run"]

_LOGGER = logging.getLogger("metaflow")
EXIT_OK, EXIT_RUNTIME, EXIT_CONFIG = 0, 1, 78


def run(app: App) -> int:
    """Run an app until it ends or is told to stop, and return the exit code.

    SIGINT and SIGTERM stop it (a second one at once), SIGHUP reloads. Logs to standard error as
    ``service.telemetry`` says. Call it from a program's main thread, outside any event loop.

    :returns: 0 when all went well, 1 when a component failed for good, 78 when the configuration is wrong.
    """
    _log_to_stderr(app.config.service.telemetry)
    try:
        return asyncio.run(_main(app))
    except ConfigError as error:
        for problem in error.problems:
            _LOGGER.error("%s", problem)
        return EXIT_CONFIG
    except MetaFlowError as error:
        _LOGGER.error("%s", error)
        return EXIT_RUNTIME


async def _main(app: App) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal(name: str) -> None:
        if stop.is_set():
            _LOGGER.warning("%s a second time: leaving at once.", name)
            for each in asyncio.all_tasks():
                each.cancel()
        else:
            _LOGGER.info("%s: stopping.", name)
            stop.set()

    handled = [signal.SIGINT, signal.SIGTERM]
    for number in handled:
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, on_signal, number.name)
    reloads: set[asyncio.Task[None]] = set()
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None:

        def on_hang_up() -> None:
            task = asyncio.create_task(_reload(app))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(hang_up, on_hang_up)
        handled.append(hang_up)
    try:
        async with app:
            _LOGGER.info("Running: %s.", ", ".join(app.config.pipelines) or "services only")
            waits = [asyncio.create_task(app.wait()), asyncio.create_task(stop.wait())]
            every_s = app.config.service.telemetry.counters_every_s
            teller = asyncio.create_task(_tell(app, every_s)) if every_s else None
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if waits[0].done():
                    waits[0].result()
            finally:
                for each in (*waits, *reloads, *([teller] if teller is not None else [])):
                    each.cancel()
    except asyncio.CancelledError:
        return EXIT_RUNTIME
    finally:
        for number in handled:
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(number)
    failed = [each for each in app.status() if each["state"] in {"failed", "quarantined"}]
    for fate in failed:
        _LOGGER.error("%s.%s is %s: %s", fate["kind"], fate["id"], fate["state"], fate["message"])
    return EXIT_RUNTIME if failed else EXIT_OK


async def _reload(app: App) -> None:
    try:
        diff = await app.reload()
    except ConfigError as error:
        for problem in error.problems:
            _LOGGER.error("Not reloaded: %s", problem)
    except MetaFlowError as error:
        _LOGGER.error("Not reloaded: %s", error)
    else:
        _LOGGER.info("Reloaded, generation %d: %s.", app.generation["generation"], diff)


async def _tell(app: App, every_s: float) -> None:
    """Write the counters that changed."""
    told: dict[tuple[str, str, str, str], int] = {}
    while True:
        await asyncio.sleep(every_s)
        for sample in app.stats():
            key = (sample.component, sample.stage, sample.reason, sample.unit)
            if told.get(key) != sample.value:
                told[key] = sample.value
                reason = f" reason={sample.reason}" if sample.reason else ""
                _LOGGER.info("Counter %s %s%s %d %s", sample.component, sample.stage, reason, sample.value, sample.unit)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        document = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def _log_to_stderr(telemetry: TelemetrySection) -> None:
    handler = logging.StreamHandler(sys.stderr)
    if telemetry.format is LogFormat.JSON:
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(telemetry.level.upper())
