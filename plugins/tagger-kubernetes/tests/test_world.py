"""The picture of a cluster: what follows from a change, however many pods there are."""

from __future__ import annotations

import random
import time

import pytest
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.objects import Namespace, Node, Pod, Service, Slice, Workload
from metaflow_tagger_kubernetes.world import World

from metaflow_core.tagging import Entry

S = 1_000_000_000


def pod(name: str, address: str, start_s: int = 1, **more: object) -> Pod:
    values = {"owner": ("ReplicaSet", "web-1"), "node": "n1", "addresses": (address,), "start_ns": start_s * S, **more}
    return Pod(f"uid-{name}", "default", name, **values)  # type: ignore[arg-type]


class Picture:
    """The entries in force, by applying one revision after the other."""

    def __init__(self, **options: object) -> None:
        self.world = World(KubernetesConfig(**options), "c")  # type: ignore[arg-type]
        self.entries: dict[int, Entry] = {}

    def look(self, now_s: int) -> int:
        gone, come = self.world.revision(now_s * S)
        for each in gone:
            del self.entries[id(each)]
        for each in come:
            assert id(each) not in self.entries
            self.entries[id(each)] = each
        return len(gone) + len(come)

    def of(self, name: str) -> list[Entry]:
        return [each for each in self.entries.values() if each.name == name]


