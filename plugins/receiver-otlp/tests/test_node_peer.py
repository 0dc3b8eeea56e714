"""OpenTelemetry's SDK for Node sends to the receiver: another implementation of every message, in JSON, protobuf and gzip."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from otlp_running import Running, running_receiver

PEERS = Path(__file__).parent / "peers"


def _why_not() -> str:
    if shutil.which("node") is None:
        return "node (Node.js) is not installed"
    if not (PEERS / "node_modules" / "@opentelemetry" / "sdk-trace-node").is_dir():
        return f"npm install was not run in {PEERS}"
    return ""


pytestmark = [pytest.mark.peer, pytest.mark.skipif(bool(_why_not()), reason=_why_not())]


async def _sent(running: Running, form: str, compression: str) -> str:
    """The id of the trace that the program made."""
    url = f"http://127.0.0.1:{running.receiver.http_port}"
    words = ["node", "send.js", url, form, compression]
    run = await asyncio.to_thread(
        subprocess.run, words, cwd=PEERS, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize(("form", "compression"), [("json", "gzip"), ("protobuf", "none"), ("json", "none")])
async def test_a_node_program(form: str, compression: str) -> None:
    async for running in running_receiver():
        trace = await _sent(running, form, compression)
        served, asked = sorted(
            running.rows("flow_log.l7_flow_log"), key=lambda row: str(row["observation_point"]), reverse=True
        )
        assert (served["observation_point"], asked["observation_point"]) == ("s-app", "c-app")
        assert served["trace_id"] == asked["trace_id"] == trace
        assert asked["parent_span_id"] == served["span_id"]
        assert (served["app_service"], served["app_instance"]) == ("kiosk", "kiosk-1")
        assert (served["request_type"], served["request_resource"]) == ("GET", "/kiosk/7")
        assert (served["response_code"], served["response_exception"]) == (500, "out of stock")
        assert json.loads(asked["events"])[0]["name"] == "retry"
        samples = running.rows("prometheus.samples")
        named = {row["metric_name"]: row for row in samples}
        assert named["sold_total"]["value"] == 3.0
        for name in ("narrow_seconds", "wide_seconds"):
            assert named[f"{name}_count"]["value"] == 4.0
            assert named[f"{name}_sum"]["value"] == pytest.approx(70_043.2)
            buckets = [
                (dict(zip(row["label_names"], row["label_values"], strict=True))["le"], row["value"])
                for row in samples
                if row["metric_name"] == f"{name}_bucket"
            ]
            counts = [count for _, count in sorted(buckets, key=lambda each: float(each[0]))]
            assert counts == sorted(counts)
            assert counts[-1] == 4.0
        # base-2 buckets: every value lies below a bound that is at most a little larger
        wide = sorted(float(bound) for bound, _ in buckets if bound != "+Inf")
        for value in (0.2, 3, 40, 70_000):
            assert any(value <= bound <= value * 1.1 for bound in wide)
        (line,) = running.rows("application_log.log")
        assert json.loads(line["body"]) == {"what": "paper", "left": 0}
        assert (line["severity_number"], line["app_service"]) == (3, "kiosk")
