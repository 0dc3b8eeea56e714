"""``python make_capture.py``: plays the shop in its network namespaces and keeps what tcpdump saw and what the shop says it did.

Needs root, tcpdump, redis-server and mariadbd. Writes ``metaflow_demo/captures/{lo,wire}.pcap.gz`` and ``tests/captures/calls.jsonl``.
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from pathlib import Path

from metaflow_demo.network import make_network
from metaflow_demo.processes import Processes
from metaflow_demo.stage import make_plan, start_customers, start_shop

HERE = Path(__file__).parent
CAPTURES = HERE.parent / "metaflow_demo" / "captures"


async def main() -> None:
    """Make the files anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processes = Processes(folder)
        log = HERE / "captures" / "calls.jsonl"
        log.unlink(missing_ok=True)
        log.parent.mkdir(exist_ok=True)
        CAPTURES.mkdir(exist_ok=True)
        try:
            network = await make_network(processes, 1.0)
            plan = make_plan(folder, network, 25, 250, log)
            for line in await start_shop(plan, folder, processes, network):
                print(line)
            for interface in ("lo", "wire"):
                await processes.start(
                    f"tcpdump-{interface}", "tcpdump", "-i", interface, "-s", "0", "-U", "-Z", "root", "-w",
                    str(folder / f"{interface}.pcap"), holder=network.shop,
                )  # fmt: skip
            await asyncio.sleep(3)
            await (await start_customers(folder, processes, network)).wait()
            await asyncio.sleep(2)
        finally:
            await processes.stop()
        for interface in ("lo", "wire"):
            data = (folder / f"{interface}.pcap").read_bytes()
            (CAPTURES / f"{interface}.pcap.gz").write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    asyncio.run(main())
