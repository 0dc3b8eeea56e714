"""A plugin with a component of every kind, as a third party would write it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings

from metaflow_core.api import (
    CollectorFactory,
    Config,
    DialectFactory,
    EngineFactory,
    ExporterFactory,
    Field,
    ParserDescription,
    ParserFactory,
    SecretStr,
    ServiceFactory,
    StorageFactory,
    TaggerFactory,
    field_validator,
)
from metaflow_core.hooks import hookimpl
from metaflow_core.hooks.host import PluginHost

# a busy machine is no reason to fail
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


class TapConfig(Config):
    """Options of the collector ``tap``."""

    interface: str = Field("any", description="Where it listens.")
    filter: str = ""
    snap_bytes: int = Field(65_535, ge=64)
    mode: Literal["fast", "exact"] = "fast"
    required_by_named: bool = False


class VaultConfig(Config):
    """Options of the storage ``vault``: it has secrets at every depth."""

    class Login(Config):
        """A login."""

        user: str = "me"
        password: SecretStr = SecretStr("")

        @field_validator("password")
        @classmethod
        def _long(cls, value: SecretStr) -> SecretStr:
            if 0 < len(value.get_secret_value()) < 8:
                raise ValueError(f"{value.get_secret_value()} is too short")
            return value

    url: str
    login: Login = Login()
    tokens: tuple[SecretStr, ...] = ()
    pin: SecretStr | None = None
    rows: int = 1


class DialectConfig(Config):
    """Options of a dialect."""

    storage: str | None = None


def _create(*_: Any) -> Any:
    raise AssertionError("validation builds nothing")


def _parser(name: str) -> ParserFactory:
    return ParserFactory(type=name, description=ParserDescription(name=name, protocols=((200, name),)), python=_create)


@pytest.fixture(scope="session")
def plugin() -> SimpleNamespace:
    """The plugin object."""
    return SimpleNamespace(
        __name__="everything",
        metaflow_collectors=hookimpl(specname="metaflow_collectors")(
            lambda: [
                CollectorFactory(type="tap", create=_create, config=TapConfig),
                CollectorFactory(type="receiver", create=_create, emits=frozenset({"records"})),
            ]
        ),
        metaflow_engines=hookimpl(specname="metaflow_engines")(lambda: [EngineFactory(type="flow", create=_create)]),
        metaflow_parsers=hookimpl(specname="metaflow_parsers")(
            lambda: [_parser("zeta"), _parser("alpha"), _parser("mid")]
        ),
        metaflow_taggers=hookimpl(specname="metaflow_taggers")(lambda: [TaggerFactory(type="names", create=_create)]),
        metaflow_storages=hookimpl(specname="metaflow_storages")(
            lambda: [
                StorageFactory(type="vault", create=_create, config=VaultConfig),
                StorageFactory(type="memory", create=_create),
                StorageFactory(type="archive", create=_create, roles=frozenset({"read"})),
            ]
        ),
        metaflow_dialects=hookimpl(specname="metaflow_dialects")(
            lambda: [DialectFactory(type="ask", create=_create, config=DialectConfig)]
        ),
        metaflow_exporters=hookimpl(specname="metaflow_exporters")(
            lambda: [ExporterFactory(type="out", create=_create)]
        ),
        metaflow_services=hookimpl(specname="metaflow_services")(lambda: [ServiceFactory(type="page", create=_create)]),
        metaflow_resolve=hookimpl(specname="metaflow_resolve")(
            lambda scheme, ref: f"from-{ref}" if scheme == "safe" and ref != "none" else None
        ),
    )


@pytest.fixture(scope="session")
def request_host(plugin: SimpleNamespace) -> PluginHost:
    """The same host for every example of a property."""
    found = PluginHost(strict=True)
    found.load(autoload=False, objects=[plugin])
    return found


@pytest.fixture
def host(plugin: SimpleNamespace) -> PluginHost:
    """A host that knows only that plugin."""
    found = PluginHost(strict=True)
    found.load(autoload=False, objects=[plugin])
    return found
