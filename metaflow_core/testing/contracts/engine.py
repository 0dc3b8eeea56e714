"""The contract of flow engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metaflow_core.api import BlockFormat, BuildContext, PacketBlock, ParserBinding
from metaflow_core.testing.contracts.base import ComponentContract
from metaflow_core.testing.rows import plain_rows

__all__ = ["EngineContract"]


class EngineContract(ComponentContract):
    """Inherit and set ``factory``; give :attr:`blocks` of a real capture, and :attr:`parsers` when rows are expected."""

    parsers: Sequence[ParserBinding] = ()

    def blocks(self) -> Sequence[PacketBlock]:
        """A capture, as blocks."""
        return ()

    def build(self, context: BuildContext) -> Any:
        """A new engine with the suite's parsers."""
        create: Any = self.factory.create  # type: ignore[union-attr]
        return create(context, self.config(), self.parsers)

    def _rows(self, engine: Any, blocks: Sequence[PacketBlock]) -> list[tuple[str, list[dict[str, Any]]]]:
        found: list[tuple[str, list[dict[str, Any]]]] = []
        for block in blocks:
            engine.push(block)
            found.extend((batch.table, plain_rows(batch.data)) for batch in engine.drain())
        engine.finish()
        found.extend((batch.table, plain_rows(batch.data)) for batch in engine.drain())
        merged: dict[str, list[dict[str, Any]]] = {}
        for table, rows in found:
            merged.setdefault(table, []).extend(rows)
        return sorted(merged.items())

    def test_tables_are_the_catalogues(self, component: Any, tmp_path: Any) -> None:
        """Every batch names a table of the catalogue, and every column of it is known there."""
        catalog = self.context(tmp_path).catalog
        for block in self.blocks():
            component.push(block)
        component.finish()
        for batch in component.drain():
            known = {column.name for column in catalog.table(batch.table).columns}
            unknown = set(batch.data.schema.names) - known
            assert not unknown, f"{batch.table} has columns that the catalogue does not know: {sorted(unknown)}"

    def test_same_input_same_rows(self, tmp_path: Any) -> None:
        """Two engines see the same blocks and give the same rows in the same order."""
        first, second = (self.build(self.context(tmp_path)) for _ in range(2))
        assert self._rows(first, self.blocks()) == self._rows(second, self.blocks())

    def test_garbage_is_counted(self, component: Any) -> None:
        """Bytes that are no packets neither raise nor vanish."""
        for layout in BlockFormat:
            component.push(PacketBlock(bytes(range(256)) * 64, layout, 1, 1000 + int(layout)))
        component.finish()
        list(component.drain())
        assert any(sample.value for sample in component.counters()), "garbage was not counted"

    def test_unknown_flow_has_no_history(self, component: Any) -> None:
        """``explain`` of what was never seen is empty."""
        assert list(component.explain(12345)) == []
