"""Each component keeps the contract of its kind."""

from __future__ import annotations

from typing import Any

import pytest
from link_peers import TABLE
from metaflow_link.agent.config import SenderConfig
from metaflow_link.plugin import metaflow_collectors, metaflow_exporters, metaflow_services, metaflow_storages
from metaflow_link.server.config import ReceiverConfig

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.query import Scan
from metaflow_core.testing.contracts import CollectorContract, ExporterContract, ServiceContract
from metaflow_core.testing.contracts.base import ComponentContract


class TestReceiver(CollectorContract):
    factory = next(iter(metaflow_collectors()))
    options = {"listen": "127.0.0.1:0"}


class TestExporter(ExporterContract):
    factory = next(iter(metaflow_exporters()))
    options = {"server": "127.0.0.1:1", "flush_s": 0}


class TestStorage(ComponentContract):
    factory = next(iter(metaflow_storages()))
    options = {"server": "127.0.0.1:1", "flush_s": 0}

    async def test_keeps_no_rows_to_ask_for(self, component: Any) -> None:
        with pytest.raises(UnsupportedQuery, match="ask the server it sends to"):
            await component.execute(Scan(TABLE))


class TestService(ServiceContract):
    factory = next(iter(metaflow_services()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"listen": "0.0.0.0:20133"}, "reachable from outside"),
        ({"listen": "nonsense"}, "no address and port"),
        ({"token": " "}, "an empty token protects nothing"),
        ({"tls_cert": "/x"}, "go together"),
        ({"tls_client_ca": "/x"}, "needs tls_cert"),
    ],
)
def test_wrong_options_of_the_server(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ReceiverConfig(**options)


def test_what_opens_the_server() -> None:
    assert ReceiverConfig(listen="0.0.0.0:1", token="t").token
    assert ReceiverConfig(listen="[::1]:1").listen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"server": "somewhere"}, "no address and port"),
        ({"server": "somewhere:0"}, "port 0"),
        ({"server": "a:1", "tls_key": "/x"}, "go together"),
    ],
)
def test_wrong_options_of_the_agent(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SenderConfig(**options)
