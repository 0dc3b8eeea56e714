"""Makes calls.pcap: the clients of OpenAI, Anthropic and Ollama ask a server of recorded answers over loopback, captured by tcpdump.

python make_captures.py  (as root; needs openai, anthropic and ollama)
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

import anthropic
import ollama
import openai

HERE = Path(__file__).parent
USAGE = {"prompt_tokens": 13, "completion_tokens": 7, "total_tokens": 20}
MODEL = "gpt-4o-mini-2024-07-18"


def chat(call: dict[str, Any]) -> Any:
    """Answers as OpenAI gives them."""
    common = {"id": "chatcmpl-1", "created": 1, "model": MODEL}
    if not call.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hello there."}, "finish_reason": "stop"}
        return {**common, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    chunks: list[Any] = [
        {
            **common,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}],
        }
        for word in ("Hel", "lo", " there", ".")
    ]
    chunks.append(
        {**common, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    )
    chunks.append({**common, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    return [f"data: {json.dumps(each)}\n\n" for each in chunks] + ["data: [DONE]\n\n"]


def claude(call: dict[str, Any]) -> Any:
    """Answers as Anthropic gives them."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-3-5-haiku-20241022",
        "content": [],
        "stop_reason": None,
    }
    if not call.get("stream"):
        text = [{"type": "text", "text": "Hello."}]
        return {
            **message,
            "content": text,
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 5},
        }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 6},
        },
        {"type": "message_stop"},
    ]
    if "overload" in json.dumps(call):
        events[3:] = [{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}]
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events]


def llama(call: dict[str, Any]) -> Any:
    """Answers as Ollama gives them."""
    common = {"model": "llama3.2", "created_at": "2026-11-28T08:00:00Z"}
    said = [{**common, "message": {"role": "assistant", "content": word}, "done": False} for word in ("Hel", "lo")]
    last = {
        **common,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 11,
        "eval_count": 2,
    }
    return [f"{json.dumps(each)}\n" for each in (*said, last)] if call.get("stream") else last


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if call["model"] == "nothing":
            error = {
                "message": "The model `nothing` does not exist",
                "type": "invalid_request_error",
                "param": None,
                "code": "model_not_found",
            }
            return self.whole(404, {"error": error})
        if self.path.endswith("/embeddings"):
            vector = {"object": "embedding", "index": 0, "embedding": [0.25] * 8}
            usage = {"prompt_tokens": 4, "total_tokens": 4}
            return self.whole(
                200, {"object": "list", "data": [vector], "model": "text-embedding-3-small", "usage": usage}
            )
        told = llama(call) if "/api/" in self.path else claude(call) if "messages" in self.path else chat(call)
        if isinstance(told, list):
            return self.stream(
                "application/x-ndjson" if "/api/" in self.path else "text/event-stream; charset=utf-8", told
            )
        return self.whole(200, told)

    def whole(self, code: int, told: Any) -> None:
        body = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, media_type: str, parts: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"{len(part):x}\r\n{part}\r\n".encode())
            time.sleep(0.01)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


def talk(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    said: Any = [{"role": "user", "content": "Say hello. " * 100}]
    gpt = openai.OpenAI(base_url=f"{base}/v1", api_key="test", max_retries=0)
    gpt.chat.completions.create(model="gpt-4o-mini", messages=said)
    for _ in gpt.chat.completions.create(
        model="gpt-4o-mini", messages=said, stream=True, stream_options={"include_usage": True}
    ):
        pass
    with contextlib.suppress(openai.NotFoundError):
        gpt.chat.completions.create(model="nothing", messages=said)
    gpt.embeddings.create(model="text-embedding-3-small", input="hello", encoding_format="float")
    gpt.close()
    other = anthropic.Anthropic(base_url=base, api_key="test", max_retries=0)
    other.messages.create(model="claude-3-5-haiku-latest", max_tokens=64, messages=said)
    for text in ("hello", "overload"):
        with contextlib.suppress(anthropic.APIStatusError):
            for _ in other.messages.create(
                model="claude-3-5-haiku-latest",
                max_tokens=64,
                messages=[{"role": "user", "content": text}],
                stream=True,
            ):
                pass
    other.close()
    local = ollama.Client(base)
    local.chat(model="llama3.2", messages=said)
    for _ in local.chat(model="llama3.2", messages=said, stream=True):
        pass


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
