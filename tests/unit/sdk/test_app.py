"""The app inside somebody's program, with and without an event loop, and as a program of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.api import AppView
from metaflow_core.errors import ConfigError, MetaFlowError, PluginError, QueryError, UnsupportedQuery
from metaflow_core.sdk import App, SyncApp
from tests.unit.pipeline.fakes import Script, plugin
from tests.unit.pipeline.test_flow import FAST

CONFIG: dict[str, Any] = {
    "pipelines": {"p": {"collectors": ["file"], "parsers": ["alpha"], "storages": ["store"]}},
    "dialects": {"ask": {}},
    "services": {"page": {}},
}


def app(script: Script, config: Any = None, **options: Any) -> App:
    return App(config or CONFIG, plugins=[plugin(script)], policy=FAST, **options)


async def test_questions_go_through_a_dialect_to_its_storage() -> None:
    async with app(Script()) as running:
        result = await running.query("ask", "anything", at=1)
        assert (result.kind, result.table.to_pydict()) == ("anything", {"answer": [42]})
        with pytest.raises(UnsupportedQuery, match="no dialect 'sql'; configured are: ask"):
            await running.query("sql", "x")


async def test_a_question_that_takes_too_long_is_ended() -> None:
    script = Script()
    script.hang = {"ask.query"}
    async with app(script) as running:
        with pytest.raises(QueryError, match=r"not answered within 0\.05 s"):
            await running.query("ask", "x", timeout_s=0.05)
    with pytest.raises(QueryError, match="is not running"):
        await running.query("ask", "x")


async def test_a_dialect_must_know_which_storage_to_ask() -> None:
    config = {**CONFIG, "storages": {"store": {}, "store/b": {}}}
    config["pipelines"] = {"p": {**CONFIG["pipelines"]["p"], "storages": ["store", "store/b"]}}
    async with app(Script(), config) as running:
        with pytest.raises(QueryError, match=r"several storages \(store, store/b\); name one"):
            await running.query("ask", "x")
    async with app(Script(), {**config, "dialects": {"ask": {"_storage": "store/b"}}}) as running:
        assert (await running.query("ask", "x")).kind == "x"


async def test_services_see_the_app_and_the_components() -> None:
    script = Script()
    async with app(script) as running:
        services: Any = script.contexts["page"].services
        view: AppView = running
        assert services["app"] is view
        assert list(services["storages"]) == ["store"]
        assert list(services["dialects"]) == ["ask"]
        # a service runs on when the files have ended
        waiting = asyncio.create_task(running.wait())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        waiting.cancel()


async def test_making_an_app_touches_nothing() -> None:
    script = Script()
    handlers = list(logging.getLogger().handlers)
    threads = set(threading.enumerate())
    hangup = signal.getsignal(signal.SIGHUP)
    running = app(script)
    running.validate()
    assert {what for _, what in script.events} == {"create"}
    assert set(threading.enumerate()) == threads
    assert logging.getLogger().handlers == handlers
    assert signal.getsignal(signal.SIGHUP) is hangup


async def test_mistakes_are_all_there_when_the_app_is_made() -> None:
    with pytest.raises(ConfigError) as caught:
        app(Script(), {"pipelines": {"p": {"collectors": ["fil"], "storages": ["stor"]}}})
    assert len(caught.value.problems) == 2


async def test_a_file_names_settings_resolver_and_autoload(tmp_path: Path) -> None:
    config = tmp_path / "m.yaml"
    config.write_text(
        "plugins: {autoload: false}\npipelines: {p: {collectors: [file], parsers: [alpha], storages: [store]}}\n"
        "collectors: {file: {secret: '${vault:x}', value: '${env:V}'}}\n"
    )
    running = App.from_file(
        config,
        plugins=[plugin(Script())],
        resolver=lambda scheme, ref: f"{scheme}-{ref}",
        sets=["pipelines.p.queue.max_batches=3"],
        environ={"V": "from-env"},
    )
    dumped = running.config.dump()
    assert dumped["collectors"]["file"] == {"port": None, "value": "from-env", "secret": "**********"}
    assert dumped["pipelines"]["p"]["queue"]["max_batches"] == 3
    assert [info.name for info in running.plugins if info.state == "loaded"] == ["fakes"]


async def test_the_graph_names_everything() -> None:
    graph = app(Script(), {**CONFIG, "taggers": {"tagger": {}}}).graph()
    assert [node["name"] for node in graph.to_dict()["nodes"]] == [
        "collector.file", "engine.engine@p", "parser.alpha@p", "storage.store", "dialect.ask", "service.page",
    ]  # fmt: skip
    assert '"collector.file" -> "engine.engine@p" [label="blocks"];' in graph.to_dot()
    text = graph.to_text()
    assert "pipeline p\n  collect  file\n  engine   engine\n  parse    alpha\n  store    store\n" in text
    assert "dialect  ask asks store" in text


async def test_explaining_asks_every_engine() -> None:
    script = Script()
    script.live = {"file"}
    async with app(script) as running:
        assert await running.explain(9) == [{"flow_id": 9, "engine": "engine"}]


def test_the_synchronous_face() -> None:
    script = Script()
    config = {key: value for key, value in CONFIG.items() if key != "services"}
    before = set(threading.enumerate())
    with SyncApp(app(script, config)) as running:
        rows = [n for batch in running.tap("p") for n in batch.data.column("n").to_pylist()]
        running.wait()
        assert running.query("ask", "x").kind == "x"
        assert not running.reload()
        assert {each.name for each in set(threading.enumerate()) - before} >= {"metaflow-app"}
        assert {each["state"] for each in running.status() if each["kind"] == "collector"} == {"stopped"}
    assert rows[-1] == 1_000_000
    assert script.rows_of("store") == [*range(80), 1_000_000]
    assert set(threading.enumerate()) == before
    with pytest.raises(MetaFlowError, match="not running"):
        running.query("ask", "x")
    assert running.stop() == []


def test_the_synchronous_face_reports_a_failing_start() -> None:
    script = Script()
    script.fail = {"store.start": 1}
    before = set(threading.enumerate())
    with pytest.raises(MetaFlowError, match="storages.store"):
        SyncApp(app(script)).start()
    assert set(threading.enumerate()) == before


def test_artifacts_need_a_loader_a_manifest_and_the_right_digest(tmp_path: Path) -> None:
    artifact = tmp_path / "echo.wasm"
    artifact.write_bytes(b"\0asm")
    config = tmp_path / "m.yaml"
    config.write_text("plugins:\n  artifacts:\n    - {path: echo.wasm}\n")
    with pytest.raises(ConfigError) as caught:
        App.from_file(config, plugins=[plugin(Script())], autoload=False)
    assert f"{config}:3: plugins.artifacts[0]: no plugin loads 'echo.wasm'" in str(caught.value)


MANIFEST = """
abi = 1
type = "echo"
artifact = "echo.wasm"
protocols = [[210, "Echo"]]
"""


async def test_another_build_of_an_artifact_is_taken_over_when_its_digest_allows(tmp_path: Path) -> None:
    import hashlib
    from types import SimpleNamespace

    from metaflow_core.api import ArtifactLoader, RuntimeKind
    from metaflow_core.hooks import hookimpl

    artifact, config = tmp_path / "echo.wasm", tmp_path / "m.yaml"
    (tmp_path / "echo.metaflow.toml").write_text(MANIFEST)
    artifact.write_bytes(b"one")
    loads: list[bytes] = []

    def load(path: Path, options: Any, limits: Any) -> Any:
        loads.append(path.read_bytes() + str(limits.memory_mib).encode())
        return SimpleNamespace

    loader = ArtifactLoader(type="wasm", suffixes=(".wasm",), runtime=RuntimeKind.WASM, load=load)
    loaders = SimpleNamespace(
        __name__="loaders", metaflow_loaders=hookimpl(specname="metaflow_loaders")(lambda: [loader])
    )
    script = Script()
    script.live = {"tap"}

    def write(pin: str) -> None:
        config.write_text(
            f"plugins: {{artifacts: [{{path: echo.wasm, memory_mib: 9{pin}}}]}}\n"
            "pipelines: {p: {collectors: [tap], parsers: [echo], storages: [store]}}\n"
        )

    write("")
    async with App.from_file(config, plugins=[plugin(script), loaders], autoload=False, policy=FAST) as running:
        assert loads == [b"one9"]
        assert running.catalog.enum("l7_protocol").name_of(210) == "Echo"
        assert not await running.reload()
        artifact.write_bytes(b"another")
        assert (await running.reload()).to_dict()["changed"] == ["parsers.echo"]
        assert loads == [b"one9", b"another9"]
    write(f", sha256: {hashlib.sha256(b'another').hexdigest()}")
    async with App.from_file(config, plugins=[plugin(Script()), loaders], autoload=False, policy=FAST) as running:
        artifact.write_bytes(b"hostile")
        with pytest.raises(ConfigError, match="the file was changed"):
            await running.reload()
        assert len(loads) == 3


def test_required_plugins_are_missed() -> None:
    with pytest.raises(PluginError, match="metaflow-nothing is not installed"):
        app(Script(), {**CONFIG, "plugins": {"require": ["metaflow-nothing>=1"]}})


PROGRAM = """
import sys
sys.path.insert(0, {root!r})
from metaflow_core.sdk import App, run
from tests.unit.pipeline.fakes import Script, plugin
script = Script()
{more}
print("made", flush=True)
sys.exit(run(App({config!r}, plugins=[plugin(script)])))
"""


def program(more: str, config: Any) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[3])
    text = textwrap.dedent(PROGRAM).format(root=root, more=more, config=config)
    return subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root
    )


FILE_ONLY = {"pipelines": CONFIG["pipelines"]}


def test_run_ends_with_the_files() -> None:
    process = program("", FILE_ONLY)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "made\n"), err
    assert "Running: p." in err


def test_run_fails_when_a_component_failed() -> None:
    process = program("script.fail = {'store.start': 1}", FILE_ONLY)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "storages.store: cannot start" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_stops_on_a_signal_and_reloads_on_another(number: signal.Signals) -> None:
    process = program(
        "script.live = {'file'}", {**CONFIG, "service": {"telemetry": {"format": "json", "counters_every_s": 0.1}}}
    )
    assert process.stderr is not None
    seen = ""
    while "Running" not in seen:
        seen = process.stderr.readline()
    process.send_signal(signal.SIGHUP)
    while "Reloaded" not in seen:
        seen = process.stderr.readline()
    assert '"level": "info"' in seen
    while "Counter storage.store sent" not in seen:
        seen = process.stderr.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert f"{number.name}: stopping" in err
