"""Makes calls.pcap: the official client asks a server of recorded answers over loopback, captured by tcpdump (as root; needs elasticsearch).

python make_captures.py
"""

from __future__ import annotations

import contextlib
import http.server
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import elasticsearch

HERE = Path(__file__).parent
SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
FOUND = {
    "took": 5,
    "timed_out": False,
    "_shards": SHARDS,
    "hits": {"total": {"value": 1, "relation": "eq"}, "hits": []},
}
REASON = {"type": "index_not_found_exception", "reason": "no such index [nothing]", "index": "nothing"}
MAPPER = {"type": "document_parsing_exception", "reason": "failed to parse field [id] of type [long]"}
BULK = {
    "took": 9,
    "errors": True,
    "items": [
        {"index": {"_index": "orders", "_id": "1", "status": 201}},
        {"index": {"_index": "orders", "_id": "2", "status": 400, "error": MAPPER}},
    ],
}
WRITTEN = {
    "_index": "orders",
    "_id": "1",
    "_version": 1,
    "result": "created",
    "_shards": SHARDS,
    "_seq_no": 0,
    "_primary_term": 1,
}


def answer(path: str) -> tuple[int, Any]:
    """Answers as Elasticsearch 8 gives them."""
    if path.startswith("/nothing"):
        return 404, {"error": {"root_cause": [REASON], **REASON}, "status": 404}
    if path.endswith("_search"):
        return 200, FOUND
    if path.endswith("_bulk"):
        return 200, BULK
    if "_doc" in path:
        return 201, WRITTEN
    return 200, {"acknowledged": True}


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        code, told = answer(self.path.partition("?")[0])
        body = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - names of the standard library

    def log_message(self, format: str, *args: object) -> None:
        pass


def talk(port: int) -> None:
    client = elasticsearch.Elasticsearch(f"http://127.0.0.1:{port}", max_retries=0)
    client.info()
    client.indices.create(index="orders", mappings={"properties": {"id": {"type": "long"}}})
    client.index(index="logs-2026.11.28", id="1", document={"id": 1})
    client.search(index="orders", query={"match_all": {}})
    client.bulk(operations=[{"index": {"_index": "orders"}}, {"id": 1}, {"index": {"_index": "orders"}}, {"id": "x"}])
    with contextlib.suppress(elasticsearch.NotFoundError):
        client.search(index="nothing")
    client.cluster.health()
    client.cat.indices()
    client.indices.refresh(index="orders")
    client.indices.exists(index="orders")
    client.indices.get_mapping(index="orders")
    client.indices.delete(index="orders")
    client.close()


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    dump = subprocess.Popen(["tcpdump", "-q", "-i", "lo", "-U", "-w", str(HERE / "calls.pcap"), f"tcp port {port}"])
    time.sleep(2)
    talk(port)
    time.sleep(2)
    dump.terminate()
    dump.wait()


if __name__ == "__main__":
    main()
