"""All mistakes at once, each with its place, what was found, what is allowed and the nearest right name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.api import ComponentId, Kind
from metaflow_core.config import StartupError, diff_configs, json_schema, load_config, read_document
from metaflow_core.errors import ConfigError
from metaflow_core.hooks.host import PluginHost

GOOD: dict[str, Any] = {
    "version": 1,
    "collectors": {"tap": {}, "tap/eth1": {"interface": "eth1"}},
    "storages": {"memory": {}},
    "pipelines": {"l7": {"collectors": ["tap", "tap/eth1"], "storages": ["memory"]}},
}


def _with(**sections: Any) -> dict[str, Any]:
    return {**GOOD, **sections}


def _problems(source: Any, host: PluginHost, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(source, host, **options)
    return [str(problem) for problem in caught.value.problems]


def test_a_good_configuration(host: PluginHost) -> None:
    loaded = load_config(GOOD, host)
    pipeline = loaded.pipelines["l7"]
    assert pipeline.engine == ComponentId("flow")
    assert [str(p) for p in pipeline.parsers] == ["alpha", "mid", "zeta"]
    assert loaded.components[(Kind.COLLECTOR, ComponentId("tap", "eth1"))].config.interface == "eth1"  # type: ignore[attr-defined]
    assert loaded.warnings == ()


def test_the_star_is_every_other_parser_with_the_configured_ones_first(host: PluginHost) -> None:
    source = _with(parsers={"zeta/x": {}}, pipelines={"p": {"collectors": ["tap"], "parsers": ["mid", "*"]}})
    assert [str(p) for p in load_config(source, host).pipelines["p"].parsers] == ["mid", "zeta/x", "alpha"]


def test_a_pipeline_of_records_needs_no_engine(host: PluginHost) -> None:
    loaded = load_config({"pipelines": {"p": {"collectors": ["receiver"], "storages": ["memory"]}}}, host)
    assert (loaded.pipelines["p"].engine, loaded.pipelines["p"].parsers) == (None, ())


def test_all_mistakes_at_once_with_file_and_line(host: PluginHost, tmp_path: Path) -> None:
    config = tmp_path / "m.yaml"
    config.write_text(
        """\
version: 2
colectors: {}
collectors:
  tap:
    interfce: eth0
    snap_bytes: many
    mode: fest
  Tap: {}
  tpa: {}
storages:
  vault: {rows: 1}
pipelines:
  l7:
    collectors: [tap, nothing]
    storages: [vault/main]
    queue: {max_batches: 0}
    on_eror: isolate
service:
  startup_error: sometimes
  stop_timeout_s: no
