"""One of several agents watches the cluster; another one takes over when it is silent or goes."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.tagger import KubernetesTagger

from metaflow_core.api import Kind, SystemClock
from metaflow_core.testing import build_context

_SPEC = importlib.util.spec_from_file_location("api_double", Path(__file__).with_name("api_double.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

PODS = "/api/v1/pods"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/metaflow-tagger"


@pytest.fixture
def api() -> Iterator[Any]:
    double = _MODULE.ApiDouble()
    double.put(
        PODS,
        {
            "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
            "spec": {"nodeName": "n"},
            "status": {"podIP": "10.1.0.5", "startTime": "2026-01-01T00:00:00Z", "phase": "Running"},
        },
    )
    yield double
    double.stop()


class Agents:
    """Taggers of several machines."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._kubeconfig = kubeconfig
        self._folder = folder
        self.all: list[KubernetesTagger] = []
        self.reports: list[tuple[str, str]] = []

    async def add(self) -> KubernetesTagger:
        folder = self._folder / str(len(self.all))
        context = build_context(Kind.TAGGER, "kubernetes", clock=SystemClock(), data_dir=folder, reports=self.reports)
        config = KubernetesConfig(kubeconfig=self._kubeconfig, settle_s=0.05, elect=True, lease_s=3)
        made = KubernetesTagger(context, config)
        await made.start()
        self.all.append(made)
        return made

    def speaking(self) -> list[KubernetesTagger]:
        return [each for each in self.all if each.report().entries is not None]


@pytest.fixture
async def agents(api: Any, tmp_path: Path) -> AsyncIterator[Agents]:
    made = Agents(api.kubeconfig(tmp_path), tmp_path)
    yield made
    for each in made.all:
        await each.stop()


async def until(true: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{what} did not happen")


async def test_one_speaks_and_the_others_stand_by(agents: Agents, api: Any) -> None:
    for _ in range(3):
        await agents.add()
    await until(lambda: len(agents.speaking()) == 1, "an election")
    (leader,) = agents.speaking()
    said = leader.report()
    assert said.scope == "kubernetes/shop"
    assert [each.name for each in said.entries or ()] == ["web"]
    others = [each for each in agents.all if each is not leader]
    assert all(each.report().scope == "kubernetes/shop" and not each._watchers for each in others)
    lists = sum(path == PODS and "watch" not in query for path, query in api.calls)
    assert lists == said.reign, "only the elected one asks the API server"
    await until(lambda: any("stands by" in text for _, text in agents.reports), "the word of the others")


async def test_a_leader_that_goes_gives_the_lease_back(agents: Agents, api: Any) -> None:
    first = await agents.add()
    await until(lambda: agents.speaking() == [first], "the first election")
    second = await agents.add()
    await first.stop()
    await until(lambda: agents.speaking() == [second], "the second election")
    assert second.report().reign == api.single[LEASE]["spec"]["leaseTransitions"] > 1


async def test_a_leader_that_falls_silent_is_followed_and_knows_it(agents: Agents, api: Any) -> None:
    """Its machine is cut off: it stops speaking before another one may begin."""
    first = await agents.add()
    await until(lambda: agents.speaking() == [first], "the first election")
    election = first._election
    assert election is not None
    cut = election._access
    election._access = _Cut()  # type: ignore[assignment]
    second = await agents.add()
    spoke: list[int] = []

    def followed() -> bool:
        spoke.append(len(agents.speaking()))
        return agents.speaking() == [second]

    await until(followed, "the take-over")
    assert max(spoke) == 1, "never two at once"
    assert "cannot be asked" in election.problem
    election._access = cut
    await until(lambda: election.leader == second._election._who, "its return")  # type: ignore[union-attr]
    assert agents.speaking() == [second], "the one that came back stands by"
    await until(lambda: not first.entries, "that it forgets")


async def test_missing_rights_for_the_lease_are_named(agents: Agents, api: Any) -> None:
    api.forbidden.add(LEASE)
    await agents.add()
    await until(
        lambda: any("get, create and update leases of the API group" in text for _, text in agents.reports),
        "the report",
    )
    assert not agents.speaking()


async def test_a_lease_that_somebody_else_writes_is_lost(agents: Agents, api: Any) -> None:
    first = await agents.add()
    await until(lambda: agents.speaking() == [first], "the election")
    held = api.single[LEASE]
    spec = {**held["spec"], "holderIdentity": "other", "leaseDurationSeconds": 3600}
    api.single[LEASE] = {"metadata": {**held["metadata"], "resourceVersion": "999"}, "spec": spec}
    await until(lambda: not agents.speaking(), "the loss")
    assert first.report().entries is None


class _Cut:
    """No way to the API server."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object) -> Any:
            from metaflow_tagger_kubernetes.access import Failed

            raise Failed("cut off")

        return fail
