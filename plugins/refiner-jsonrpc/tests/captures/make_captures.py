"""Makes calls.pcap: a JSON-RPC and GraphQL server of Python's standard library, asked over loopback, captured by tcpdump (as root).

python make_captures.py
"""

from __future__ import annotations

import http.client
import http.server
import json
import subprocess
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(graphql(call) if self.path == "/graphql" else rpc(call)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if "chunked" in self.headers.get("X-Answer", ""):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def rpc(call: object) -> object:
    if isinstance(call, list):
        return [rpc(each) for each in call]
    assert isinstance(call, dict)
    if call["method"] == "nope":
        return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "Method not found"}}
    if call["method"] == "break":
        return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32000, "message": "Disk full"}}
    if call.get("params", {}).get("name") == "bad_tool":
        failed = {"isError": True, "content": [{"type": "text", "text": "no such city"}]}
        return {"jsonrpc": "2.0", "id": call["id"], "result": failed}
    return {"jsonrpc": "2.0", "id": call["id"], "result": 19}


def graphql(call: dict[str, object]) -> object:
    if "Broken" in str(call["query"]):
        error = {"message": "the database is away", "path": ["user"], "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
        return {"data": None, "errors": [error]}
    if "Wrong" in str(call["query"]):
        return {"errors": [{"message": "Cannot query field", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}
    return {"data": {"user": {"name": "Ann"}}}


CALLS: list[tuple[str, object]] = [
    ("/rpc", {"jsonrpc": "2.0", "method": "subtract", "params": {"a": 42}, "id": 1}),
    ("/rpc", {"jsonrpc": "2.0", "method": "nope", "id": 2}),
    ("/rpc", {"jsonrpc": "2.0", "method": "break", "id": 3}),
    ("/rpc", [{"jsonrpc": "2.0", "method": "subtract", "id": 4}, {"jsonrpc": "2.0", "method": "add", "id": 5}]),
    ("/mcp", {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "get_weather", "arguments": {}}, "id": 6}),
    ("/mcp", {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "bad_tool", "arguments": {}}, "id": 7}),
    ("/graphql", {"query": "query GetUser($id: ID!) { user(id: $id) { name } }", "variables": {"id": 1}}),
    ("/graphql", {"query": "{ user(id: 2) { name } }"}),
    ("/graphql", {"operationName": "Broken", "query": "query Other { x } mutation Broken { pay { id } }"}),
    ("/graphql", {"query": "query Wrong { nothing }"}),
    ("/rpc", {"jsonrpc": "2.0", "method": "long", "params": {"text": "x" * 9000}, "id": 8}),
]


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = HERE / "calls.pcap"
    dump = subprocess.Popen(["tcpdump", "-q", "-i", "lo", "-U", "-w", str(file), f"tcp port {port}"])
    time.sleep(2)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number, (path, call) in enumerate(CALLS):
        headers = {"Content-Type": "application/json", "X-Answer": "chunked" if number % 2 else ""}
        connection.request("POST", path, json.dumps(call), headers)
        connection.getresponse().read()
    connection.close()
    time.sleep(2)
    dump.terminate()
    dump.wait()


if __name__ == "__main__":
    main()
