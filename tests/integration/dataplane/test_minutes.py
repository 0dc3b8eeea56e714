"""Rows of natural minutes, of seconds and of flows tell the same."""

from __future__ import annotations

from typing import Any

import pytest
from frames import ACK, MILLISECOND, RST, SYN, Talk, pcap_bytes

import metaflow_core as mf

SECOND = 1000 * MILLISECOND
#: Half a second before a natural minute.
BEGIN = 1_700_000_040 * SECOND - SECOND // 2
SUMS = (
    "packet_tx",
    "packet_rx",
    "byte_tx",
    "byte_rx",
    "l3_byte_tx",
    "l3_byte_rx",
    "l4_byte_tx",
    "l4_byte_rx",
    "retrans_tx",
    "retrans_rx",
    "zero_win_tx",
    "ooo_tx",
    "syn_count",
    "synack_count",
    "retrans_syn",
    "retrans_synack",
    "srt_sum",
    "srt_count",
    "art_sum",
    "art_count",
    "cit_sum",
    "cit_count",
)


def conversation() -> Talk:
    """Four minutes: a request now and then, one of them sent again, a silent minute, a close."""
    talk = Talk(8080, now=BEGIN - MILLISECOND)
    talk.open()
    for pause in (0, 20, 45, 100):
        talk.now += pause * SECOND
        talk.c("ask")
        if pause == 20:
            talk.raw(0, b"ask", seq=talk.seq[0] - 3)
        talk.raw(1, flags=ACK)
        talk.s("answer")
        talk.raw(0, flags=ACK)
    return talk.close()


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("minutes") / "minutes.pcap"
    reset = Talk(8080, client_port=40001, now=BEGIN + 70 * SECOND).open().c("ask")
    reset.raw(1, flags=RST | ACK)
    lonely = Talk(8080, client_port=40002, now=BEGIN + 130 * SECOND)
    lonely.raw(0, flags=SYN)
    frames = [*conversation().frames, *reset.frames, *lonely.frames]
    path.write_bytes(pcap_bytes(sorted(frames, key=lambda frame: frame.time_ns)))
    return mf.read_pcap(str(path))


def rows(capture: Any, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = capture.table(table).to_arrow().to_pylist()
    return found


def test_a_flow_has_a_row_for_each_minute_in_which_it_spoke(capture: Any) -> None:
    flow = [row for row in rows(capture, "l4_flow_log") if row["client_port"] == 40000]
    assert len({row["flow_id"] for row in flow}) == 1
    times = [(row["start_time"].timestamp(), row["end_time"].timestamp()) for row in flow]
    # Before the minute, two rows of two minutes, nothing of the silent one, and the end.
    assert [row["close_type"] for row in flow] == ["forced_report", "forced_report", "forced_report", "finish"]
    assert [row["is_new_flow"] for row in flow] == [True, False, False, False]
    assert [int(end // 60) for _, end in times] == [28333333, 28333334, 28333335, 28333336]
    assert times[0][0] == pytest.approx(BEGIN / 1e9)
    assert [row["duration"] for row in flow] == [round((end - times[0][0]) * 1e6) for _, end in times]
    assert [row["retrans_tx"] for row in flow] == [0, 1, 0, 0]
    assert [row["total_packet_tx"] for row in flow][-1] == sum(row["packet_tx"] for row in flow)
    # The handshake is the first row's, the FINs are the last one's.
    assert [row["rtt"] for row in flow] == [2 * MILLISECOND / 1000, 0, 0, 0]
    flags = [(row["tcp_flags_bit_0"], row["fin_count"]) for row in flow]
    assert (flags[0], flags[-1]) == (("SYN|PSH|ACK", 0), ("FIN|PSH|ACK", 2))


@pytest.mark.parametrize("table", ["network_map.1s", "network_map.1m"])
def test_metrics_add_up_to_the_flows_over_minutes(capture: Any, table: str) -> None:
    flows, found = rows(capture, "l4_flow_log"), rows(capture, table)
    for column in SUMS:
        assert sum(row[column] for row in found) == sum(row[column] for row in flows), column
    assert sum(row["new_flow"] for row in found) == sum(row["closed_flow"] for row in found) == 3
    # The reset after a handshake is the server's, the SYN without an answer its miss.
    ends = {name: sum(row[name] for row in found) for name in ("server_rst_flow", "server_syn_miss", "tcp_timeout")}
    assert ends == {"server_rst_flow": 1, "server_syn_miss": 1, "tcp_timeout": 0}
    assert max(row["rtt_max"] for row in found) == max(row["rtt"] for row in flows) > 0
