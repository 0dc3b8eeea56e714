"""The contract of link rules."""

from __future__ import annotations

from typing import Any

from metaflow_core.api import BuildContext, LinkRule, LinkRuleFactory, LinkSpan, Lookup, Relation, Verdict
from metaflow_core.testing.contracts.base import ComponentContract
from metaflow_core.testing.links import FakeSpan

__all__ = ["LinkRuleContract"]


class LinkRuleContract(ComponentContract):
    """Inherit, set ``factory``, and give :meth:`linked` and :meth:`apart`."""

    factory: LinkRuleFactory

    def build(self, context: BuildContext) -> Any:
        """A rule."""
        del context
        return self.factory.create(self.config())

    def linked(self) -> list[tuple[LinkSpan, LinkSpan]]:
        """Pairs that the rule links."""
        return []

    def apart(self) -> list[tuple[LinkSpan, LinkSpan]]:
        """Pairs that it must not link: no common key, or a refusal."""
        return []

    def test_says_what_it_relates(self, component: LinkRule) -> None:
        """Relation and lookups are what the factory and the catalogue know."""
        from metaflow_core.model.catalog import load_catalog

        assert component.relation is Relation(self.factory.relation)
        table = load_catalog().table("l7_flow_log")
        for lookup in component.lookups:
            assert isinstance(lookup, Lookup)
            for name in (*lookup.have, *lookup.want):
                table.column(name)

    def test_links_what_belongs_together(self, component: LinkRule) -> None:
        """Linked pairs share a key and are accepted with a reason and evidence."""
        for first, second in self.linked():
            assert set(component.offers(first)) & set(component.seeks(second))
            verdict = component.judge(first, second, 0)
            assert isinstance(verdict, Verdict)
            assert 0 < verdict.confidence <= 1, verdict.reason
            assert verdict.reason
            assert verdict.matched

    def test_keeps_apart_what_does_not(self, component: LinkRule) -> None:
        """The others share none or are refused with a reason."""
        for first, second in self.apart():
            if set(component.offers(first)) & set(component.seeks(second)):
                verdict = component.judge(first, second, 0)
                assert not verdict.accepts
                assert verdict.reason

    def test_empty_rows_have_no_keys(self, component: LinkRule) -> None:
        """A row of nothing but zeros, empty texts and missing values is linked to nothing."""

        class Empty(FakeSpan):
            def __getitem__(self, column: str) -> Any:
                return {"agent_id": 0, "protocol": 0}.get(column, "" if column.endswith("id") else 0)

        for span in (FakeSpan(), Empty()):
            assert not set(component.offers(span)) & set(component.seeks(span))

    def test_is_pure(self, component: LinkRule) -> None:
        """Asking twice gives the same answer."""
        for first, second in (*self.linked(), *self.apart()):
            assert list(component.offers(first)) == list(component.offers(first))
            assert component.judge(first, second, 5) == component.judge(first, second, 5)
