"""A Prometheus of this machine, started for a test and stopped by its process id."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path
from typing import Any

import cramjam

from metaflow_core.testing import free_port


def missing() -> str | None:
    """Why there is no Prometheus to compare with; None when there is one."""
    return (
        None if shutil.which("prometheus") else "the program 'prometheus' is not installed (apt-get install prometheus)"
    )


class Prometheus:
    """A running server.

    :param folder: where it keeps its data. :param config: text of its configuration file.
    """

    def __init__(self, folder: Path, config: str = "", *flags: str) -> None:
        self.port = free_port()
        file = folder / "prometheus.yml"
        file.write_text(config or "global: {evaluation_interval: 1m}\n")
        self._log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=10y",
                "--log.level=warn",
                *flags,
            ],
            stdout=self._log,
            stderr=self._log,
        )
        self.log = folder / "prometheus.log"
        self._wait()

    def _wait(self) -> None:
        for _ in range(300):
            try:
                if self.request("GET", "/-/ready")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"prometheus did not come up: {self.log.read_text()[-500:]}")

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The envelope that an endpoint of the API answers with."""
        form = urllib.parse.urlencode(parameters, doseq=True).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        found: dict[str, Any] = json.loads(self.request("POST", f"/api/v1/{path}", form, kind)[1])
        return found

    def write(self, series: list[tuple[dict[str, str], list[tuple[int, float]]]]) -> None:
        """Store samples by remote write 1.0."""
        from metaflow_dialect_promql.api.wire import messages

        # A WriteRequest and a QueryResult of remote read have the same layout.
        message = messages()["QueryResult"]()
        for labels, samples in series:
            row = message.timeseries.add()
            for name, value in sorted(labels.items()):
                row.labels.add(name=name, value=value)
            for at, value in samples:
                row.samples.add(timestamp=at, value=value)
        packed = bytes(cramjam.snappy.compress_raw(message.SerializeToString()))
        headers = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
        status, text = self.request("POST", "/api/v1/write", packed, headers)
        if status >= 300:
            raise RuntimeError(f"prometheus refused the samples: {status} {text!r}")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)
        self._log.close()
