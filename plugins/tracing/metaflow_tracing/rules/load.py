"""The rules of an app, from the factories of every plugin and the options of the configuration."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from metaflow_core.api import LinkRule, LinkRuleFactory
from metaflow_core.errors import ComponentError
from metaflow_tracing.rules.offer import RULES

__all__ = ["load_rules"]


def load_rules(
    offered: Mapping[str, LinkRuleFactory] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    without: Collection[str] = (),
) -> dict[str, LinkRule]:
    """Rules by name: this plugin's in their order, the strongest first, then the others by name.

    :param offered: factories of the app; None for this plugin's own alone.
    :raises ComponentError: an option is wrong, or names a rule that does not exist.
    """
    own = {factory.type: factory for factory in RULES}
    known = {**own, **(offered or {})}
    for name in (*(options or {}), *without):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
            raise ComponentError(f"there is no link rule {name!r}{hint}")
    names = [*own, *sorted(set(known) - set(own))]
    found: dict[str, LinkRule] = {}
    for name in names:
        if name in without:
            continue
        factory = known[name]
        try:
            found[name] = factory.create(factory.config.model_validate(dict((options or {}).get(name, {}))))
        except ValueError as error:
            raise ComponentError(f"rules.{name}: {error}") from error
    return found
