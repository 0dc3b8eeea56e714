"""Numbers and names that nobody holds any more are forgotten: in memory, in the file, in what storages are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaflow_core.api import IdBook, Kind
from metaflow_core.api.ids import IdBook as Book
from metaflow_core.api.paged import Paged
from metaflow_core.errors import StorageError
from metaflow_core.tagging import AddressTagger, Entry, Section, network
from metaflow_core.testing import FakeClock, build_context


def _pod(name: str, address: str, **more: object) -> Entry:
    return Entry(
        section=Section.HOSTS,
        name=name,
        identity=f"c/{name}",
        networks=(network(address),),
        dictionary="pod",
        type=10,
        **more,  # type: ignore[arg-type]
    )


def _tagger(book: IdBook) -> AddressTagger:
    from dataclasses import replace

    return AddressTagger(replace(build_context(Kind.TAGGER, clock=FakeClock()), ids=book))


def test_paged_is_a_map() -> None:
    held: Paged[str] = Paged()
    for number in (3, 70_000, 70_001):
        held.put(number, str(number))
    held.put(3, "other")
    assert (held.get(3), held.get(4), held.get(10**9), len(held)) == ("other", None, None, 3)
    held.drop(70_000)
    held.drop(70_000)
    held.drop(5)
    assert list(held.items()) == [(3, "other"), (70_001, "70001")]


def test_what_nobody_holds_is_forgotten_by_age(tmp_path: Path) -> None:
    now = [0.0]
    book = Book(tmp_path / "ids.json", kept_s=60, now_s=lambda: now[0])
    book.open()
    tagger = _tagger(book)
    one, other = _pod("one", "10.0.0.1"), _pod("other", "10.0.0.2")
    tagger.learn([one, other])
    number = next(number for number, name in tagger.dictionaries()["pod"].items() if name == "one")
    tagger.revise([one], [])
    now[0] = 59
    tagger.revise([], [again := _pod("one", "10.0.0.3")])
    assert tagger.dictionaries()["pod"][number] == "one", "what comes back in time has its number"
    tagger.revise([again], [])
    now[0] = 120
    tagger.revise([], [])
    assert set(tagger.dictionaries()["pod"].values()) == {"other"}
    tagger.revise([], [_pod("one", "10.0.0.3")])
    assert number not in tagger.dictionaries()["pod"], "no number is given twice"


def test_two_taggers_hold_one_number() -> None:
    now = [0.0]
    book = Book(None, kept_s=1, now_s=lambda: now[0])
    first, second = _tagger(book), _tagger(book)
    entries = _pod("a", "10.0.0.1", attributes={"node": "n"}), _pod("a", "10.0.0.1", attributes={"node": "n"})
    first.learn([entries[0]])
    second.learn([entries[1], _pod("a", "10.0.0.9")])
    first.learn([])
    now[0] = 10
    first.learn([])
    assert set(book.names()["pod"].values()) == {"a"}
    assert set(book.names()["pod_node"].values()) == {"n"}
    second.learn([])
    now[0] = 20
    second.learn([])
    assert len(book) == 0


def test_a_name_that_changed_is_told_with_its_moment() -> None:
    tagger = _tagger(Book(None))
    tagger.learn([old := _pod("a", "10.0.0.1", tags={"pod_label": {"v": "1"}})], 5_000_000_000)
    position, _ = tagger.names(0)
    new = Entry(section=Section.HOSTS, name="b", identity="c/a", networks=old.networks, dictionary="pod", type=10,
                tags={"pod_label": {"v": "2"}})  # fmt: skip
    tagger.revise([old], [new], 9_000_000_000)
    found = {each.dictionary: (list(each.names.values()), each.valid_from_s) for each in tagger.names(position)[1]}
    assert found == {"pod": (["b"], 9), "device": (["b"], 9), "pod_label": (['{"v": "2"}'], 9)}
    whole = {(each.dictionary, each.valid_from_s) for each in tagger.names(0)[1]}
    assert ("pod_label", 9) in whole


def test_the_tags_of_the_past_are_not_those_of_now() -> None:
    """A service gets another label while an endpoint leaves it: what is kept of the endpoint for older rows has the label of then."""
    tagger = _tagger(Book(None))
    tagger.learn([old := _pod("a", "10.0.0.1", tags={"pod_label": {"v": "1"}})], 5_000_000_000)
    new = _pod("a", "10.0.0.1", tags={"pod_label": {"v": "2"}})
    ended = _pod("a", "10.0.0.9", tags={"pod_label": {"v": "1"}}, valid_to=9_000_000_000)
    tagger.revise([old], [new, ended], 9_000_000_000)
    assert list(tagger.dictionaries()["pod_label"].values()) == ['{"v": "2"}']
    tagger.revise([new], [_pod("a", "10.0.0.1")], 11_000_000_000)
    assert list(tagger.dictionaries()["pod_label"].values()) == ["{}"], "all of them were taken away"
    moments = [each.valid_from_s for each in tagger.names(0)[1] if each.dictionary == "pod_label"]
    assert moments == [5, 9, 11], "a storage hears of each with its moment"


def test_who_asks_late_is_told_everything_in_force() -> None:
    tagger = _tagger(Book(None, kept_s=0, most_idle=0))
    tagger.learn([_pod("stays", "10.0.0.1")])
    position, _ = tagger.names(0)
    held: list[Entry] = []
    for round_ in range(110):
        come = [_pod(f"p{round_}-{each}", f"10.1.{each}.1") for each in range(100)]
        tagger.revise(held, come)
        held = come
    _, found = tagger.names(position)
    names = {name for each in found if each.dictionary == "pod" for name in each.names.values()}
    assert {"stays", *(entry.name for entry in held)} <= names
    assert len(names) <= 201, "those of the change before are forgotten with the next one"
    assert tagger._told._logged < 11_000


def test_the_file_stays_as_long_as_what_is_known(tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    book = Book(file, most_idle=100)
    book.open()
    for round_ in range(25):
        for each in range(1000):
            book.give("pod", f"{round_}/{each}", f"pod-{round_}-{each}")
            book.release("pod", f"{round_}/{each}")
        book.save()
    last = book.give("pod", "last", "last")[0]
    book.save()
    assert len(file.read_text().splitlines()) < 13_000
    again = Book(file)
    again.open()
    assert again.names()["pod"][last] == "last"
    assert again.give("pod", "new", "new")[0] > last
    assert again.give("pod", "24/999", "pod-24-999")[0] == last - 1


def test_numbers_of_forgotten_names_are_not_given_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    book = Book(file, most_idle=0)
    for each in range(11_000):
        book.give("pod", str(each), "x")
        book.release("pod", str(each))
    book.save()
    book.save()
    assert len(file.read_text().splitlines()) < 5
    again = Book(file)
    again.open()
    assert again.give("pod", "y", "y")[0] == 65_536 + 11_000


def test_narrow_numbers_are_given_again_when_there_are_no_more() -> None:
    """A namespace for every build: after 65,533 of them all tags would stay what they are."""
    book = Book(None, most_idle=10)
    kept = book.give("pod_ns", "kept", "kept")[0]
    for each in range(70_000):
        number, _ = book.give("pod_ns", f"build-{each}", f"build-{each}", 7)
        assert number != kept
        assert number < 65_536
        book.release("pod_ns", f"build-{each}")
    assert book.name(number) == "build-69999"
    assert book.since(number, None), "rows of the past keep the old name: the new one has a moment"
    for each in range(65_532):
        book.give("pod_ns", f"held-{each}", "held")
    with pytest.raises(OverflowError, match="at a time"):
        book.give("pod_ns", "more", "more")


def test_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    book = Book(tmp_path / "file" / "ids.json")
    tagger = _tagger(book)
    with pytest.raises(StorageError, match="cannot be kept"):
        tagger.learn([_pod("a", "10.0.0.1")])
    assert tagger.entries == 0
    assert not list(tagger._numberer._uses.items())
