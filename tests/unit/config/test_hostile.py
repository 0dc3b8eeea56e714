"""Whatever a configuration holds, it loads or is refused in sentences; it never breaks, and never tells a secret."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.api import Config, StorageFactory, field_validator
from metaflow_core.config import load_config
from metaflow_core.errors import ConfigError
from metaflow_core.hooks import hookimpl
from metaflow_core.hooks.host import PluginHost

GOOD: dict[str, Any] = {
    "version": 1,
    "plugins": {"enable": [], "override": {"parsers.x": "y"}, "artifacts": [{"path": "x.wasm"}]},
    "collectors": {"tap": {"interface": "eth0", "snap_bytes": 128}},
    "parsers": {"alpha": {}},
    "taggers": {"names": {}},
    "storages": {"vault": {"url": "u", "login": {"user": "u", "password": "long-enough"}, "tokens": ["secret-one"]}},
    "dialects": {"ask": {"storage": "vault"}},
    "pipelines": {"p": {"collectors": ["tap"], "parsers": ["*"], "storages": ["vault"], "queue": {"max_batches": 3}}},
    "service": {"telemetry": {"level": "info"}, "stop_timeout_s": 3},
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["*", "tap", "$", "${env:NO}", "a/b", "_x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(tree, dict):
        return found + [place for key, child in tree.items() for place in _places(child, (*path, key))]
    if isinstance(tree, list):
        return found + [place for index, child in enumerate(tree) for place in _places(child, (*path, index))]
    return found


@given(st.lists(st.tuples(st.sampled_from(_places(GOOD)), JUNK), min_size=1, max_size=3))
def test_junk_anywhere_is_loaded_or_refused(request_host: PluginHost, junk: list[tuple[tuple[Any, ...], Any]]) -> None:
    tree = copy.deepcopy(GOOD)
    for place, value in junk:
        target: Any = tree
        try:
            for part in place[:-1]:
                target = target[part]
            target[place[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue
    said = ""
    try:
        said = yaml.safe_dump(load_config(tree, request_host, environ={}).dump())
    except ConfigError as error:
        said = str(error)
    assert said
    assert "long-enough" not in said
    assert "secret-one" not in said


class ChattyConfig(Config):
    """A plugin whose validator repeats what it was given."""

    url: str

    @field_validator("url")
    @classmethod
    def _scheme(cls, url: str) -> str:
        raise ValueError(f"{url!r} is no address ({url.partition(':')[2][4:11]})")


def test_what_came_from_the_environment_is_not_repeated_by_a_plugin() -> None:
    class Chatty:
        __name__ = "chatty"

        @staticmethod
        @hookimpl
        def metaflow_storages() -> list[StorageFactory]:
            return [StorageFactory(type="chatty", create=lambda *_: None, config=ChattyConfig)]  # type: ignore[arg-type]

    host = PluginHost(strict=True)
    host.load(autoload=False, objects=[Chatty()])
    with pytest.raises(ConfigError) as caught:
        load_config({"storages": {"chatty": {"url": "http://u:${env:PW}@h"}}}, host, environ={"PW": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "is no address" in str(caught.value)
