"""The querier keeps the contract of services."""

from __future__ import annotations

import pytest
from metaflow_querier.config import QuerierConfig
from metaflow_querier.plugin import metaflow_services

from metaflow_core.testing.contracts import ServiceContract


class TestQuerier(ServiceContract):
    factory = next(iter(metaflow_services()))
    options = {"listen": "127.0.0.1:0"}


def test_port_is_named() -> None:
    from metaflow_querier.service import QuerierService

    from metaflow_core.api import Kind
    from metaflow_core.testing import build_context

    service = QuerierService(build_context(Kind.SERVICE, "querier"), QuerierConfig())
    assert [str(each) for each in service.resources()] == ["tcp:127.0.0.1:20416"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"listen": "0.0.0.0:1"}, "give a token"),
        ({"listen": "nonsense"}, "no address and port"),
        ({"listen": "127.0.0.1:70000"}, "no address and port"),
        ({"token": ""}, "protects nothing"),
        ({"tls_key": "x.pem"}, "belong together"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, str], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        QuerierConfig.model_validate(options)


def test_others_may_be_let_in_knowingly() -> None:
    assert QuerierConfig.model_validate({"listen": "0.0.0.0:1", "token": "x"}).token is not None
    assert QuerierConfig.model_validate({"listen": "[::]:1", "allow_anonymous": True}).allow_anonymous
