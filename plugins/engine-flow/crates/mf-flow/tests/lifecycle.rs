//! Beginning, reports, timeouts and ends of flows.

mod talk;

use mf_flow::{CloseType, Config, FlowStatus, Hints, State};
use talk::*;

/// A name, what happens, how it must end, and after how many milliseconds since the last packet.
type End = (
    &'static str,
    fn(&mut Talk) -> u64,
    CloseType,
    FlowStatus,
    u64,
);

const ENDS: &[End] = &[
    (
        "closed by both",
        |t| {
            t.handshake(0);
            t.goodbye(50, 101, 501);
            52
        },
        CloseType::Finish,
        FlowStatus::Ok,
        2_000,
    ),
    (
        "closed by the server first",
        |t| {
            t.handshake(0);
            t.s(50, FIN | ACK, 501, 101, b"");
            t.c(51, FIN | ACK, 101, 502, b"");
            t.s(52, ACK, 502, 102, b"");
            52
        },
        CloseType::Finish,
        FlowStatus::Ok,
        2_000,
    ),
    (
        "the last FIN sent again",
        |t| {
            t.handshake(0);
            t.goodbye(50, 101, 501);
            t.s(90, FIN | ACK, 501, 102, b"");
            90
        },
        CloseType::Finish,
        FlowStatus::Ok,
        2_000,
    ),
    (
        "silent after the handshake",
        |t| {
            t.handshake(0);
            30
        },
        CloseType::Timeout,
        FlowStatus::ServerError,
        300_000,
    ),
    (
        "server reset",
        |t| {
            t.handshake(0);
            t.s(50, RST, 501, 0, b"");
            50
        },
        CloseType::TcpServerRst,
        FlowStatus::ServerError,
        35_000,
    ),
    (
        "client reset after data",
        |t| {
            t.handshake(0);
            t.c(40, PSH | ACK, 101, 501, b"hello");
            t.c(50, RST, 106, 0, b"");
            50
        },
        CloseType::TcpClientRst,
        FlowStatus::ClientError,
        35_000,
    ),
    (
        "health check: reset after the handshake",
        |t| {
            t.handshake(0);
            t.c(50, RST | ACK, 101, 501, b"");
            50
        },
        CloseType::TcpFinClientRst,
        FlowStatus::Ok,
        35_000,
    ),
    (
        "health check: reset instead of the ACK",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.s(1, SYN | ACK, 500, 101, b"");
            t.c(2, RST, 101, 0, b"");
            2
        },
        CloseType::TcpFinClientRst,
        FlowStatus::Ok,
        1_000,
    ),
    (
        "no answer",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.c(1000, SYN, 100, 0, b"");
            1000
        },
        CloseType::ClientSynRepeat,
        FlowStatus::ServerError,
        5_000,
    ),
    (
        "no last ACK",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.s(1, SYN | ACK, 500, 101, b"");
            1
        },
        CloseType::ServerSynAckRepeat,
        FlowStatus::ClientError,
        5_000,
    ),
    (
        "refused",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.s(1, RST | ACK, 0, 101, b"");
            1
        },
        CloseType::ServerReset,
        FlowStatus::ServerError,
        5_000,
    ),
    (
        "client gives up while opening",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.c(1, RST, 101, 0, b"");
            1
        },
        CloseType::ClientEstablishReset,
        FlowStatus::ClientError,
        5_000,
    ),
    (
        "server resets after its SYN-ACK",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.s(1, SYN | ACK, 500, 101, b"");
            t.s(2, RST, 501, 0, b"");
            2
        },
        CloseType::ServerEstablishReset,
        FlowStatus::ServerError,
        5_000,
    ),
    (
        "only the client closed",
        |t| {
            t.handshake(0);
            t.c(40, FIN | ACK, 101, 501, b"");
            t.s(41, ACK, 501, 102, b"");
            41
        },
        CloseType::ServerHalfClose,
        FlowStatus::Ok,
        5_000,
    ),
    (
        "only the server closed",
        |t| {
            t.handshake(0);
            t.s(40, FIN | ACK, 501, 101, b"");
            t.c(41, ACK, 101, 502, b"");
            41
        },
        CloseType::ClientHalfClose,
        FlowStatus::Ok,
        5_000,
    ),
    (
        "port used again",
        |t| {
            t.c(0, SYN, 100, 0, b"");
            t.s(1, ACK, 900, 700, b"");
            t.c(2, RST, 700, 0, b"");
            2
        },
        CloseType::ClientSourcePortReuse,
        FlowStatus::ClientError,
        5_000,
    ),
    (
        "accept queue full, the server resets",
        |t| {
            t.handshake(0);
            t.s(1030, SYN | ACK, 500, 101, b"");
            t.s(2030, SYN | ACK, 500, 101, b"");
            t.s(4030, SYN | ACK, 500, 101, b"");
            t.s(8030, RST, 501, 0, b"");
            8030
        },
        CloseType::ServerQueueLack,
        FlowStatus::ServerError,
        35_000,
    ),
    (
        "the same with few packets of the server",
        |t| {
            t.handshake(0);
            t.s(1030, SYN | ACK, 500, 101, b"");
            t.s(8030, RST, 501, 0, b"");
            8030
        },
        CloseType::TcpClientRst,
        FlowStatus::ClientError,
        35_000,
    ),
    (
        "accept queue full, silence",
        |t| {
            t.handshake(0);
            t.s(1030, SYN | ACK, 500, 101, b"");
            1030
        },
        CloseType::ServerQueueLack,
        FlowStatus::ServerError,
        300_000,
    ),
    (
        "packets that fit nothing",
        |t| {
            t.handshake(0);
            t.c(40, SYN | FIN, 101, 501, b"");
            40
        },
        CloseType::Unknown,
        FlowStatus::Unknown,
        5_000,
    ),
    (
        "one direction only",
        |t| {
            t.c(0, ACK, 100, 1, b"data");
            0
        },
        CloseType::Timeout,
        FlowStatus::ServerError,
        5_000,
    ),
    (
        "UDP answered",
        |t| {
            t.udp(0, true, b"q");
            t.udp(1, false, b"a");
            1
        },
        CloseType::Finish,
        FlowStatus::Ok,
        5_000,
    ),
    (
        "UDP not answered",
        |t| {
            t.udp(0, true, b"q");
            0
        },
        CloseType::Finish,
        FlowStatus::Ok,
        5_000,
    ),
];

