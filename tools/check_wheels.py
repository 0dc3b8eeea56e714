"""Build every wheel, install them into an empty environment, and see that they work there: nothing of the tree is in reach."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).with_name("uv"))
SHOP = ROOT / "tests" / "captures" / "shop.pcap"
REQUESTS = 136


def run(*command: str, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def up(mflow: str, folder: Path) -> str:
    """``mflow up`` stores the capture, answers in SQL and serves the pages of their wheel."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [mflow, "up", "--pcap", str(SHOP), "--no-receive", "--data", str(folder / "data"), "--port", str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        count = 0
        end = time.monotonic() + 180
        while count != REQUESTS and time.monotonic() < end and process.poll() is None:
            time.sleep(0.5)
            ask = [mflow, "query", "--url", url, "--format", "jsonl", "SELECT Count(row) AS n FROM l7_flow_log"]
            answer = subprocess.run(ask, cwd=folder, capture_output=True, text=True, check=False)
            count = int(json.loads(answer.stdout)["n"]) if answer.returncode == 0 else 0
        if count == REQUESTS:
            with urllib.request.urlopen(f"{url}/", timeout=30) as served:  # noqa: S310 - loopback
                page = served.read().decode()
            if "<title>MetaFlow" not in page:
                raise SystemExit(f"The wheel of the pages serves {page[:200]!r}; build them with plugins/web/build.sh.")
            return f"mflow up stored {count} requests and serves its pages"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=90)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            said = process.communicate()[0]
    raise SystemExit(f"mflow up from wheels stored {count} requests of {REQUESTS}:\n{said}")


def main() -> int:
    """0 when every plugin is loaded from its wheel, a capture is read with the native and the WebAssembly parsers, and ``mflow up`` works."""
    with tempfile.TemporaryDirectory(prefix="metaflow-wheels-") as name:
        folder = Path(name)
        print(run("bash", str(ROOT / "script" / "build"), str(folder / "dist"), cwd=ROOT).strip())
        python = folder / "env" / "bin" / "python"
        run(UV, "venv", "-q", "--python", sys.executable, str(folder / "env"), cwd=folder)
        wheels = sorted(str(path) for path in (folder / "dist").glob("*.whl"))
        run(
            UV,
            "pip",
            "install",
            "-q",
            "--python",
            str(python),
            "-c",
            str(ROOT / "constraints.txt"),
            *wheels,
            cwd=folder,
        )
        mflow = str(python.with_name("mflow"))
        plugins = json.loads(run(mflow, "plugins", "list", "--json", cwd=folder))
        broken = [f"{item['name']}: {item['reason']}" for item in plugins if item["state"] != "loaded"]
        if broken:
            raise SystemExit("Plugins that do not load from their wheels: " + "; ".join(broken))
        for options in ([], ["--set", "parsers.http.runtime=wasm"]):
            summary = json.loads(run(mflow, "read", str(SHOP), "--json", *options, cwd=folder))
            counts = {(item["port"], item["protocol"]): item["requests"] for item in summary["services"]}
            if counts.get((18080, "HTTP")) != 24:
                raise SystemExit(
                    f"Read from wheels with {options}, the capture has {counts}; 24 HTTP requests at 18080 are right."
                )
        said = up(mflow, folder)
        print(f"{len(wheels)} wheels install and work: {len(plugins)} plugins loaded; {said}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
