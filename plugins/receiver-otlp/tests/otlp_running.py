"""A receiver that runs, and what it handed on."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from typing import Any

from metaflow_receiver_otlp.collector import OtlpReceiver
from metaflow_receiver_otlp.config import OtlpConfig

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.errors import StorageError
from metaflow_core.model.catalog.conform import conform
from metaflow_core.testing import build_context

__all__ = ["Running", "running_receiver"]


class Running:
    def __init__(self, receiver: OtlpReceiver) -> None:
        self.receiver = receiver
        self.batches: list[RecordBatch] = []
        self.fail = False

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        def send() -> tuple[int, str, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", self.receiver.http_port, timeout=20)
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            found = answer.status, answer.getheader("content-type", ""), answer.read()
            connection.close()
            return found

        return await asyncio.to_thread(send)

    def rows(self, table: str) -> list[dict[str, Any]]:
        context = build_context(Kind.COLLECTOR)
        found: list[dict[str, Any]] = []
        for batch in self.batches:
            if batch.table == table:
                # What the catalogue does not know would be refused here.
                found += conform(batch.data, context.catalog.table(table)).to_pylist()
        return found


async def running_receiver(**options: Any) -> AsyncIterator[Running]:
    config = OtlpConfig(grpc_port=0, http_port=0, **options)
    receiver = OtlpReceiver(build_context(Kind.COLLECTOR, "otlp"), config)
    found = Running(receiver)

    async def emit(item: Any) -> None:
        if found.fail:
            raise StorageError("the disk is full")
        found.batches.append(item)

    await receiver.start()
    task = asyncio.create_task(receiver.run(emit))
    await asyncio.sleep(0.2)
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])
        await receiver.stop()
