"""Run the images as a careful operator would, and see that they work: ``script/container --try``.

Read-only root, every capability dropped but the one that is asked for, no network but a loopback of their own: a server that captures
nothing as its own user, an agent beside it with ``NET_RAW`` alone, a shop that serves requests between them, and ``mflow up`` alone.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

IMAGES = Path(os.environ.get("METAFLOW_IMAGES", Path.home() / ".cache" / "metaflow-images"))
PODMAN = (
    "podman", "--root", str(IMAGES / "storage"), "--runroot", str(IMAGES / "run"), "--cgroup-manager", "cgroupfs",
    "--events-backend", "file", "--runtime", "runc",
)  # fmt: skip
# podman's own defaults are more than a machine may allow
LIMITS = (f"--ulimit=nofile={resource.getrlimit(resource.RLIMIT_NOFILE)[1]}", "--ulimit=nproc=4096")
ALL, AGENT = "localhost/metaflow", "localhost/metaflow-agent"
LEAST = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", *LIMITS)  # fmt: skip  # noqa: S108
# a shop in the container's own network: 30 requests, every tenth fails
SHOP = """
import http.server, threading, urllib.error, urllib.request
class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(500 if self.path.endswith("0") else 200)
        self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Shop)
threading.Thread(target=server.serve_forever, daemon=True).start()
for number in range(30):
    try: urllib.request.urlopen(f"http://127.0.0.1:8000/order/{number}").read()
    except urllib.error.HTTPError: pass
"""
ASKED = (
    "SELECT request_resource, response_status, Count(row) AS n FROM l7_flow_log "
    "WHERE server_port = 8000 GROUP BY request_resource, response_status"
)


class TryError(Exception):
    """What did not work."""


def podman(*arguments: str, fails: bool = False, seconds: float = 300) -> str:
    """Standard output of a command; with ``fails`` also of one that fails."""
    done = subprocess.run(
        [*PODMAN, *arguments], capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL
    )
    if done.returncode and not fails:
        raise TryError(f"podman {' '.join(arguments)}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


@contextmanager
def running(image: str, *command: str, options: tuple[str, ...] = ()) -> Iterator[str]:
    """A container, by its id; stopped in order and removed."""
    name = podman("run", "-d", *LEAST, *options, image, *command).strip()
    try:
        yield name
    except TryError as error:
        raise TryError(f"{error}\n{logs(name)}") from None
    finally:
        podman("stop", "--time", "60", name, fails=True)
        podman("rm", "-f", "-v", name, fails=True)


def logs(name: str) -> str:
    """The last lines that a container wrote."""
    done = subprocess.run([*PODMAN, "logs", "--tail", "40", name], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def until(found: Any, what: str, seconds: float = 180) -> Any:
    """What a function returns, as soon as it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := found():
                return value
        except TryError:
            pass
        time.sleep(0.5)
    raise TryError(f"{what} did not come in {seconds:g} s")


def rows(name: str) -> list[dict[str, Any]]:
    """What the instance in a container answers about the shop, asked inside it."""
    text = podman("exec", name, "mflow", "query", ASKED, "--format", "jsonl")
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    return found


def shop_is_seen(name: str) -> list[dict[str, Any]]:
    """All 30 requests of the shop, once each."""
    found = rows(name)
    return found if sum(int(row["n"]) for row in found) >= 30 else []


def judge(found: list[dict[str, Any]]) -> str:
    """A sentence, when the rows are those of the shop."""
    total = sum(int(row["n"]) for row in found)
    failed = sum(int(row["n"]) for row in found if row["response_status"] == "server_error")
    if (total, failed) != (30, 3):
        raise TryError(f"30 requests with 3 failures were made; the answer is {found}")
    return f"{total} requests, {failed} of them failed, as the shop made them"


