"""Units, chart and container file: held against the tools that will read them, as far as these are here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))
CHART = PACKAGING / "kubernetes" / "metaflow"
LISTED = {"nodes", "namespaces", "pods", "services", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "endpointslices", "ingresses"}  # fmt: skip
CHOICES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "ebpf": {
        "agent": {"ebpf": True, "ebpfTls": True, "filter": "not port 22", "priorityClassName": "system-node-critical"}
    },
    "least": {"agent": {"enabled": False}, "server": {"kubernetesTags": False}, "networkPolicy": {"enabled": False}},
    "server elsewhere": {
        "agent": {"kubernetesTags": True, "server": "metaflow.example:20133", "clusterName": "east"},
        "server": {"kubernetesTags": False},
    },
    "own token": {
        "tokenSecret": "mine",
        "imagePullSecrets": [{"name": "registry"}],
        "server": {"clusterName": "east", "storage": {"className": "fast"}, "tolerations": [{"operator": "Exists"}]},
        "networkPolicy": {"httpFrom": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]},
    },
}


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_are_understood_and_hold_little(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is missing; run: apt-get install systemd")
    # the program need not be installed where the unit is checked
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/usr/bin/mflow", "/bin/true"))
    verified = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=60)
    assert (verified.returncode, verified.stderr.replace(unit.name, "").strip()) == (0, "")
    text = unit.read_text()
    held = re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)
    assert held == ([""] if "server" in unit.name else ["CAP_NET_RAW"])
    assert "DynamicUser=yes" in text
    options = re.findall(r"ExecStart=/usr/bin/mflow (\w+) (.*)", text)
    command, arguments = options[0]
    told = subprocess.run(
        [sys.executable, "-m", "metaflow_core", command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if told.returncode:
        pytest.skip(f"mflow {command} is not installed")
    for option in re.findall(r"--[a-z-]+", arguments):
        assert option in told.stdout, f"mflow {command} has no {option}"


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    helm = pytest.importorskip(
        "helm_python", reason="helm-python-sdk is not installed; run: pip install helm-python-sdk"
    )
    with helm.Chart.load(CHART) as chart:
        output = chart.render(values=values, name="demo", namespace="watch")
    texts = output.values() if isinstance(output, dict) else [output]
    documents = [each for text in texts if "kind:" in str(text) for each in yaml.safe_load_all(str(text))]
    return [each for each in documents if each]


def test_the_chart_passes_helms_lint() -> None:
    helm = pytest.importorskip(
        "helm_python", reason="helm-python-sdk is not installed; run: pip install helm-python-sdk"
    )
    found = helm.lint(CHART)
    said = str(found)
    assert "[ERROR]" not in said.upper() or "'errors': []" in said, said


@pytest.mark.parametrize("name", CHOICES)
def test_manifests_are_what_kubernetes_takes(name: str) -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="kubernetes-validate is not installed; run: pip install kubernetes-validate"
    )
    documents = rendered(CHOICES[name])
    kinds = {each["kind"] for each in documents}
    assert {"StatefulSet", "Service", "ConfigMap"} <= kinds
    for version in ("1.25", validate.latest_version()):
        for document in documents:
            validate.validate(document, version, strict=True)


def test_rights_are_the_least() -> None:
    documents = rendered({})
    by_kind = {each["kind"]: each for each in documents}
    rules = by_kind["ClusterRole"]["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}
    assert {resource for rule in rules for resource in rule["resources"]} == LISTED
    agent = by_kind["DaemonSet"]["spec"]["template"]["spec"]
    security = agent["containers"][0]["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert (security["privileged"], security["readOnlyRootFilesystem"], agent["hostPID"]) == (False, True, False)
    assert agent["automountServiceAccountToken"] is False
    server = by_kind["StatefulSet"]["spec"]["template"]["spec"]
    assert server["securityContext"]["runAsNonRoot"] is True
    assert server["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    policy = by_kind["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert "ClusterRole" not in {each["kind"] for each in rendered(CHOICES["least"])}


@pytest.mark.parametrize("name", ["defaults", "least", "own token"])
def test_the_servers_configuration_is_one(name: str, tmp_path: Path) -> None:
    config = next(each for each in rendered(CHOICES[name]) if each["kind"] == "ConfigMap")["data"]["metaflow.yaml"]
    token = tmp_path / "token"
    token.write_text("geheim\n")
    file = tmp_path / "metaflow.yaml"
    file.write_text(config.replace("/etc/metaflow-token/token", str(token)).replace("/var/lib/metaflow", str(tmp_path)))
    command = [sys.executable, "-m", "metaflow_core", "validate", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    # outside a cluster the tagger finds none, which is all that may be wrong
    lines = [line for line in (result.stdout + result.stderr).splitlines() if "taggers.kubernetes" not in line]
    assert result.returncode == 0 or all("mistake" in line for line in lines), result.stdout + result.stderr


def test_the_agents_options_exist() -> None:
    agent = next(each for each in rendered(CHOICES["ebpf"]) if each["kind"] == "DaemonSet")
    arguments = agent["spec"]["template"]["spec"]["containers"][0]["args"]
    told = subprocess.run(
        [sys.executable, "-m", "metaflow_core", arguments[0], "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if told.returncode:
        pytest.skip("mflow agent is not installed")
    for argument in arguments[1:]:
        assert argument.partition("=")[0] in told.stdout


def test_the_container_file_says_what_it_must() -> None:
    text = (PACKAGING / "Containerfile").read_text()
    stages = re.findall(r"^FROM (\S+) AS ([\w-]+)$", text, re.MULTILINE)
    # what is shipped stands on the bare base; what builds does not go with it
    assert [name for base, name in stages if base == "${PYTHON}"] == ["build", "agent", "run"]
    last = text[text.rindex("FROM ") :]
    assert re.search(r"^USER \d{3,}$", last, re.MULTILINE), "the image runs as root"
    assert {"ENTRYPOINT", "HEALTHCHECK"} <= {line.split()[0] for line in last.splitlines() if line.strip()}
    assert not re.search(r"https?://(?!127\.0\.0\.1)", text), "a registry's host stands in it"
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    assert {".git", ".venv", "target", "**/*.so", "**/*.wasm"} <= set(ignored)


def test_an_environment_loses_only_what_nobody_reads(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    kept = [
        "pyarrow/libarrow.so.2600", "pyarrow/compute.py", "numpy/_core/tests/_natype.py", "metaflow_x/tests/peer.py",
        "metaflow_x/objects/collector.bpf.c", "tests_of_something.py",
    ]  # fmt: skip
    gone = ["pyarrow/include/arrow/api.h", "pyarrow/libarrow_flight.so.2600", "pyarrow/tests/test_x.py", "pandas/a.pyx"]
    for name in [*kept, *gone]:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_text("")
    # the environment's own Python says that what is left loads
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(shutil.which("true") or "/bin/true")
    command = [sys.executable, str(PACKAGING / "slim.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [name for name in kept if not (packages / name).exists()] == []
    assert [name for name in gone if (packages / name).exists()] == []
    assert list((packages / "pyarrow" / "__pycache__").glob("compute.*.pyc"))


def test_images_are_built_and_work_where_they_were_built() -> None:
    """``script/container --build`` takes a quarter of an hour, so that it is run by hand; what it built is tried here."""
    script = ROOT / "script" / "container"
    subprocess.run(["bash", "-n", str(script)], check=True)
    images = os.environ.get("METAFLOW_IMAGES", "")
    if not images or not (Path(images) / "built").is_file():
        pytest.skip("METAFLOW_IMAGES names no folder with images; build them with: script/container --build")
    done = subprocess.run([str(script), "--try"], capture_output=True, text=True, check=False, timeout=900)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_drop_in_for_kernel_events_adds_what_the_collector_wants() -> None:
    probe = pytest.importorskip(
        "metaflow_collector_ebpf.probe", reason="metaflow-collector-ebpf is not installed; run: script/bootstrap"
    )
    text = (PACKAGING / "systemd" / "ebpf.conf").read_text()
    held = set(re.findall(r"CAP_\w+", re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)[0]))
    # of these alone the collector misses only what the inside of TLS needs
    numbers = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
    status = f"CapEff:\t{sum(1 << numbers[name] for name in held):016x}\n"
    assert probe.missing_capabilities(status) == ["CAP_SYS_ADMIN"]
    agent = next(each for each in rendered(CHOICES["ebpf"]) if each["kind"] == "DaemonSet")
    security = agent["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    added = {f"CAP_{name}" for name in security["capabilities"]["add"]}
    assert added == held | {"CAP_NET_RAW", "CAP_SYS_ADMIN"}
    assert {"bpf", "perf_event_open"} <= set(re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)[0].split())
