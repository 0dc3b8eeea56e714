"""Build every wheel, install them into an empty environment, and see that they work there: nothing of the tree is in reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).with_name("uv"))
SHOP = ROOT / "tests" / "captures" / "shop.pcap"


def run(*command: str, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def main() -> int:
    """0 when every plugin is loaded from its wheel and a capture is read with the native and the WebAssembly parsers."""
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
        print(f"{len(wheels)} wheels install and work: {len(plugins)} plugins loaded.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
