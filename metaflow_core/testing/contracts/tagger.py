"""The contract of taggers."""

from __future__ import annotations

from typing import Any

from metaflow_core.api import RecordBatch
from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["TaggerContract"]


class TaggerContract(ComponentContract):
    """Inherit and set ``factory``; give :attr:`batches` for tables that the tagger knows."""

    def batches(self) -> list[RecordBatch]:
        """Batches to tag; by default one empty batch of the request log."""
        from metaflow_core.model.catalog import load_catalog
        from metaflow_core.model.catalog.arrow import arrow_schema

        table = load_catalog().table("l7_flow_log")
        return [RecordBatch(table.name, _empty(arrow_schema(table)))]

    async def test_keeps_rows_and_columns(self, component: Any) -> None:
        """Tagging adds columns or fills them; it never drops a row, nor changes what others put there."""
        await component.start()
        try:
            for batch in self.batches():
                tagged = component.tag(batch)
                assert tagged.table == batch.table
                assert tagged.batch_id == batch.batch_id
                assert tagged.data.num_rows == batch.data.num_rows
                assert set(batch.data.schema.names) <= set(tagged.data.schema.names)
        finally:
            await component.stop()

    async def test_leaves_foreign_tables_alone(self, component: Any) -> None:
        """A table that the tagger knows nothing of comes back as it was."""
        import pyarrow as pa

        await component.start()
        try:
            data = pa.record_batch({"anything": [1, 2, 3]})
            tagged = component.tag(RecordBatch("nobody.knows", data))
            assert tagged.data.equals(data)
        finally:
            await component.stop()


def _empty(schema: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
