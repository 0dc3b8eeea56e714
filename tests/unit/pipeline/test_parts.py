"""The parts that pipelines are made of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaflow_core.api import (
    ArtifactLoader,
    ComponentId,
    Config,
    Counters,
    Kind,
    ParserDescription,
    ParserFactory,
    Resource,
    RuntimeKind,
)
from metaflow_core.config.loaded import ComponentConfig
from metaflow_core.errors import PluginLoadError, UnavailableError
from metaflow_core.hooks.registry import Registry
from metaflow_core.hooks.status import ComponentState, ComponentStatus
from metaflow_core.pipeline import BoundedQueue, PipelineClosed, StatusBoard
from metaflow_core.pipeline.bindings import bind_parser
from metaflow_core.pipeline.builder import same
from metaflow_core.pipeline.worker import Worker
from metaflow_core.testing.clock import FakeClock

Puts = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50)), max_size=40)


@settings(deadline=None, max_examples=60)
@given(Puts, st.integers(1, 5), st.integers(1, 60), st.integers(1, 4))
def test_a_queue_gives_everything_in_order_and_keeps_its_bounds(
    puts: list[tuple[int, int]], items: int, nbytes: int, writers: int
) -> None:
    async def main() -> None:
        queue: BoundedQueue[tuple[int, int]] = BoundedQueue(items, nbytes)
        got: list[tuple[int, int]] = []

        async def write(writer: int) -> None:
            for index, (pause, size) in enumerate(puts):
                for _ in range(pause):
                    await asyncio.sleep(0)
                await queue.put((writer, index), size)

        async def read() -> None:
            while (item := await queue.get()) is not None:
                got.append(item)
                if len(got) % 3 == 0:
                    await asyncio.sleep(0)

        reader = asyncio.create_task(read())
        await asyncio.wait_for(asyncio.gather(*(write(n) for n in range(writers))), 20)
        queue.close()
        await asyncio.wait_for(reader, 20)
        assert len(got) == writers * len(puts)
        for writer in range(writers):
            assert [index for who, index in got if who == writer] == list(range(len(puts)))
        assert queue.peak_items <= items
        assert queue.peak_bytes <= max(nbytes, max((size for _, size in puts), default=0))
        assert queue.nbytes == len(queue) == 0

    asyncio.run(main())


async def test_a_cancelled_writer_gives_its_turn_on() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, 100)
    await queue.put(0, 1)
    waiting = [asyncio.create_task(queue.put(n, 1)) for n in (1, 2)]
    await asyncio.sleep(0)
    # freeing the place gives it to the first, which is cancelled in the same moment
    assert await queue.get() == 0
    waiting[0].cancel()
    await asyncio.wait_for(waiting[1], 5)
    assert await queue.get() == 2


async def test_closing_wakes_everybody() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, 100)
    await queue.put(0, 1)
    writer = asyncio.create_task(queue.put(1, 1))
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(PipelineClosed):
        await writer
    assert (await queue.get(), await queue.get()) == (0, None)
    with pytest.raises(PipelineClosed):
        await queue.put(2, 1)


async def test_a_worker_calls_in_order_in_one_thread_and_passes_errors_on() -> None:
    worker = Worker("metaflow-x")
    names = await asyncio.gather(*(worker.run(lambda: threading.current_thread().name) for _ in range(5)))
    assert set(names) == {"metaflow-x"}
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await worker.run(lambda: next(iter(())))
    assert await worker.close(5)
    assert await worker.close(5)
    assert not [each for each in threading.enumerate() if each.name == "metaflow-x"]


async def test_a_worker_that_hangs_is_told_of() -> None:
    worker, gate = Worker("metaflow-hang"), threading.Event()
    task = asyncio.create_task(worker.run(gate.wait))
    await asyncio.sleep(0.01)
    assert not await worker.close(0.02)
    gate.set()
    assert await worker.close(5)
    await task


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (("tcp", "127.0.0.1:80"), ("tcp", "127.0.0.1:80"), True),
        (("tcp", "127.0.0.1:80"), ("tcp", "127.0.0.1:81"), False),
        (("tcp", "127.0.0.1:80"), ("udp", "127.0.0.1:80"), False),
        (("tcp", "127.0.0.1:80"), ("tcp", "127.0.0.2:80"), False),
        (("tcp", "0.0.0.0:80"), ("tcp", "127.0.0.2:80"), True),
        (("tcp", "[::]:80"), ("tcp", "127.0.0.2:80"), True),
        (("tcp", "127.0.0.1:0"), ("tcp", "127.0.0.1:0"), False),
        (("file", "/a"), ("file", "/a"), True),
        (("file", "/a"), ("file", "/b"), False),
    ],
)
def test_what_overlaps(one: tuple[str, str], other: tuple[str, str], overlap: bool) -> None:
    assert same(Resource(*one), Resource(*other)) is same(Resource(*other), Resource(*one)) is overlap


async def test_the_board_holds_back_and_tells_the_last_state() -> None:
    told: list[ComponentStatus] = []
    board = StatusBoard(FakeClock(), told.append, every_s=0.1)
    key = (Kind.STORAGE, ComponentId("x"), "")
    board.set(key, ComponentState.BUILT)
    board.bind(asyncio.get_running_loop())
    for state in (ComponentState.STARTING, ComponentState.RUNNING, ComponentState.DEGRADED, ComponentState.RUNNING):
        board.set(key, state)
    assert [each.state for each in told] == ["starting"]
    await asyncio.sleep(0.2)
    assert [each.state for each in told] == ["starting", "running"]
    await asyncio.to_thread(board.set, key, ComponentState.FAILED, "from a thread")
    await asyncio.sleep(0.15)
    assert told[-1].message == "from a thread"
    board.set(key, ComponentState.STOPPED)
    board.bind(None)
    assert told[-1].state == "stopped"


class Host:
    """Knows only its loaders."""

    def __init__(self, *loaders: ArtifactLoader) -> None:
        self.registry = Registry({})
        self.registry.add("loaders", "", loaders)


def loader(kind: RuntimeKind, load: Callable[..., Any] | None = None) -> ArtifactLoader:
    def plain(path: Path, options: Any, limits: Any) -> Any:
        return lambda: (kind, options)

    return ArtifactLoader(type=kind.value, suffixes=(f".{kind}",), runtime=kind, load=load or plain)


class ParserOptions(Config):
    """As parsers made from a manifest have them."""

    runtime: RuntimeKind = RuntimeKind.AUTO
    ports: tuple[int, ...] | None = None
    session_timeout_ms: int | None = None


def parser(tmp_path: Path, *there: str, **options: Any) -> ComponentConfig:
    for name in there:
        (tmp_path / name).touch()
    factory = ParserFactory(
        type="echo",
        description=ParserDescription(name="echo", protocols=((200, "echo"),), ports=(7,)),
        config=ParserOptions,
        native=tmp_path / "native",
        wasm=tmp_path / "wasm",
        python=(lambda config: "python") if "python" in there else None,  # type: ignore[arg-type, return-value]
        options=lambda config: {"depth": "3"},
    )
    return ComponentConfig(kind=Kind.PARSER, id=ComponentId("echo"), factory=factory, config=ParserOptions(**options))


BOTH = (loader(RuntimeKind.NATIVE), loader(RuntimeKind.WASM))


@pytest.mark.parametrize(
    ("there", "loaders", "chosen"),
    [
        (("native", "wasm", "python"), BOTH, "native"),
        (("wasm", "python"), BOTH, "wasm"),
        (("native", "wasm", "python"), BOTH[1:], "wasm"),
        (("native", "wasm", "python"), (), "python"),
    ],
)
def test_the_fastest_runtime_that_can_be_used_is_chosen(
    tmp_path: Path, there: tuple[str, ...], loaders: tuple[ArtifactLoader, ...], chosen: str
) -> None:
    binding = bind_parser(parser(tmp_path, *there), Host(*loaders))
    assert binding.runtime == chosen
    made: Any = binding.create()
    assert made == ("python" if chosen == "python" else (chosen, {"depth": "3"}))


def test_options_reach_the_description(tmp_path: Path) -> None:
    binding = bind_parser(parser(tmp_path, "wasm", ports=(1, 2), session_timeout_ms=5), Host(*BOTH))
    assert (binding.description.ports, binding.description.session_timeout_ms) == ((1, 2), 5)
    assert binding.artifact == tmp_path / "wasm"


@pytest.mark.parametrize(
    ("there", "loaders", "options", "said"),
    [
        (
            (),
            BOTH,
            {},
            "no runtime that can be used here; its native artifact .* is missing .was it built.., its wasm artifact .* is missing",
        ),
        (("native",), BOTH[1:], {}, "no plugin that loads native artifacts is installed"),
        (
            ("wasm",),
            BOTH,
            {"runtime": "native"},
            "parsers.echo: runtime native cannot be used; .*; set runtime: wasm or auto",
        ),
        (("wasm",), BOTH, {"runtime": "python"}, "it has no Python runtime"),
    ],
)
def test_a_missing_runtime_is_a_sentence(
    tmp_path: Path, there: tuple[str, ...], loaders: tuple[ArtifactLoader, ...], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnavailableError, match=said):
        bind_parser(parser(tmp_path, *there, **options), Host(*loaders))


@pytest.mark.parametrize("error", [PluginLoadError("it is no module"), ValueError("it is no module")])
def test_a_broken_artifact_is_a_sentence(tmp_path: Path, error: Exception) -> None:
    def load(*_: Any) -> Any:
        raise error

    with pytest.raises(UnavailableError, match=r"parsers\.echo: .*it is no module"):
        bind_parser(parser(tmp_path, "wasm"), Host(loader(RuntimeKind.WASM, load)))


def test_counters_only_grow() -> None:
    counters = Counters("engine.x")
    counters.set("decode", 5)
    counters.set("decode", 3)
    assert [each.value for each in counters.samples()] == [5]
