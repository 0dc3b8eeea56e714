"""``mflow read --into``: the rows of captures into a store, where they can be asked later and together with others."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

from metaflow_core.cli import exits

if TYPE_CHECKING:
    from metaflow_core.sdk import Capture

__all__ = ["store_capture"]


def store_capture(capture: Capture, folder: str, storage: str) -> int:
    """Stores every table. The same capture read in again the same way is not stored twice: batches are known by what is in them.

    :raises UnavailableError: no installed storage keeps rows in a directory. :raises StorageError: a batch cannot be stored.
    """
    from metaflow_core.api import RecordBatch
    from metaflow_core.sdk import open_store

    rows: dict[str, int] = {}
    numbers: dict[str, int] = {}
    # A capture may be of last year: what was asked to be kept is not thrown away for its age.
    with open_store(folder, storage=storage, catalog=capture.catalog) as store:
        for batch in capture.stream_all():
            number = numbers[batch.table] = numbers.get(batch.table, 0) + 1
            seen = hashlib.blake2b(batch.data.serialize(), digest_size=16).hexdigest()
            store.write(RecordBatch(batch.table, batch.data, f"read-{batch.table}-{number}-{seen}"))
            rows[batch.table] = rows.get(batch.table, 0) + batch.data.num_rows
        twice = sum(each.value for each in store.counters.samples() if each.reason == "duplicate_batch")
    for name, count in sorted(rows.items()):
        print(f"{name}: {count} rows", file=sys.stderr)
    already = f", {twice} of them were there already" if twice else ""
    print(
        f'{sum(rows.values())} rows in {folder}{already}. Ask: mflow query --data {folder} "SHOW TABLES"',
        file=sys.stderr,
    )
    return exits.OK
