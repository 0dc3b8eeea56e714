"""One of all agents of a cluster is elected, by a lease of the API (coordination.k8s.io/v1, as client-go's leaderelection does it)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metaflow_tagger_kubernetes.access import Absent, Access, Conflict, Failed, Forbidden
from metaflow_tagger_kubernetes.config import KubernetesConfig

__all__ = ["Election"]

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_PATH = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"


class Election(threading.Thread):
    """Tries to be the one, and stays it as long as it can say so in time.

    Whether another one's lease has run out is told by this machine's clock alone: it has when the lease did not change for its whole
    length. So clocks may differ by any amount.

    :param who: tells this agent from all others. :param became: called with the number of the reign when this agent is elected.
    :param ceased: called when it is not any more: before another one can be.
    :ivar problem: why it cannot take part; empty when it can.
    """

    def __init__(
        self,
        access: Access,
        config: KubernetesConfig,
        who: str,
        became: Callable[[int], None],
        ceased: Callable[[], None],
    ) -> None:
        super().__init__(name="kubernetes election", daemon=True)
        self._access = access
        self._config = config
        self._who = who
        self._became = became
        self._ceased = ceased
        namespace = config.lease_namespace or _own_namespace()
        self._path = _PATH.format(namespace)
        self._stopping = threading.Event()
        self._seen: tuple[Any, float] = (None, 0.0)
        self._renewed = 0.0
        self._lease: dict[str, Any] = {}
        self.problem = ""
        self.is_elected = False
        self.leader = ""

    def run(self) -> None:
        """Take part until told to stop."""
        while not self._stopping.is_set():
            try:
                self._renew() if self.is_elected else self._try()
                self.problem = ""
            except Conflict:
                # somebody else wrote it: look again, at once if it was ours
                if self.is_elected:
                    self._cease()
            except Failed as error:
                self.problem = self._sentence(error)
            if self.is_elected and time.monotonic() - self._renewed > self._config.lease_s * 2 / 3:
                # before the others may think so
                self._cease()
            self._stopping.wait(self._config.lease_s / (5 if self.is_elected else 4))

    def end(self) -> None:
        """Stop taking part; give the lease back, so that another one need not wait."""
        self._stopping.set()
        if self.ident is not None and threading.current_thread() is not self:
            self.join(timeout=self._config.lease_s)
        if not self.is_elected:
            return
        self._cease()
        try:
            self._write({**self._spec(), "holderIdentity": "", "leaseDurationSeconds": 1})
        except Failed:
            # it runs out by itself
            return

    def _cease(self) -> None:
        self.is_elected = False
        self._seen = None, 0.0
        self._ceased()

    def _try(self) -> None:
        """Take the lease if it is free."""
        try:
            self._lease = self._access.read(f"{self._path}/{self._config.lease}")
        except Absent:
            self._create()
            return
        spec = self._spec()
        holder = str(spec.get("holderIdentity") or "")
        self.leader = holder
        state = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        now = time.monotonic()
        if self._seen[0] != state:
            self._seen = state, now
        length = _number(spec.get("leaseDurationSeconds"), self._config.lease_s)
        if holder and holder != self._who and now - self._seen[1] < length:
            return
        transitions = int(_number(spec.get("leaseTransitions"), 0)) + 1
        began = time.monotonic()
        self._write(self._held(transitions))
        self._elected(transitions, began)

    def _create(self) -> None:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._config.lease},
            "spec": self._held(1),
        }
        began = time.monotonic()
        self._lease = self._access.write("POST", self._path, body)
        self._elected(1, began)

    def _elected(self, reign: int, began: float) -> None:
        self._renewed = began
        self.is_elected, self.leader = True, self._who
        self._became(reign)

    def _renew(self) -> None:
        began = time.monotonic()
        self._write({**self._spec(), "renewTime": _now()})
        self._renewed = began

    def _held(self, transitions: int) -> dict[str, Any]:
        now = _now()
        return {
            "holderIdentity": self._who,
            "leaseDurationSeconds": max(1, round(self._config.lease_s)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _spec(self) -> dict[str, Any]:
        spec = self._lease.get("spec")
        return spec if isinstance(spec, dict) else {}

    def _write(self, spec: dict[str, Any]) -> None:
        """:raises Conflict: the lease is not as it was read."""
        self._lease = self._access.write("PUT", f"{self._path}/{self._config.lease}", {**self._lease, "spec": spec})

    def _sentence(self, error: Failed) -> str:
        if isinstance(error, Forbidden):
            return (
                "may not get, create and update leases of the API group 'coordination.k8s.io'; give the service account these verbs "
                f"({error})"
            )
        return f"the lease cannot be asked for: {error}"


def _own_namespace() -> str:
    try:
        return _NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else otherwise
