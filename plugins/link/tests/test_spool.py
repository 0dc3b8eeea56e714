"""The spool: order, bounds, what a damaged or torn file costs, and that a second process is kept out."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_link.spool.record import HEAD, file_head, head, index_of
from metaflow_link.spool.spool import Fsync, Spool, WhenFull

from metaflow_core.errors import StartError, StorageError


class Opened(Spool):
    """A spool that writes down what it lost."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.gone: Counter[tuple[str, str]] = Counter()
        named = {"max_bytes": 1 << 20, "segment_bytes": 4096, "when_full": WhenFull.DROP_OLDEST, "fsync": Fsync.NEVER}
        super().__init__(folder, lost=self._count, **{**named, **options})  # type: ignore[arg-type]
        self.open()

    def _count(self, reason: str, amount: int, unit: str) -> None:
        self.gone[reason, unit] += amount


def texts(spool: Spool, most: int = 10_000) -> list[bytes]:
    return [record.content for record in spool.read(most, 1 << 30)]


def content(number: int) -> bytes:
    return f"batch {number} ".encode() * 20


def fill(spool: Spool, first: int, last: int) -> None:
    for number in range(first, last):
        spool.append(content(number), 10)


def test_gives_back_in_order_and_frees(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 100)
    assert (spool.waiting_batches, spool.waiting_rows) == (100, 1000)
    records = spool.read(10_000, 1 << 30)
    assert [record.content for record in records] == [content(number) for number in range(100)]
    assert not texts(spool)
    files = len(list(tmp_path.glob("*.spool")))
    assert files > 3
    assert spool.acknowledge([record.sequence for record in records]) == 1000
    assert (spool.waiting_batches, spool.waiting_rows) == (0, 0)
    assert len(list(tmp_path.glob("*.spool"))) == 1
    spool.close()
    assert not texts(Opened(tmp_path))


def test_limits_of_a_read(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 10)
    size = len(content(0))
    assert len(spool.read(3, 1 << 30)) == 3
    assert len(spool.read(100, 2 * size)) == 2
    assert len(spool.read(100, 1)) == 1, "one larger record comes alone"
    assert len(spool.read(100, 1 << 30)) == 4


def test_only_what_was_not_acknowledged_comes_again(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 60)
    records = spool.read(1000, 1 << 30)
    kept = [record for number, record in enumerate(records) if number % 3 == 0]
    spool.acknowledge([record.sequence for record in records if record not in kept])
    spool.rewind()
    assert texts(spool) == [record.content for record in kept]
    assert spool.acknowledge([records[1].sequence, 1 << 60]) == 0, "known or unknown: nothing happens"


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 50)
    records = spool.read(30, 1 << 30)
    spool.acknowledge([record.sequence for record in records])
    spool.close()
    again = Opened(tmp_path)
    assert texts(again) == [content(number) for number in range(30, 50)]
    fill(again, 50, 55)
    assert texts(again) == [content(number) for number in range(50, 55)]
    assert again.waiting_batches == 25


@pytest.mark.parametrize("when_full", list(WhenFull))
def test_full(tmp_path: Path, when_full: WhenFull) -> None:
    spool = Opened(tmp_path, max_bytes=20_000, when_full=when_full)
    kept = 0
    for number in range(200):
        if when_full is WhenFull.WAIT and spool.nbytes > 19_000:
            with pytest.raises(StorageError, match="the spool is full"):
                fill(spool, number, number + 10)
            kept = spool.waiting_batches
            break
        kept += spool.append(content(number), 10)
    assert spool.nbytes <= 20_000
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) == spool.nbytes
    found = texts(spool)
    lost = spool.gone["spool_full", "records"] // 10
    if when_full is WhenFull.DROP_OLDEST:
        assert found == [content(number) for number in range(200 - len(found), 200)]
        assert lost == 200 - len(found)
    else:
        assert found == [content(number) for number in range(kept)]
        assert lost == (0 if when_full is WhenFull.WAIT else 200 - kept)
    records = len(found)
    assert spool.waiting_batches == records > 10


def test_full_while_records_are_on_their_way(tmp_path: Path) -> None:
    spool = Opened(tmp_path, max_bytes=20_000)
    fill(spool, 0, 50)
    flying = spool.read(20, 1 << 30)
    fill(spool, 50, 300)
    spool.acknowledge([record.sequence for record in flying])
    rest = texts(spool)
    assert rest[-1] == content(299)
    assert spool.waiting_batches == len(rest)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 3)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    spool_wait = Opened(tmp_path / "other", when_full=WhenFull.WAIT)
    with pytest.raises(StorageError, match="No space left on device; free some space there"):
        spool_wait.append(b"x", 1)
    monkeypatch.undo()
    fill(spool, 3, 5)
    assert texts(spool) == [content(number) for number in range(5)]


