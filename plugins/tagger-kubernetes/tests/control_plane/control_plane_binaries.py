"""``python control_plane_binaries.py``: builds kube-apiserver, kube-controller-manager and etcd from their Go modules, once, outside this tree.

Needs ``go`` (the module says which version; a newer one does), about 4 GB of disk for modules and the compiler's cache, and some minutes. The
programs stay in the folder that ``METAFLOW_CONTROL_PLANE`` names, else ``~/.cache/metaflow-control-plane``; tests use them when they
are there. Go's checksum database vouches for what is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

KUBERNETES = "1.34.2"
PROGRAMS = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "etcd": "go.etcd.io/etcd/server/v3",
}


def folder() -> Path:
    """Where the programs are, or will be."""
    told = os.environ.get("METAFLOW_CONTROL_PLANE")
    return Path(told) if told else Path.home() / ".cache" / "metaflow-control-plane"


def missing() -> str:
    """Why there is no control plane, and what makes one; empty when there is one."""
    lacking = [name for name in PROGRAMS if not (folder() / name).is_file()]
    if not lacking:
        return ""
    return f"{', '.join(lacking)} not in {folder()}; build them once with: python {Path(__file__)}"


def main() -> int:
    """Exit code."""
    go = shutil.which("go")
    if go is None:
        print("no Go compiler in PATH: install Debian's golang, or Go of go.dev", file=sys.stderr)
        return 1
    source = folder() / "source"
    source.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [go, *arguments], cwd=source, env=environment, stdout=subprocess.PIPE, check=True, text=True
        )
        return done.stdout

    (source / "go.mod").write_text("module metaflow.test/controlplane\n\ngo 1.24.0\n", encoding="utf-8")
    module = json.loads(run("mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}"))
    # Kubernetes keeps its libraries in its own tree, which a module does not bring along; they are published beside it.
    text = Path(module["GoMod"]).read_text(encoding="utf-8")
    own = re.findall(r"^\s*(k8s\.io/\S+) => \./staging/", text, re.MULTILINE)
    version = f"v0.{KUBERNETES.partition('.')[2]}"
    (source / "go.mod").write_text(
        f"module metaflow.test/controlplane\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v{KUBERNETES}\n\nreplace (\n"
        + "".join(f"\t{name} => {name} {version}\n" for name in own)
        + ")\n",
        encoding="utf-8",
    )
    stamp = " ".join(
        f"-X k8s.io/component-base/version.{name}={value}"
        for name, value in (
            ("gitVersion", f"v{KUBERNETES}"),
            ("gitMajor", KUBERNETES.split(".", maxsplit=1)[0]),
            ("gitMinor", KUBERNETES.split(".")[1]),
        )
    )
    os.nice(10)
    for name, package in PROGRAMS.items():
        print(f"building {name}", flush=True)
        target = folder() / f"{name}.new"
        run("build", "-trimpath", "-ldflags", f"-s -w {stamp}", "-o", str(target), package)
        target.replace(folder() / name)
    print(f"built in {folder()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
