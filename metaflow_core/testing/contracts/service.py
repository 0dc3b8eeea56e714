"""The contract of services."""

from __future__ import annotations

from typing import Any

from metaflow_core.api import Resource, Route
from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["ServiceContract"]


class ServiceContract(ComponentContract):
    """Inherit and set ``factory``."""

    def test_routes_are_distinct(self, component: Any) -> None:
        """Each path is mounted once, and begins with a slash."""
        routes = list(component.routes())
        assert all(isinstance(route, Route) and route.path.startswith("/") for route in routes)
        assert len({route.path for route in routes}) == len(routes)

    def test_listens_on_loopback_by_default(self, component: Any) -> None:
        """Nothing is reachable from outside unless the user says so."""
        for resource in component.resources():
            assert isinstance(resource, Resource)
            if resource.kind in {"tcp", "udp"}:
                assert resource.name.startswith(("127.", "[::1]", "localhost")), f"{resource} is not on loopback"