#[test]
fn every_way_to_end_with_its_timeout() {
    for (name, act, close, status, timeout) in ENDS {
        let mut talk = Talk::new();
        let last = act(&mut talk);
        let due = last + timeout;
        // Timeouts are looked at when a second is over: not before, and at the first second after.
        talk.wait(due.saturating_sub(1) / 1000 * 1000);
        assert!(talk.log.closed.is_empty(), "{name}: closed early");
        talk.wait(due.div_ceil(1000) * 1000);
        assert_eq!(talk.log.closed.len(), 1, "{name}: not closed");
        let report = talk.only();
        assert_eq!(
            (report.close_type, report.status),
            (*close, *status),
            "{name}"
        );
        assert_eq!(report.end_ns, START + last * MS, "{name}");
        let last_second = talk.log.seconds.last().unwrap();
        assert!(
            last_second.closing && last_second.close_type == *close,
            "{name}"
        );
        assert!(talk.table.is_empty());
    }
}

#[test]
fn seconds_are_deltas_and_minutes_are_cut_at_natural_minutes() {
    let mut talk = Talk::new();
    talk.handshake(58_500);
    talk.c(59_900, PSH | ACK, 101, 501, b"0123456789");
    talk.s(60_100, PSH | ACK, 501, 111, b"01234");
    talk.c(61_000, ACK, 111, 506, b"");
    talk.goodbye(125_000, 111, 506);
    talk.wait(130_000);
    let second = |s: &mf_flow::FlowReport| {
        (
            (s.period_ns - START) / SECOND,
            s.counts.tx.packets,
            s.counts.rx.packets,
            s.is_new_flow,
            s.closing,
        )
    };
    assert_eq!(
        talk.log.seconds.iter().map(second).collect::<Vec<_>>(),
        [
            (58, 2, 1, true, false),
            (59, 1, 0, false, false),
            (60, 0, 1, false, false),
            (61, 1, 0, false, false),
            (125, 2, 1, false, false),
            (127, 0, 0, false, true)
        ]
    );
    let minutes: Vec<_> = talk.log.minutes.iter().map(second).collect();
    assert_eq!(minutes, [(0, 3, 1, true, false), (60, 1, 1, false, false)]);
    assert_eq!(talk.log.minutes[0].close_type, CloseType::ForcedReport);
    assert_eq!(talk.log.minutes[0].end_ns, START + 59_900 * MS);
    assert_eq!(talk.log.minutes[1].start_ns, START + 60_100 * MS);
    let last = talk.only();
    assert_eq!(second(last), (120, 2, 1, false, true));
    assert_eq!((last.total_packet_tx, last.total_packet_rx), (6, 3));
    assert_eq!(
        (last.duration_us(), last.state),
        (125_002_000 - 58_500_000, State::Closed)
    );
    let ids: std::collections::HashSet<_> = talk
        .log
        .seconds
        .iter()
        .chain(&talk.log.minutes)
        .map(|r| r.flow_id)
        .collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn the_end_of_the_input_is_not_a_timeout() {
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.ports.0 = 40001;
    talk.c(40, SYN, 1, 0, b"");
    talk.finish();
    let ends: Vec<_> = talk
        .log
        .closed
        .iter()
        .map(|r| (r.client.port, r.close_type, r.status))
        .collect();
    assert_eq!(
        ends,
        [
            (40000, CloseType::ForcedReport, FlowStatus::Ok),
            (40001, CloseType::ClientSynRepeat, FlowStatus::ServerError)
        ]
    );
    assert!(talk.table.is_empty());
    talk.handshake(0); // a table can be used again
    talk.finish();
    assert_eq!(talk.log.closed.len(), 3);
}

#[test]
fn a_new_syn_on_an_ended_connection_is_a_new_flow() {
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.goodbye(50, 101, 501);
    talk.c(100, SYN, 9000, 0, b"");
    assert_eq!(talk.only().close_type, CloseType::Finish);
    talk.s(101, SYN | ACK, 70, 9001, b"");
    talk.c(102, ACK, 9001, 71, b"");
    talk.finish();
    assert_eq!(talk.log.closed.len(), 2);
    assert_ne!(talk.log.closed[0].flow_id, talk.log.closed[1].flow_id);
    assert_eq!(talk.log.closed[1].syn_seq, 9000);
    // The same SYN again (a client that tries a refused port three times) is not.
    let mut talk = Talk::new();
    for i in 0..3 {
        talk.c(i * 500, SYN, 100, 0, b"");
        talk.s(i * 500 + 1, RST | ACK, 0, 101, b"");
    }
    talk.finish();
    assert_eq!(
        (talk.only().close_type, talk.only().counts.retrans_syn),
        (CloseType::ServerReset, 2)
    );
}

#[test]
fn a_reset_after_a_good_response_is_a_normal_end() {
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.c(40, PSH | ACK, 101, 501, b"GET");
    talk.log.answer = Hints {
        ok_response: true,
        ..Hints::default()
    };
    talk.s(50, PSH | ACK, 501, 104, b"200");
    talk.c(60, RST | ACK, 104, 504, b"");
    talk.finish();
    assert_eq!(
        (talk.only().close_type, talk.only().status),
        (CloseType::TcpFinClientRst, FlowStatus::Ok)
    );
}

#[test]
fn times_at_the_end_of_the_clock() {
    let mut talk = Talk::new();
    talk.handshake(0);
    let rest = (u64::MAX - START) / MS;
    talk.c(rest - 1, PSH | ACK, 101, 501, b"in the year 2554");
    talk.s(rest, PSH | ACK, 501, 117, b"so late");
    talk.wait(rest);
    talk.finish();
    assert_eq!(
        talk.log.closed.len(),
        2,
        "the first flow timed out on the way"
    );
}

#[test]
fn a_full_table_gives_up_what_would_time_out_soonest() {
    let mut talk = Talk::with(Config {
        max_flows: 10,
        ..Config::default()
    });
    for port in 1..=5 {
        talk.ports.0 = port;
        talk.handshake(0); // 300 s
    }
    for port in 6..=1005 {
        talk.ports.0 = port;
        talk.c(100, SYN, 1, 0, b""); // 5 s
    }
    assert_eq!(talk.table.len(), 10);
    assert_eq!(talk.table.counters().get("flow", "evicted_table_full"), 995);
    assert!(talk
        .log
        .closed
        .iter()
        .all(|r| r.close_type == CloseType::ClientSynRepeat));
    for port in 2000..2010 {
        talk.ports.0 = port;
        talk.handshake(200);
    }
    talk.finish();
    assert_eq!(talk.log.closed.len(), 1015);
    // An open connection that gave way was alive.
    assert!(talk
        .log
        .closed
        .iter()
        .all(|r| r.close_type != CloseType::Timeout));
}

#[test]
fn time_that_steps_back_starts_over() {
    let mut talk = Talk::new();
    talk.handshake(3_600_000);
    talk.ports.0 = 40001;
    for i in 0..63 {
        talk.c(i, ACK, 1, 1, b"late");
    }
    assert!(talk.log.closed.is_empty());
    talk.c(63, ACK, 1, 1, b"late");
    assert_eq!(talk.log.closed.len(), 2);
    assert_eq!(talk.table.counters().get("flow", "time_stepped_back"), 1);
    talk.wait(10_000);
    assert_eq!(talk.log.closed.len(), 3, "time goes on from there");
}

#[test]
fn packets_that_are_long_late_are_one_flow_that_waits_as_any_other() {
    let mut talk = Talk::with(Config {
        max_flows: 10,
        ..Config::default()
    });
    talk.handshake(100_000);
    talk.ports.0 = 40001;
    for i in 0..20 {
        // By its own time each one's flow would have been given up before it came: its silence counts from then on.
        talk.c(50_000 + i, ACK, 1, 1, b"late");
    }
    talk.wait(104_900);
    assert_eq!(talk.log.closed.len(), 0);
    talk.c(50_100, ACK, 5, 1, b"later");
    talk.wait(108_900);
    assert_eq!(
        talk.log.closed.len(),
        0,
        "what comes late goes on in its flow"
    );
    talk.wait(110_000);
    assert_eq!(talk.log.closed.len(), 1, "and ends once");
    assert_eq!(talk.log.closed[0].total_packet_tx, 21);
    assert_eq!(talk.table.len(), 1);
    for port in 2000..2009 {
        talk.ports.0 = port;
        talk.handshake(102_000);
    }
    assert_eq!(
        talk.table.counters().get("flow", "refused_table_full"),
        0,
        "the table knows how many flows it has"
    );
    talk.finish();
    assert_eq!(talk.log.closed.len(), 11);
}

#[test]
fn segments_reach_the_sink_with_their_direction() {
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.c(40, PSH | ACK, 101, 501, b"ab");
    talk.c(45, PSH | ACK, 101, 501, b"ab");
    talk.s(50, PSH | ACK, 501, 103, b"xyz");
    talk.goodbye(60, 103, 504);
    let heard: Vec<_> = talk
        .log
        .segments
        .iter()
        .map(|s| {
            (
                s.way as u8,
                s.seq,
                s.flags,
                s.payload.len(),
                s.retransmission,
            )
        })
        .collect();
    assert_eq!(
        heard,
        [
            (0, 100, SYN, 0, false),
            (1, 500, SYN | ACK, 0, false),
            (0, 101, PSH | ACK, 2, false),
            (0, 101, PSH | ACK, 2, true),
            (1, 501, PSH | ACK, 3, false),
            (0, 103, FIN | ACK, 0, false),
            (1, 504, FIN | ACK, 0, false),
        ]
    );
}
