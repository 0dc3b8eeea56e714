"""The block at the end of starting: what is in force and why, where data is, every URL, a line to copy for each integration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from metaflow_core.api import Kind, Route
from metaflow_up.masking import masked
from metaflow_up.show import troubles

if TYPE_CHECKING:
    from metaflow_core import App

__all__ = ["base_url", "block", "left_out"]


def block(app: App, title: str, said: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Lines for people.

    :param title: the first line. :param said: labels and texts that come before what the app itself tells.
    """
    yield title
    first = list(said)
    # what was said first of an integration is said better
    known = {text.partition(":")[0] for label, text in first if label == "connect"}
    more = [each for each in _integrations(app) if each[1].partition(":")[0] not in known]
    first, connect = [each for each in first if each[0] != "connect"], [each for each in first if each[0] == "connect"]
    lines = [
        *first,
        *masked(app),
        *_urls(app),
        *(("left out", f"{name}: {why}") for name, why in left_out(app).items()),
        *connect,
        *more,
        ("stop", "Ctrl-C"),
    ]
    width = max(len(label) for label, _ in lines) + 2
    before = ""
    for label, text in lines:
        yield f"  {label if label != before else '':<{width}}{text}"
        before = label


def base_url(app: App) -> str:
    """Of the first service that listens; empty when none does."""
    for service in app.components(Kind.SERVICE).values():
        url = getattr(service, "url", "")
        if isinstance(url, str) and url:
            return url.rstrip("/")
    return ""


def _urls(app: App) -> Iterator[tuple[str, str]]:
    base = base_url(app)
    if not base:
        return
    found: dict[str, str] = {}
    for service in app.components(Kind.SERVICE).values():
        for route in service.routes():  # type: ignore[attr-defined]  # services have routes
            if isinstance(route, Route):
                found.setdefault(route.path, route.summary)
    # what is below /v1 stands in the description of paths
    for path in sorted((path for path in found if not path.startswith("/v1/")), key=lambda path: (path != "/", path)):
        yield "url", f"{base}{path}{'' if not found[path] else f'  {found[path]}'}"


def left_out(app: App) -> dict[str, str]:
    """What does not run of that which answers and receives: why, by kind and name."""
    kinds = ("collector", "service", "dialect")
    return troubles(
        each for each in app.status() if each["state"] in ("failed", "quarantined") and each["kind"] in kinds
    )


def _integrations(app: App) -> Iterator[tuple[str, str]]:
    """What components themselves tell: ``integrations()`` gives titles and lines to copy; it is optional."""
    base = base_url(app)
    for kind in (Kind.COLLECTOR, Kind.SERVICE):
        for name, component in app.components(kind).items():
            tell = getattr(component, "integrations", None)
            if callable(tell):
                for title, line in tell():
                    yield "connect", f"{title}: {line.replace('{url}', base)}"
            elif kind is Kind.COLLECTOR and _is_receiver(app, name):
                summary = app.host.factory(Kind.COLLECTOR, name.partition("/")[0]).summary
                for resource in component.resources():  # type: ignore[attr-defined]  # collectors have resources
                    yield "connect", f"{summary}: {resource.name}"


def _is_receiver(app: App, name: str) -> bool:
    factory: Any = app.host.factory(Kind.COLLECTOR, name.partition("/")[0])
    return bool(factory.emits == {"records"} and factory.files is None)
