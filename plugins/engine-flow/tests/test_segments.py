"""Kernel segments: calls on sockets become messages and exchanges of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from engine_testing import build, native_parser, pcap, run
from metaflow_engine_flow import EngineError, NativeEngine, ShardedEngine

from metaflow_core.api import BlockFormat, PacketBlock, ParserFault, SegmentBlock
from metaflow_core.testing.segments import (
    CIPHERTEXT,
    CONCURRENT,
    MID_STREAM,
    PLAINTEXT,
    ROLE_CLIENT,
    ROLE_SERVER,
    ROLE_UNKNOWN,
    SegmentSocket,
    segment_block,
)

KINDS = ("native", "external", "wasm")
REQUEST = b"GET /cart/7 HTTP/1.1\r\nHost: shop\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def client(socket_id: int = 1, **details: Any) -> SegmentSocket:
    facts = {"role": ROLE_CLIENT, "pid": 100, "comm": "curl", **details}
    return SegmentSocket(socket_id, local=("10.0.0.1", 40000 + socket_id), remote=("10.0.0.2", 8080), **facts)


def server(socket_id: int = 2, **details: Any) -> SegmentSocket:
    facts = {"role": ROLE_SERVER, "pid": 200, "comm": "nginx", **details}
    return SegmentSocket(socket_id, local=("10.0.0.2", 8080), remote=("10.0.0.1", 40000 + socket_id), **facts)


def tables(records: Iterable[bytes], kind: str = "native", size: int = 1000, **options: Any) -> dict[str, pa.Table]:
    """All rows of records that come in blocks of at most ``size`` records."""
    rows = list(records)
    cut = [segment_block(rows[at : at + size]) for at in range(0, len(rows), size)]
    return run(build(kind, ["http", "dns", "redis"], **options), cut)


def exchanges(records: Iterable[bytes], kind: str = "native", **options: Any) -> list[dict[str, Any]]:
    found = tables(records, kind, **options)
    return found["l7_flow_log"].to_pylist() if "l7_flow_log" in found else []


@pytest.mark.parametrize("kind", KINDS)
def test_an_exchange_of_a_client_says_who_made_it(kind: str) -> None:
    socket = client()
    records = [
        socket.opened(),
        socket.send(REQUEST, trace_id=7, tid=101, coroutine_id=9),
        socket.receive(RESPONSE, trace_id=8, tid=102, coroutine_id=9),
        socket.closed(),
    ]
    (row,) = exchanges(records, kind)
    expected = {
        "signal_source": 3, "observation_point": "c-p", "type": 2, "client_port": 40001, "server_port": 8080,
        "request_type": "GET", "request_domain": "shop", "response_code": 200, "response_duration": 1000,
        "process_id_0": 100, "process_kname_0": "curl",
        "syscall_trace_id_request": 7, "syscall_trace_id_response": 8, "syscall_thread_0": 101, "syscall_thread_1": 102,
        "syscall_coroutine_0": 9, "syscall_cap_seq_0": 2, "syscall_cap_seq_1": 3,
        "req_tcp_seq": 1000, "resp_tcp_seq": 5000, "is_tls": False, "direction_score": 255,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    # What no row of a batch has is not in the batch.
    assert "process_id_1" not in row
    assert row["attribute_names"] == []


def test_both_ends_of_a_connection_on_one_host() -> None:
    near, far = client(), server(2)
    far.remote = near.local
    found = tables([
        near.send(REQUEST, trace_id=1), far.receive(REQUEST, trace_id=2), far.send(RESPONSE), near.receive(RESPONSE),
        near.closed(), far.closed(),
    ])  # fmt: skip
    rows = found["l7_flow_log"].to_pylist()
    sides = {row["observation_point"]: (row["process_id_0"], row["process_id_1"], row["client_port"]) for row in rows}
    assert sides == {"c-p": (100, 0, 40001), "s-p": (0, 200, 40001)}
    assert len({row["flow_id"] for row in rows}) == 2
    # Each end is described by the process that is there, and by nobody else; the network tables are about packets.
    ends = found["application.1m"].to_pylist()
    assert sorted((row["role"], row["request"], row["signal_source"]) for row in ends) == [(0, 1, 3), (1, 1, 3)]
    paths = found["application_map.1m"].to_pylist()
    assert sorted((row["observation_point"], row["response"]) for row in paths) == [("c-p", 1), ("s-p", 1)]
    assert not {"network.1m", "network_map.1m", "l4_flow_log"} & {name for name, table in found.items() if len(table)}
    assert set(found["l7_message"]["signal_source"].to_pylist()) == {3}
    assert set(found["l7_message"]["observation_point"].to_pylist()) == {"c-p", "s-p"}


@pytest.mark.parametrize("kind", KINDS)
def test_plaintext_of_tls_is_read_and_ciphertext_is_not(kind: str) -> None:
    socket = client()
    hello = b"\x16\x03\x01\x00\x2c\x01\x00\x00\x28" + bytes(40)
    records = [
        socket.opened(),
        socket.send(hello),  # nobody marked it: the engine sees what it is
        socket.receive(b"\x16\x03\x03\x00\x20", flags=CIPHERTEXT),
        socket.send(REQUEST, flags=PLAINTEXT, trace_id=5),
        socket.send(b"\x17\x03\x03\x00\x40" + bytes(64)),
        socket.receive(RESPONSE, flags=PLAINTEXT, trace_id=6),
        socket.closed(),
    ]
    engine = build(kind, ["http", "redis"], explain=True)
    found = run(engine, [segment_block(records)])
    (row,) = found["l7_flow_log"].to_pylist()
    assert (row["is_tls"], row["response_code"], row["syscall_trace_id_request"]) == (True, 200, 5)
    assert {message["is_tls"] for message in found["l7_message"].to_pylist()} == {True}
    for table in ("application.1m", "application_map.1m", "application_map.1s"):
        assert [
            (counted["is_tls"], counted["request"], counted["response"]) for counted in found[table].to_pylist()
        ] == [(True, 1, 1)], table
    assert engine.counters()["segment", "ciphertext_bytes"] == len(hello) + 5 + 69
    steps = engine.explain(row["flow_id"])
    assert any("confirm\thttp" in line for line in steps)
    assert all("\t0\t" in line for line in steps if "check" in line), steps


def test_what_was_read_inside_tls_is_counted_apart_from_plain_calls_of_the_same_path() -> None:
    """Whatever else is the same, and whichever thread saw it."""
    records = []
    for number in range(1, 5):
        socket, flags = client(number), PLAINTEXT if number % 2 else 0
        records += [
            socket.opened(),
            socket.send(REQUEST, flags=flags),
            socket.receive(RESPONSE, flags=flags),
            socket.closed(),
        ]
    factory, create = native_parser("http")
    sharded = ShardedEngine(NativeEngine, 2)
    sharded.add_parser(factory.description, create)
    for engine in (build("native", ["http"]), build("wasm", ["http"]), sharded):
        rows = run(engine, [segment_block(records)])["application_map.1m"].to_pylist()
        assert sorted((row["is_tls"], row["request"], row["response"]) for row in rows) == [(False, 2, 2), (True, 2, 2)]
    sharded.close()


def test_a_cut_tail_and_a_lost_call_are_gaps() -> None:
    socket = server()
    body = b"x" * 3000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + body
    records = [
        socket.receive(REQUEST),
        socket.send(answer, captured=60),
        socket.receive(REQUEST),
        socket.lost(1, len(answer)),
        socket.receive(REQUEST),
        socket.send(RESPONSE),
        socket.closed(),
    ]
    rows = exchanges(records)
    assert [(row["type"], row["response_status"], row["response_length"]) for row in rows] == [
        (2, 0, 3000),
        (2, 5, None),
        (2, 0, 5),
    ]
    # that there was an answer is known, and where it began; what it said is not
    assert [row["resp_tcp_seq"] for row in rows] == [1000 + number * len(answer) for number in range(3)]


def test_sequence_numbers_tell_what_no_record_says() -> None:
    socket = server()
    records = [socket.receive(REQUEST)]
    socket.seq[1] += 777  # sent by a call that the collector does not see
    records += [socket.send(RESPONSE), socket.receive(REQUEST), socket.send(RESPONSE), socket.closed()]
    engine = build("native", ["http"])
    found = run(engine, [segment_block(records)])
    assert [row["type"] for row in found["l7_flow_log"].to_pylist()] == [2, 2]
    # The first bytes of a direction have nothing before them to be compared with.
    assert engine.counters().get(("stream", "gap_bytes"), 0) == 0
    engine = build("native", ["http"])
    socket = server()
    parts = [socket.receive(REQUEST), socket.send(RESPONSE), socket.receive(REQUEST)]
    socket.seq[1] += 777
    run(engine, [segment_block([*parts, socket.send(RESPONSE), socket.closed()])])
    assert engine.counters()["stream", "gap_bytes"] == 777


@pytest.mark.parametrize("role", [ROLE_UNKNOWN, ROLE_SERVER])
def test_an_unknown_role_follows_the_parser(role: int) -> None:
    # By its port the process looks like a client.
    socket = SegmentSocket(3, local=("fd00::2", 50000), remote=("fd00::1", 1024), role=role, pid=7, comm="srv")
    (row,) = exchanges([socket.receive(REQUEST), socket.send(RESPONSE), socket.closed()])
    assert (row["observation_point"], row["server_port"], row["process_id_1"]) == ("s-p", 50000, 7)
    assert row["ip6_1"] == bytes.fromhex("fd00") + bytes(13) + b"\2"
    found = tables([socket.receive(REQUEST), socket.send(RESPONSE), socket.closed()])
    (path,) = found["application_map.1m"].to_pylist()
    assert (path["observation_point"], path["server_port"]) == ("s-p", 50000)


def test_a_thread_with_several_requests_proves_nothing() -> None:
    socket = server()
    records = [
        socket.receive(REQUEST, trace_id=7, flags=CONCURRENT),
        socket.send(RESPONSE, trace_id=7),
        socket.closed(),
    ]
    (row,) = exchanges(records)
    assert (row.get("syscall_trace_id_request", 0), row["syscall_trace_id_response"]) == (0, 7)
    assert dict(zip(row["attribute_names"], row["attribute_values"], strict=True))["concurrent_thread"] == "request"


def test_a_message_in_many_calls_has_the_first_and_the_last_of_them() -> None:
    socket = server()
    body = b"y" * 400
    records = [socket.receive(bytes([byte]), trace_id=5) for byte in REQUEST]
    records += [socket.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n", trace_id=5)]
    records += [socket.send(body[at : at + 2]) for at in range(0, 400, 2)]
    records += [socket.closed()]
    (row,) = exchanges(records)
    calls = len(REQUEST)
    assert (row["syscall_cap_seq_0"], row["syscall_cap_seq_1"]) == (calls, calls + 1)
    assert (row["syscall_trace_id_request"], row["syscall_trace_id_response"]) == (5, 5)
    for size in (1, 3, 50):
        assert exchanges(records, size=size) == [row]


def test_datagrams_are_a_flow_for_each_peer() -> None:
    def query(number: int) -> bytes:
        return number.to_bytes(2) + b"\1\0\0\1\0\0\0\0\0\0\4shop\0\0\1\0\1"

    def answer(number: int) -> bytes:
        return number.to_bytes(2) + b"\x81\x80\0\1\0\1\0\0\0\0\4shop\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\7"

    socket = SegmentSocket(5, local=("10.0.0.53", 53), remote=("", 0), protocol=17, pid=53, comm="dnsmasq")
    records = []
    for peer in (1, 2, 3):
        socket.remote = (f"10.0.0.{peer}", 5353 + peer)
        # The same number from everybody: only the peer tells them apart.
        records.append(socket.receive(query(77)))
    for peer in (3, 1, 2):
        socket.remote = (f"10.0.0.{peer}", 5353 + peer)
        records.append(socket.send(answer(77)))
    rows = exchanges(records)
    assert [(row["type"], row["observation_point"], row["client_port"]) for row in rows] == [
        (2, "s-p", 5354),
        (2, "s-p", 5355),
        (2, "s-p", 5356),
    ]
    assert {row["process_kname_1"] for row in rows} == {"dnsmasq"}


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_come_mixed_are_put_in_order(kind: str) -> None:
    socket = server()
    records = [socket.opened()]
    for _ in range(20):
        records += [socket.receive(REQUEST), socket.send(RESPONSE[:20]), socket.send(RESPONSE[20:])]
    records += [socket.closed()]
    expected = exchanges(records, kind)
    assert len(expected) == 20
    mixed = records[:]
    order = Random(4)
    for at in range(0, len(mixed) - 4, 4):
        part = mixed[at : at + 4]
        order.shuffle(part)
        mixed[at : at + 4] = part
    for size in (1, 7, 1000):
        assert exchanges(mixed, kind, size=size) == expected


def test_a_missing_record_is_waited_for_and_then_given_up() -> None:
    socket = server()
    records = [socket.receive(REQUEST), socket.send(RESPONSE)]
    socket.receive(REQUEST)  # lost
    records += [socket.send(RESPONSE)]
    socket.now_ns += 500_000_000
    records += [socket.receive(REQUEST), socket.send(RESPONSE), socket.closed()]
    engine = build("native", ["http"])
    found = run(engine, [segment_block([record]) for record in records])
    assert [row["type"] for row in found["l7_flow_log"].to_pylist()] == [2, 1, 2]
    assert engine.counters()["segment", "records_missing"] == 1
    assert engine.counters()["stream", "gap_bytes"] == len(REQUEST)


def test_sockets_end_by_close_by_silence_and_at_the_end() -> None:
    closed, half, silent, mid = server(1), server(2), server(3), server(4, flags=MID_STREAM)
    first = [socket.receive(REQUEST) for socket in (closed, half, silent, mid)]
    first += [closed.closed(), half.record(1, 0)]
    engine = build("native", ["http"])
    engine.push(segment_block(first))
    assert engine.counters()["segment", "open_sockets"] == 3
    clock = silent.now_ns
    engine.tick(clock + 20_000_000_000)
    assert engine.counters()["segment", "open_sockets"] == 2
    engine.tick(clock + 400_000_000_000)
    assert ("segment", "open_sockets") not in engine.counters()
    rows = [row for name, batch in engine.tables() if name == "l7_flow_log" for row in batch.to_pylist()]
    assert len(rows) == 4
    # It was forgotten: what it says now starts in the middle, after a short wait for what came before.
    silent.now_ns += 500_000_000_000
    later = [silent.receive(REQUEST), silent.send(RESPONSE)]
    engine.push(segment_block(later))
    engine.finish()
    rows = [row for name, batch in engine.tables() if name == "l7_flow_log" for row in batch.to_pylist()]
    assert [row["type"] for row in rows] == [2]
    assert engine.counters()["segment", "sockets_seen_late"] == 1


def conversation(sockets: int = 12, rounds: int = 6) -> list[bytes]:
    """Records of several sockets, in order of time."""
    records = []
    open_sockets = [client(number) if number % 2 else server(number) for number in range(1, sockets + 1)]
    for round_number in range(rounds):
        for socket in open_sockets:
            ask, reply = (socket.send, socket.receive) if socket.role == ROLE_CLIENT else (socket.receive, socket.send)
            records += [ask(REQUEST, trace_id=round_number), reply(RESPONSE)]
    return [*records, *(socket.closed() for socket in open_sockets)]


def test_builds_blocks_and_shards_give_the_same_rows() -> None:
    records = conversation()
    expected = tables(records)
    assert len(expected["l7_flow_log"]) == 72
    for kind in KINDS:
        for size in (5, 1000):
            found = tables(records, kind, size)
            assert found.keys() == expected.keys()
            for name, rows in expected.items():
                for column in rows.schema.names:
                    assert found[name][column].to_pylist() == rows[column].to_pylist(), (kind, size, name, column)
    factory, create = native_parser("http")
    sharded = ShardedEngine(NativeEngine, 2)
    sharded.add_parser(factory.description, create)
    found = run(sharded, [segment_block(records)])
    counted = sharded.counters()
    sharded.close()
    for name in ("l7_message", "l7_flow_log", "application.1m", "application_map.1s"):
        for column in expected[name].schema.names:
            assert found[name][column].to_pylist() == expected[name][column].to_pylist(), (name, column)
    assert counted["segment", "records"] == len(records) + 12  # a close is two


@pytest.mark.parametrize("kind", KINDS)
def test_packets_and_segments_in_one_engine(kind: str) -> None:
    engine = build(kind, ["http"])
    capture = PacketBlock(pcap("http"), BlockFormat.PCAP)
    alone = run(build(kind, ["http"]), [capture])
    both = run(engine, [segment_block(conversation(2, 1)), capture])
    rows = both["l7_flow_log"].to_pylist()
    packets = [row for row in rows if row["signal_source"] == 0]
    assert len(packets) == len(alone["l7_flow_log"])
    assert {row["syscall_thread_0"] for row in packets} == {0}
    assert sorted(row["observation_point"] for row in rows if row["signal_source"] == 3) == ["c-p", "s-p"]
    assert both["l4_flow_log"].equals(alone["l4_flow_log"])


def test_packets_alone_have_no_columns_of_calls() -> None:
    found = run(build("native", ["http"]), [PacketBlock(pcap("http"), BlockFormat.PCAP)])
    assert not [name for name in found["l7_flow_log"].schema.names if name.startswith(("process_", "syscall_"))]


@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_what_was_sent_again_has_its_place_and_leaves_no_hole(kind: str) -> None:
    socket = server()
    records = [socket.receive(REQUEST), socket.record(4, 1, b""), socket.send(RESPONSE)]
    engine = build(kind, ["http"])
    [row] = run(engine, [segment_block(records)])["l7_flow_log"].to_pylist()
    assert row["type"] == 2
    counters = engine.counters()
    assert counters["segment", "retransmitted"] == 1
    assert not {reason for _, reason in counters} & {"unknown_kind", "records_missing", "records_after_their_turn"}


def test_a_wrong_layout_is_refused_in_words() -> None:
    engine = build("native")
    with pytest.raises(EngineError, match="segments of layout 9: this engine reads layout 1"):
        engine.push(SegmentBlock(b"", format=9))


def _damages(record: bytes) -> Sequence[tuple[str, Callable[[bytearray], None]]]:
    def set_at(at: int, value: bytes) -> Callable[[bytearray], None]:
        return lambda data: data.__setitem__(slice(at, at + len(value)), value)

    return [
        ("unknown_kind", set_at(4, b"\x09")),
        ("payload_beyond_record", set_at(72, b"\xff\xff\xff\x00\xff\xff\xff\x00")),
        ("impossible_time", set_at(8, b"\xff" * 8)),
        ("no_socket_id", set_at(24, bytes(8))),
    ]


@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_damage_costs_only_what_is_damaged(kind: str) -> None:
    good = server()
    before, after = good.receive(REQUEST), good.send(RESPONSE)
    for reason, damage in _damages(before):
        bad = bytearray(server(9).receive(REQUEST))
        damage(bad)
        engine = build(kind, ["http"])
        found = run(engine, [segment_block([before, bytes(bad), after])])
        assert [row["type"] for row in found["l7_flow_log"].to_pylist()] == [2]
        assert engine.counters()["segment", reason] == 1


@pytest.mark.parametrize("kind", ["native", "wasm"])
def test_garbage_is_counted_and_nothing_else_happens(kind: str) -> None:
    random = Random(1)
    whole = b"".join(conversation(4, 3))
    engine = build(kind, ["http", "redis"])
    for _ in range(60 if kind == "wasm" else 300):
        data = bytearray(whole)
        for _ in range(random.randrange(1, 40)):
            data[random.randrange(len(data))] = random.randrange(256)
        engine.push(SegmentBlock(bytes(data[: random.randrange(len(data))])))
        for _ in engine.tables():
            pass
    engine.push(SegmentBlock(random.randbytes(5000)))
    engine.finish()
    for _ in engine.tables():
        pass
    assert engine.counters()["segment", "bytes_behind_damage"] > 0


def test_ciphertext_is_shown_to_a_parser_that_asks_for_it() -> None:
    socket = client()
    hello = b"\x16\x03\x01\x00\x2c\x01\x00\x00\x28" + bytes(40)
    records = [
        socket.opened(),
        socket.send(hello[:5]),  # libraries read and write the head of a record alone, at times
        socket.send(hello[5:]),
        socket.send(REQUEST, flags=PLAINTEXT),
        socket.receive(RESPONSE, flags=PLAINTEXT),
        socket.closed(),
    ]
    engine = build("native", ["http"], explain=True)
    factory, _ = native_parser("http")
    seen = Seen()
    engine.add_parser(replace(factory.description, name="handshake", ports=(), ciphertext=True), seen)
    found = run(engine, [segment_block(records)])
    assert [row["response_code"] for row in found["l7_flow_log"].to_pylist()] == [200]
    assert b"".join(seen.checked).count(hello[:5]) >= 1
    # It is as well offered what is in the clear (here http took that), but http never saw ciphertext.
    explained = "\n".join(engine.explain(found["l7_flow_log"]["flow_id"][0].as_py()))
    assert "confirm\thttp" in explained
    assert "handshake" in explained
    assert ("segment", "ciphertext_bytes") not in engine.counters()


class Seen:
    """A parser of the host that keeps what it is shown and wants nothing."""

    def __init__(self) -> None:
        self.checked: list[bytes] = []

    def check(self, batch: memoryview) -> bytes:
        self.checked.append(bytes(batch))
        raise ParserFault("it looks only")

    def parse(self, batch: memoryview) -> bytes:
        raise ParserFault("it looks only")

    def restart(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing to free."""