def test_a_change_is_followed_to_what_it_changes() -> None:
    seen = Picture()
    world = seen.world
    world.put("Pod", pod("a", "10.0.0.1"), S)
    world.put("Pod", pod("b", "10.0.0.2", owner=("StatefulSet", "db")), S)
    world.put("Service", Service("s", "default", "shop", ("10.9.0.1",), ((6, 80),), ((6, 30080),)), S)
    world.put("Ingress", Service("i", "default", "shop", ("10.9.0.9",), ((6, 80),), is_ingress=True), S)
    assert seen.look(2) == 4
    assert seen.of("a")[0].attributes["workload"] == "web-1"
    assert seen.look(2) == 0
    # owners that come late, one by one
    world.put("ReplicaSet", Workload("r", "default", "web-1", "ReplicaSet", ("Deployment", "web")), 2 * S)
    assert seen.look(3) == 2, "one pod, before and after"
    assert seen.of("a")[0].attributes["workload"] == "web"
    world.put("Deployment", Workload("d", "default", "web", "Deployment", ("Rollout", "big")), 2 * S)
    seen.look(3)
    assert seen.of("a")[0].attributes["workload"] == "big"
    assert seen.of("b")[0].attributes["workload"] == "db"
    world.put("Node", Node("n", "", "n1", ("192.168.0.1",), ("10.0.0.0/24",), "eu", "eu-a"), 3 * S)
    seen.look(4)
    assert {each.attributes["az"] for name in "ab" for each in seen.of(name)} == {"eu-a"}
    assert any(net.first == 0xC0A80001 for each in seen.of("shop") for net in each.networks), "its port on the node"
    world.put("EndpointSlice", Slice("e", "default", "e", "shop", ("10.0.0.1",), ((6, 8080),)), 4 * S)
    assert seen.look(5) > 0
    behind = [each for each in seen.of("shop") if each.ports == ((8080, 8080),)]
    assert [each.identity for each in behind] == ["c/default/shop"], "an ingress has no endpoints of its own"
    world.put("EndpointSlice", Slice("e", "default", "e", "other", ("10.0.0.1",), ((6, 8080),)), 4 * S)
    seen.look(6)
    (behind,) = [each for each in seen.of("shop") if each.ports == ((8080, 8080),)]
    assert (behind.valid_from // S, behind.valid_to // S) == (1, 6), (
        "it belongs to another service now, and did to this one"
    )
    for kind, uid in (("Pod", "uid-a"), ("Pod", "uid-b"), ("Node", "n"), ("Service", "s"), ("Ingress", "i")):
        world.remove(kind, uid, 7 * S)
    seen.look(8)
    pods = [each for each in seen.entries.values() if each.dictionary == "pod"]
    assert sorted((each.name, each.valid_to // S) for each in pods) == [("a", 7), ("b", 7)]
    assert all(each.valid_to <= 8 * S for each in seen.entries.values()), "nodes and services have a past too"
    seen.look(9 + 3600)
    assert not seen.entries, "history ends"


def _ingress(name: str, *addresses: str) -> Service:
    return Service(f"i-{name}", "default", name, addresses, ((6, 80), (6, 443)), is_ingress=True)


def test_ingresses_at_one_address_are_told_by_none() -> None:
    """One controller, many ingresses at its address: which of them a row is about, the address does not say."""
    seen = Picture()
    seen.world.put("Ingress", _ingress("shop", "10.9.0.9"), S)
    seen.look(2)
    assert len(seen.of("shop")) == 1
    seen.world.put("Ingress", _ingress("bank", "10.9.0.9", "10.9.0.10"), 3 * S)
    seen.look(4)
    assert not [each for each in seen.of("shop") if each.valid_to > 4 * S]
    (bank,) = [each for each in seen.of("bank") if each.valid_to > 4 * S]
    assert [str(net) for net in bank.networks] == ["10.9.0.10/32"]
    seen.world.remove("Ingress", "i-bank", 5 * S)
    seen.look(6)
    assert [each for each in seen.of("shop") if each.valid_to > 6 * S]


def test_an_address_outside_is_behind_a_service_from_when_it_was_seen_to_come() -> None:
    seen = Picture()
    world = seen.world
    world.put("Service", Service("s", "default", "db", (), (), created_ns=S), S)
    world.put("EndpointSlice", Slice("e", "default", "e", "db", ("172.20.0.1",), ((6, 5432),)), 2 * S)
    seen.look(2)
    world.put("EndpointSlice", Slice("e", "default", "e", "db", ("172.20.0.2",), ((6, 5432),)), 50 * S)
    seen.look(50)
    spans = {str(each.networks[0]): (each.valid_from // S, min(each.valid_to // S, 99)) for each in seen.of("db")}
    assert spans == {"172.20.0.1/32": (1, 50), "172.20.0.2/32": (50, 99)}
    world.remove("EndpointSlice", "e", 60 * S)
    assert not world._joined


def test_of_services_that_lead_to_one_port_the_one_with_an_address_comes_first() -> None:
    seen = Picture()
    for name, addresses, created in (
        ("db-headless", (), S),
        ("db", ("10.96.0.9",), 2 * S),
        ("db-new", ("10.96.0.8",), 3 * S),
    ):
        seen.world.put("Service", Service(name, "default", name, addresses, ((6, 1),), created_ns=created), 4 * S)
        seen.world.put("EndpointSlice", Slice(f"e-{name}", "default", name, name, ("10.0.0.1",), ((6, 5432),)), 4 * S)
    seen.look(5)
    behind = [each for each in seen.entries.values() if each.ports == ((5432, 5432),)]
    assert [each.name for each in sorted(behind, key=lambda each: each.rank)] == ["db", "db-new", "db-headless"]


def test_labels_of_namespaces_come_and_go() -> None:
    seen = Picture()
    seen.world.put("Namespace", Namespace("n", "", "shop", {"pod_ns_label": {"team": "red"}}), S)
    seen.look(2)
    (entry,) = seen.of("shop")
    assert (entry.dictionary, entry.identity, entry.networks) == ("pod_ns", "c/shop", ())
    seen.world.put("Namespace", Namespace("n", "", "shop", {"pod_ns_label": {"team": "blue"}}), S)
    seen.look(3)
    assert [dict(each.tags["pod_ns_label"]) for each in seen.of("shop") if each.valid_to > 3 * S] == [{"team": "blue"}]


def test_a_clock_that_is_ahead_hides_no_pod() -> None:
    seen = Picture()
    seen.world.put("Pod", pod("ahead", "10.0.0.1", start_s=5000), 100 * S)
    seen.look(100)
    assert seen.of("ahead")[0].valid_from == 100 * S
    seen.world.put("Pod", pod("ahead", "10.0.0.1", start_s=5000, template_hash="x"), 200 * S)
    seen.look(200)
    assert seen.of("ahead")[0].valid_from == 100 * S, "what was said of its start stays"
    seen.world.put("Pod", pod("younger", "10.0.0.1", start_s=6000), 300 * S)
    seen.world.remove("Pod", "uid-ahead", 301 * S)
    seen.look(302)
    assert seen.of("ahead")[0].valid_to == 301 * S
    assert seen.of("younger")[0].valid_from == 300 * S


def test_an_address_is_handed_on_while_nobody_looked() -> None:
    """The API server was away: pods went, and others have their addresses."""
    seen = Picture()
    seen.world.replace("Pod", "", [pod("old", "10.0.0.1", start_s=10)], 20 * S)
    seen.look(20)
    seen.world.replace("Pod", "", [pod("new", "10.0.0.1", start_s=500)], 3600 * S)
    seen.look(3600)
    (old,) = seen.of("old")
    (new,) = seen.of("new")
    assert (old.valid_to // S, new.valid_from // S) == (501, 500), "until the other had begun"
    assert old.rank < new.rank, "which is a second after its start"


@pytest.mark.parametrize("most", [0, 3])
def test_history_is_bounded(most: int) -> None:
    seen = Picture(max_history=most)
    for number in range(10):
        seen.world.put("Pod", pod(f"p{number}", "10.0.0.1", start_s=number + 1), (number + 2) * S)
        seen.world.remove("Pod", f"uid-p{number}", (number + 3) * S)
        if number % 4 == 0:
            seen.look(number + 4)
    seen.look(20)
    assert sorted(each.name for each in seen.entries.values()) == [f"p{9 - each}" for each in reversed(range(most))]


def test_20_000_pods_with_churn() -> None:
    """A hundred a second come and go: what is looked at is what changed."""
    seen = Picture(history_s=60)
    chance = random.Random(1)
    count = 20_000

    def made(number: int, at_s: int) -> Pod:
        address = f"10.{number % 100}.{number // 100 % 250}.{number % 7 + 1}"
        return pod(f"p{number}", address, at_s, owner=("ReplicaSet", f"web-{number % 400}"), node=f"n{number % 100}")

    for each in range(400):
        seen.world.put(
            "ReplicaSet", Workload(f"r{each}", "default", f"web-{each}", "ReplicaSet", ("Deployment", f"w{each}")), S
        )
    for each in range(100):
        seen.world.put("Node", Node(f"n{each}", "", f"n{each}", (f"192.168.0.{each}",)), S)
    alive = list(range(count))
    seen.world.replace("Pod", "", [made(number, 1) for number in alive], S)
    assert seen.look(2) == count + 100
    following = count
    began = time.process_time()
    for second in range(3, 33):
        for _ in range(100):
            place = chance.randrange(len(alive))
            seen.world.remove("Pod", f"uid-p{alive[place]}", second * S)
            alive[place] = following
            seen.world.put("Pod", made(following, second), second * S)
            following += 1
        # of each: the old one goes, its past comes, the new one comes
        assert seen.look(second) <= 300
    print(f"a second of churn costs {(time.process_time() - began) / 30 * 1000:.1f} ms")
    living = [each for each in seen.entries.values() if each.dictionary == "pod" and each.valid_to > 1 << 62]
    assert sorted(each.name for each in living) == sorted(f"p{number}" for number in alive)
    assert seen.of(f"p{alive[0]}")[0].attributes["workload"].startswith("w")
    seen.look(200)
    assert len(seen.entries) == count + 100, "the past was forgotten"
