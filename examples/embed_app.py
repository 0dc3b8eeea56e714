"""MetaFlow inside an asyncio program of your own: your loop, your signals, your logging.

Run it:  CAPTURE=my.pcap python embed_app.py
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import metaflow_core as mf


async def heartbeat() -> None:
    """Stands for what the host program does anyway."""
    while True:
        await asyncio.sleep(0.5)
        print("the host program is alive", file=sys.stderr)


async def main() -> None:
    """Count rows by table while the capture is read."""
    beating = asyncio.create_task(heartbeat())
    config = Path(__file__).with_name("minimal.yaml")
    rows: dict[str, int] = {}
    async with mf.App.from_file(config, sets=[f"collectors.pcap.files=[{os.environ['CAPTURE']}]"]) as app:
        async for batch in app.tap("l7"):
            rows[batch.table] = rows.get(batch.table, 0) + batch.data.num_rows
        await app.wait()
    for table, count in sorted(rows.items()):
        print(f"{count:6} {table}")
    for sample in app.stats():
        if sample.stage == "dropped":
            print(f"dropped: {sample.value} {sample.unit} by {sample.component} ({sample.reason})")
    beating.cancel()


if __name__ == "__main__":
    asyncio.run(main())