"""
    )
    said = _problems(config, host)
    expected = [
        (1, "version", "found 2"),
        (2, "colectors", "did you mean collectors?"),
        (5, "collectors.tap.interfce", "unknown option; did you mean interface?"),
        (6, "collectors.tap.snap_bytes", "a whole number is expected, found 'many'"),
        (7, "collectors.tap.mode", "did you mean fast? (allowed are fast, exact)"),
        (8, "collectors.Tap", "is not a component id"),
        (9, "collectors.tpa", "did you mean tap?"),
        (11, "storages.vault.url", "required and missing"),
        (16, "pipelines.l7.queue.max_batches", "greater than or equal to 1"),
        (17, "pipelines.l7.on_eror", "did you mean on_error?"),
        (19, "service.startup_error", "allowed are fail, retry, ignore"),
        (20, "service.stop_timeout_s", "a number is expected, found 'no'"),
    ]
    assert len(said) == len(expected), "\n".join(said)
    for line, (number, path, text) in zip(said, expected, strict=True):
        assert line.startswith(f"{config}:{number}: {path}: "), line
        assert text in line


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ({"collectors": ["tpa"]}, "there is no collector 'tpa'; did you mean tap?"),
        ({"collectors": ["tap/eth9"]}, "did you mean tap/eth1?"),
        ({"collectors": []}, "at least 1 item"),
        ({"collectors": ["tap", "tap"]}, "stands here twice"),
        ({"collectors": ["*"]}, "only allowed for parsers"),
        ({"collectors": "tap"}, "a list is expected, found 'tap'"),
        ({"collectors": ["tap"], "storages": ["archive"]}, "can only be read"),
        ({"collectors": ["tap"], "storages": ["tap"]}, "'tap' is a collector, not a storage"),
        ({"collectors": ["receiver"], "parsers": ["mid"]}, "parsers need an engine"),
        ({"collectors": ["tap"], "engine": "flwo"}, "did you mean flow?"),
        ({"collectors": ["tap"], "storages": ["vault"]}, "required and missing"),
        ("tap", "a map of options is expected"),
    ],
)
def test_wrong_pipelines(host: PluginHost, pipeline: Any, said: str) -> None:
    assert any(said in line for line in _problems(_with(pipelines={"p": pipeline}), host))


def test_unused_components_are_warnings_or_mistakes(host: PluginHost) -> None:
    source = _with(taggers={"names": {}})
    assert [str(warning) for warning in load_config(source, host).warnings] == [
        "taggers.names: the tagger is configured but no pipeline names it"
    ]
    assert len(_problems(source, host, deny_warnings=True)) == 1


def test_core_keys_are_not_seen_by_plugins(host: PluginHost) -> None:
    loaded = load_config(_with(collectors={"tap": {"_startup_error": "ignore"}, "tap/eth1": {}}), host)
    assert loaded.components[(Kind.COLLECTOR, ComponentId("tap"))].startup_error is StartupError.IGNORE
    assert loaded.components[(Kind.COLLECTOR, ComponentId("tap", "eth1"))].startup_error is StartupError.FAIL
    said = _problems(_with(collectors={"tap": {"_startup_eror": "ignore"}, "tap/eth1": {}}), host)
    assert said == ["collectors.tap._startup_eror: unknown option; did you mean _startup_error?"]


def test_placeholders_reach_typed_options_and_are_never_shown(host: PluginHost, tmp_path: Path) -> None:
    env = {"SNAP": "128", "BAD": "hunter2hunter2"}
    loaded = load_config(_with(collectors={"tap": {"snap_bytes": "${env:SNAP}"}, "tap/eth1": {}}), host, environ=env)
    assert loaded.components[(Kind.COLLECTOR, ComponentId("tap"))].config.snap_bytes == 128  # type: ignore[attr-defined]
    said = _problems(_with(collectors={"tap": {"snap_bytes": "${env:BAD}"}, "tap/eth1": {}}), host, environ=env)
    assert said == ["collectors.tap.snap_bytes: a whole number is expected"]
    said = _problems(_with(collectors={"tap": {"snap_bytes": "${env:NO}"}, "tap/eth1": {}}), host, environ=env)
    assert len(said) == 1


def test_schemes_of_plugins_and_programs(host: PluginHost) -> None:
    source = _with(collectors={"tap": {"interface": "${safe:x}", "filter": "${mine:y}"}, "tap/eth1": {}})
    loaded = load_config(source, host, resolvers=[lambda scheme, ref: ref * 2 if scheme == "mine" else None])
    config: Any = loaded.components[(Kind.COLLECTOR, ComponentId("tap"))].config
    assert (config.interface, config.filter) == ("from-x", "yy")
    assert (
        "install the plugin that knows 'safe'"
        in _problems(_with(collectors={"tap": {"filter": "${safe:none}"}, "tap/eth1": {}}), host)[0]
    )


SECRET = "correct-horse"


@pytest.mark.parametrize(
    "options",
    [
        {"url": "x", "login": {"password": SECRET}, "tokens": [SECRET], "pin": SECRET, "rows": "many"},
        {"url": "x", "login": {"password": [SECRET]}},
        {"url": "x", "login": {"password": {"a": SECRET}}},
        {"url": "x", "login": {"passwrd": 1, "password": SECRET}},
        {"url": "x", "tokens": SECRET},
        {"url": ["x"], "pin": SECRET},
        {"url": "x", "rows": SECRET, "pin": SECRET},
    ],
)
def test_no_message_shows_a_secret(host: PluginHost, options: dict[str, Any]) -> None:
    said = _problems(_with(storages={"vault": options}), host)
    assert SECRET not in "\n".join(said)


def test_short_or_numeric_secrets_are_not_shown_either(host: PluginHost) -> None:
    said = _problems(_with(storages={"vault": {"url": "x", "login": {"password": "qzj"}, "pin": 86420}}), host)
    assert not any("qzj" in line or "86420" in line for line in said)
    assert any("storages.vault.login.password" in line for line in said)
    assert any("write it in quotes" in line for line in said)


def test_secrets_print_as_stars(host: PluginHost) -> None:
    source = _with(storages={"vault": {"url": "x", "login": {"password": SECRET}, "tokens": [SECRET], "pin": SECRET}})
    source["pipelines"] = {"p": {"collectors": ["tap", "tap/eth1"], "storages": ["vault"]}}
    loaded = load_config(source, host)
    other = load_config(_with(**{**source, "storages": {"vault": {"url": "x", "pin": SECRET + "2"}}}), host)
    shown = (
        json.dumps(loaded.dump())
        + repr(loaded)
        + str(diff_configs(loaded, other))
        + json.dumps(diff_configs(loaded, other).to_dict())
    )
    assert SECRET not in shown
    assert "**********" in shown


def test_the_dump_loads_again(host: PluginHost) -> None:
    source = _with(dialects={"ask": {"storage": "memory"}}, services={"page": {}})
    loaded = load_config(source, host)
    assert load_config(loaded.dump(), host) == loaded


def test_dialects_name_a_storage_that_is_there(host: PluginHost) -> None:
    said = _problems(_with(dialects={"ask": {"storage": "memry"}}), host)
    assert said == ["dialects.ask.storage: there is no storage 'memry' that can be read; did you mean memory?"]


def test_diff_names_what_changed(host: PluginHost) -> None:
    old = load_config(GOOD, host)
    new = load_config(
        {
            "collectors": {"tap": {"filter": "x"}},
            "storages": {"memory": {}, "vault": {"url": "u"}},
            "pipelines": {"l7": {"collectors": ["tap"], "storages": ["memory", "vault"]}},
            "service": {"stop_timeout_s": 1},
        },
        host,
    )
    diff = diff_configs(old, new)
    assert diff.to_dict() == {
        "added": ["storages.vault"],
        "changed": ["collectors.tap"],
        "removed": ["collectors.tap/eth1"],
        "pipelines_added": [],
        "pipelines_changed": ["l7"],
        "pipelines_removed": [],
        "restart_needed": ["service"],
    }
    assert not diff_configs(old, load_config(GOOD, host))


def test_the_schema_covers_every_component(host: PluginHost) -> None:
    schema = json_schema(host)
    assert set(schema["properties"]) == {
        "version", "plugins", "collectors", "engines", "parsers", "refiners", "taggers", "storages", "dialects", "exporters", "services", "pipelines", "service",
    }  # fmt: skip
    tap = schema["$defs"]["collectors.tap.TapConfig"]
    assert tap["properties"]["interface"]["description"] == "Where it listens."
    assert "_startup_error" in tap["properties"]
    assert "pattern" in json.dumps(tap["properties"]["snap_bytes"])
    assert "storages.vault.Login" in schema["$defs"]
    references = set(json.dumps(schema).split('"#/$defs/')[1:])
    assert {reference.partition('"')[0] for reference in references} <= set(schema["$defs"])


def test_a_failed_plugin_is_named_where_its_component_is_missing(plugin: Any) -> None:
    class Broken:
        __name__ = "parser-omega"

    host = PluginHost()
    host.load(autoload=False, objects=[plugin, Broken()])
    said = _problems(_with(parsers={"omega": {}}), host)
    assert "the plugin 'parser-omega' is failed" in said[0]


def test_loading_reads_a_document_only_once(host: PluginHost) -> None:
    document = read_document(GOOD, sets=["collectors.tap.filter=udp"])
    loaded = load_config(document, host)
    assert loaded.components[(Kind.COLLECTOR, ComponentId("tap"))].config.filter == "udp"  # type: ignore[attr-defined]