def told(image: str) -> str:
    """Size and what the image promises; a compiler or an installer in it is a mistake."""
    about = json.loads(podman("image", "inspect", image))[0]
    size = about["Size"] / 1e6
    shell = "for each in gcc cc cargo rustc npm node pip uv mmdebstrap; do command -v $each; done; true"
    tools = podman("run", "--rm", *LEAST, "--network", "none", "--entrypoint", "sh", image, "-c", shell).split()
    if tools:
        raise TryError(f"{image} holds {', '.join(tools)}")
    return f"{size:.0f} MB, user {about['Config'].get('User') or 'root'}, no compiler and no installer in it"


def with_server_and_agent() -> str:
    """The server takes, as its own user and without any capability, what an agent with ``NET_RAW`` alone sends."""
    with running(ALL, options=("--network", "none")) as server:
        until(lambda: podman("healthcheck", "run", server, fails=False) or True, "the server's health check")
        who = podman("exec", server, "python3", "-c", "print(__import__('os').getuid())").strip()
        beside = ("--network", f"container:{server}", "--cap-add", "NET_RAW", "--user", "0")
        command = ("agent", "--server", "127.0.0.1:20133", "--data", "/var/lib/metaflow-agent", "--capture", "packets")
        with running(AGENT, *command, "--interface", "lo", "--only-port", "8000", options=beside) as agent:
            until(lambda: "is up." in logs(agent), "the agent")
            podman("exec", server, "python3", "-c", SHOP)
            found = until(lambda: shop_is_seen(server), "the agent's rows")
        return f"server as user {who} is healthy; through the agent it has {judge(found)}"


def alone() -> str:
    """``mflow up`` with ``NET_RAW`` alone."""
    # a volume of root's own: this root has no right to write into the server's
    options = ("--network", "none", "--cap-add", "NET_RAW", "--user", "0", "--volume", "/data")
    command = ("up", "--data", "/data", "--interface", "lo", "--only-port", "8000", "--capture", "packets")
    with running(ALL, *command, options=options) as name:
        until(lambda: podman("healthcheck", "run", name) or True, "the health check")
        podman("exec", name, "python3", "-c", SHOP)
        found = until(lambda: shop_is_seen(name), "the rows")
        page = podman("exec", name, "python3", "-c", PAGE).strip()
        if "<title>" not in page:
            raise TryError(f"the page is {page[:200]!r}")
        capabilities = podman("exec", name, "grep", "CapEff", "/proc/1/status").split()[1]
        return f"{judge(found)}; the pages are served; effective capabilities {capabilities}"


PAGE = "print(__import__('urllib.request').request.urlopen('http://127.0.0.1:8088/').read().decode())"


def doctor(image: str) -> str:
    """Every plugin loads, and what the doctor finds amiss is said."""
    inside = ("--network", "none")
    listed = json.loads(podman("run", "--rm", *LEAST, *inside, image, "plugins", "list", "--json"))
    broken = [f"{item['name']}: {item['reason']}" for item in listed if item["state"] != "loaded"]
    if broken:
        raise TryError(f"plugins that do not load in {image}: {'; '.join(broken)}")
    findings = json.loads(podman("run", "--rm", *LEAST, *inside, image, "doctor", "--json", fails=True))
    return f"{len(listed)} plugins load; mflow doctor: {findings_told(findings)}"


def findings_told(findings: dict[str, Any]) -> str:
    """What the doctor found amiss."""
    amiss = [item for item in findings["findings"] if item["state"] == "problem"]
    return "; ".join(f"{item['subject']}: {item['said']}" for item in amiss) or "no problem"


def main() -> int:
    """Exit code; a line for each thing that was tried."""
    steps = (
        (ALL, told), (AGENT, told), (ALL, doctor), (AGENT, doctor),
        ("server and agent", lambda _: with_server_and_agent()), ("mflow up", lambda _: alone()),
    )  # fmt: skip
    for what, step in steps:
        try:
            print(f"{what}: {step(what)}", flush=True)
        except TryError as error:
            print(f"{what}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
