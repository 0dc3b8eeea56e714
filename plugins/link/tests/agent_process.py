"""An agent that makes rows until it is killed: ``python agent_process.py DIR SERVER LOG FIRST LAST``.

Writes ``acknowledged ROWS`` when the server answers, ``sent N`` before a batch is handed to the forwarder and ``spooled N`` when that said it is safe. With FIRST = LAST it only sends
what its spool holds, and ends when that is nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from link_peers import Agent, batch

ROWS = 40


async def main(folder: Path, server: str, log: Path, first: int, last: int) -> None:
    agent = Agent(folder, server, segment_bytes=1 << 16, fsync="never")
    await agent.forwarder.start()
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for number in range(first, last):
        os.write(out, f"sent {number}\n".encode())
        await agent.forwarder.write(batch(number, rows=ROWS))
        os.write(out, f"spooled {number}\n".encode())
        await asyncio.sleep(0.01)
        if acknowledged := agent.counted("acknowledged"):
            os.write(out, f"acknowledged {acknowledged}\n".encode())
    await agent.empty(600)
    await agent.forwarder.stop()
    os.write(out, b"empty\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