def test_a_damaged_record_costs_itself_alone(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 12)
    spool.close()
    path = next(iter(sorted(tmp_path.glob("*.spool"))))
    data = bytearray(path.read_bytes())
    third = data.find(b"batch 2 ")
    data[third + 5] ^= 0xFF
    path.write_bytes(data)
    again = Opened(tmp_path)
    assert texts(again) == [content(number) for number in range(12) if number != 2]
    assert again.gone == {("spool_corrupt", "records"): 10}
    assert again.waiting_batches == 11


def test_a_damaged_head_costs_its_record(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 12)
    spool.close()
    path = next(iter(sorted(tmp_path.glob("*.spool"))))
    data = bytearray(path.read_bytes())
    at = data.find(b"batch 5 ") - HEAD
    data[at + 4] ^= 0xFF
    path.write_bytes(data)
    again = Opened(tmp_path)
    assert texts(again) == [content(number) for number in range(12) if number != 5]
    assert again.gone == {("spool_corrupt", "bytes"): HEAD + len(content(5))}


def test_a_torn_end_is_counted_and_the_rest_is_there(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 5)
    spool.close()
    path = next(iter(tmp_path.glob("*.spool")))
    os.truncate(path, path.stat().st_size - 7)
    again = Opened(tmp_path)
    assert texts(again) == [content(number) for number in range(4)]
    assert again.gone == {("spool_torn", "bytes"): HEAD + len(content(4)) - 7}


def test_a_lost_position_sends_again(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    fill(spool, 0, 5)
    spool.acknowledge([record.sequence for record in spool.read(3, 1 << 30)])
    spool.close()
    (tmp_path / "position").write_bytes(b"garbage that is long enough to be one")
    assert texts(Opened(tmp_path)) == [content(number) for number in range(5)]


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.spool").write_text("mine")
    (tmp_path / "000000000000000g.spool").write_text("mine")
    spool = Opened(tmp_path)
    fill(spool, 0, 2)
    assert len(texts(spool)) == 2
    assert (tmp_path / "notes.spool").read_text() == "mine"


def test_empty_and_tiny_files(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"M", file_head(3)[:9], file_head(4), file_head(5) + b"MFR1"], 1):
        (tmp_path / f"{number:016x}.spool").write_bytes(data)
    spool = Opened(tmp_path)
    assert not texts(spool)
    assert not list(tmp_path.glob("*.spool")), "what holds nothing goes"


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    spool = Opened(tmp_path)
    code = (
        "import sys; from pathlib import Path; from metaflow_link.spool.spool import *\n"
        "Spool(Path(sys.argv[1]), max_bytes=1, segment_bytes=1, when_full=WhenFull.WAIT, fsync=Fsync.NEVER,"
        " lost=lambda *a: None).open()"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "in use by another process" in result.stderr
    spool.close()
    with pytest.raises(StartError, match="cannot be used"):
        Opened(Path("/proc/nowhere"))


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damage_is_survived(data: st.DataObject) -> None:
    """Whatever happens to the bytes: no crash, and every record whose own bytes are whole is found."""
    bodies = [content(number) for number in range(8)]
    whole = bytearray(file_head(1))
    places = []
    for body in bodies:
        places.append((len(whole), len(whole) + HEAD + len(body)))
        whole += head(body, 1) + body
    damaged = bytearray(whole)
    hit: set[int] = set()
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        damaged[at] ^= data.draw(st.integers(1, 255))
        hit.add(at)
    index = index_of(bytes(damaged))
    intact = [start for start, end in places if not hit.intersection(range(start, end))]
    assert set(intact) <= set(index.offsets)
    assert set(index.offsets) <= {start for start, _ in places}


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_garbage_is_survived(garbage: bytes) -> None:
    index = index_of(garbage)
    assert index.damaged + index.torn <= len(garbage)


def test_random_walk(tmp_path: Path) -> None:
    """Append, read, acknowledge, restart in any order: nothing is lost, nothing comes out of order."""
    chance = random.Random(7)
    spool = Opened(tmp_path, max_bytes=64 << 20)
    written, acknowledged = 0, set()
    flying: dict[int, int] = {}
    for _ in range(2000):
        step = chance.random()
        if step < 0.4:
            spool.append(str(written).encode(), 1)
            written += 1
        elif step < 0.7:
            flying |= {record.sequence: int(record.content) for record in spool.read(chance.randint(1, 9), 1000)}
        elif step < 0.95 and flying:
            done = chance.sample(sorted(flying), chance.randint(1, len(flying)))
            spool.acknowledge(done)
            acknowledged |= {flying.pop(sequence) for sequence in done}
        elif step > 0.99:
            spool.close()
            spool = Opened(tmp_path, max_bytes=64 << 20)
            flying.clear()
    spool.rewind()
    rest = [int(text) for text in texts(spool)]
    assert rest == sorted(rest)
    assert set(rest) | acknowledged == set(range(written))
