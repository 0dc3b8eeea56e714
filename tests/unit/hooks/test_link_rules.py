"""Link rules: frozen factories like any other, with what the contract asks of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import pytest

from metaflow_core import hookimpl
from metaflow_core.api import Config, Field, Kind, LinkRuleFactory, LinkSpan, Lookup, Match, Relation, Verdict
from metaflow_core.hooks.host import PluginHost
from metaflow_core.testing import FakeSpan, LinkRuleContract


class Options(Config):
    """How sure."""

    confidence: float = Field(0.5, gt=0, le=1, description="What a match is worth.")


class Order:
    """Rows that carry one order number."""

    relation = Relation.CAUSE

    def __init__(self, options: Options) -> None:
        self._worth = options.confidence

    @property
    def lookups(self) -> Sequence[Lookup]:
        return (Lookup(("biz_code",), ("biz_code",)),)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        if span["biz_code"]:
            yield span["biz_code"]

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        return self.offers(span)

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        matched = (Match("biz_code", "biz_code", str(first["biz_code"])),)
        if second.start_us < first.start_us - slack_us:
            return Verdict(0, "it came before", matched)
        return Verdict(self._worth, "one order", matched)


FACTORY = LinkRuleFactory(
    type="order", relation=Relation.CAUSE, config=Options, create=Order, summary="one order number"
)


class Shop:
    """A plugin."""

    @hookimpl
    def metaflow_link_rules(self) -> list[LinkRuleFactory]:
        return [FACTORY]


class TestOrder(LinkRuleContract):
    factory = FACTORY

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        return [(FakeSpan(start_us=1, columns={"biz_code": "7"}), FakeSpan(start_us=2, columns={"biz_code": "7"}))]

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        first, second = self.linked()[0]
        return [(second, first), (first, FakeSpan(start_us=2, columns={"biz_code": "8"}))]


def test_rules_are_registered_like_components() -> None:
    host = PluginHost(strict=True)
    host.load(autoload=False, objects=[Shop()])
    assert host.factories(Kind.LINK_RULE) == {"order": FACTORY}


def test_a_rule_needs_a_type_that_can_be_named() -> None:
    with pytest.raises(ValueError, match="lower case"):
        LinkRuleFactory(type="Order No", relation=Relation.CAUSE, create=Order)
