"""The record catalogue of one app: the core's, with what the loaded plugins add to it."""

from __future__ import annotations

from metaflow_core.api.factories import ParserFactory
from metaflow_core.api.identity import Kind
from metaflow_core.hooks.host import PluginHost
from metaflow_core.model.catalog import Catalog, Member, load_catalog

__all__ = ["catalog_of"]

_PROTOCOLS = "l7_protocol"


def catalog_of(host: PluginHost) -> Catalog:
    """The core's catalogue, and the protocols that the loaded parsers say they emit, so that rows show names.

    Where two parsers claim one number or name, the first by type has it; rows show the other's as a number.
    """
    catalog = load_catalog()
    known = catalog.enum(_PROTOCOLS).members
    numbers: set[int | str] = {member.value for member in known}
    names = {text.lower() for member in known for text in (member.name, member.display) if text}
    added: list[Member] = []
    for factory in host.registry.factories(Kind.PARSER).values():
        if not isinstance(factory, ParserFactory):
            continue
        for number, name in factory.description.protocols:
            if number not in numbers and name.lower() not in names:
                numbers.add(number)
                names.add(name.lower())
                added.append(Member(number, name, name, factory.summary))
    return catalog.extend(members={_PROTOCOLS: tuple(added)}) if added else catalog
