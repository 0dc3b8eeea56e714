//! TCP, UDP and ICMP measurements from conversations with known times (the handshake takes 20 ms to the server, 10 to the client).

mod talk;

use mf_flow::{Config, Counts, Latency};
use talk::build::{eth, ip4};
use talk::*;

fn ms(values: &[u64]) -> Latency {
    let us = |v: &u64| v * 1000;
    Latency {
        sum: values.iter().map(us).sum(),
        count: values.len() as u32,
        max: values.iter().map(us).max().unwrap_or(0) as u32,
    }
}

/// Runs a conversation and gives its counters.
fn counts(act: impl Fn(&mut Talk)) -> Counts {
    let mut talk = Talk::new();
    act(&mut talk);
    talk.finish();
    talk.only().counts
}

#[test]
fn handshake_times() {
    let c = counts(|t| t.handshake(0));
    assert_eq!(
        (c.rtt, c.rtt_server, c.rtt_client),
        (ms(&[30]), ms(&[20]), ms(&[10]))
    );
    assert_eq!(
        (c.syn, c.synack, c.fin, c.retrans_syn, c.retrans_synack),
        (1, 1, 0, 0, 0)
    );
}

#[test]
fn handshake_retransmissions_count_from_the_first() {
    let c = counts(|t| {
        t.c(0, SYN, 100, 0, b"");
        t.c(1000, SYN, 100, 0, b"");
        t.s(1020, SYN | ACK, 500, 101, b"");
        t.s(2020, SYN | ACK, 500, 101, b"");
        t.c(2030, ACK, 101, 501, b"");
    });
    assert_eq!(
        (c.rtt, c.rtt_server, c.rtt_client),
        (ms(&[2030]), ms(&[1020, 2020]), ms(&[1010]))
    );
    assert_eq!(
        (c.syn, c.synack, c.retrans_syn, c.retrans_synack),
        (2, 2, 1, 1)
    );
    assert_eq!((c.tx.retrans, c.rx.retrans), (1, 1));
}

#[test]
fn a_syn_ack_sent_again_is_answered_again() {
    // The first ACK is lost behind the capture. `rtt` is the first one's, `rtt_client` has both.
    let c = counts(|t| {
        t.handshake(0);
        t.c(40, PSH | ACK, 101, 501, b"request");
        t.s(1020, SYN | ACK, 500, 101, b"");
        t.c(1030, ACK, 108, 501, b"");
        t.c(1031, ACK, 108, 501, b""); // answers no further SYN-ACK
        t.s(1040, ACK, 501, 108, b"");
        t.s(1050, SYN | ACK, 500, 101, b""); // late copy: the handshake is over
        t.c(1060, ACK, 108, 501, b"");
    });
    assert_eq!(
        (c.rtt, c.rtt_client, c.rtt_server),
        (ms(&[30]), ms(&[10, 1010]), ms(&[20, 1020, 1050]))
    );
    assert_eq!((c.retrans_synack, c.rx.retrans), (2, 2));
}

#[test]
fn who_sends_syn_for_the_first_time_sends_nothing_again() {
    // Both open at once (RFC 9293, 3.5): each SYN and each SYN-ACK is its sender's first.
    let c = counts(|t| {
        t.c(0, SYN, 100, 0, b"");
        t.s(1, SYN, 500, 0, b"");
        t.c(2, SYN | ACK, 100, 501, b"");
        t.s(3, SYN | ACK, 500, 101, b"");
    });
    assert_eq!((c.syn, c.synack), (2, 2));
    assert_eq!(
        (c.retrans_syn, c.retrans_synack, c.tx.retrans, c.rx.retrans),
        (0, 0, 0, 0)
    );
    // Captured behind the SYN-ACK a SYN is still the first, and another one is not.
    let mut talk = Talk::new();
    talk.s(0, SYN | ACK, 500, 101, b"");
    talk.c(1, SYN, 100, 0, b"");
    talk.c(2, SYN, 100, 0, b"");
    talk.finish();
    let report = talk.only();
    assert_eq!(
        (report.counts.retrans_syn, report.counts.tx.retrans),
        (1, 1)
    );
    assert_eq!((report.syn_seq, report.syn_ack_seq), (100, 500));
}

#[test]
fn no_round_trip_without_a_clean_handshake() {
    // The SYN-ACK captured before the SYN.
    let c = counts(|t| {
        t.s(0, SYN | ACK, 500, 101, b"");
        t.c(1, SYN, 100, 0, b"");
        t.c(10, ACK, 101, 501, b"");
    });
    assert_eq!(
        (c.rtt.count, c.rtt_server.count, c.rtt_client.count),
        (0, 0, 1)
    );
    // The first packet after the SYN-ACK carries data: no pure ACK completes the handshake.
    let c = counts(|t| {
        t.c(0, SYN, 100, 0, b"");
        t.s(20, SYN | ACK, 500, 101, b"");
        t.c(30, PSH | ACK, 101, 501, b"request");
        t.s(40, ACK, 501, 108, b"");
        t.c(99, ACK, 108, 501, b"");
    });
    assert_eq!(
        (c.rtt.count, c.rtt_client.count, c.rtt_server.count),
        (0, 0, 1)
    );
    // More than 30 seconds are no round trip.
    let c = counts(|t| {
        t.c(0, SYN, 100, 0, b"");
        t.s(4_000, SYN | ACK, 500, 101, b"");
        t.c(8_000, SYN | ACK, 500, 101, b"");
    });
    assert_eq!(c.rtt.count, 0);
}

#[test]
fn service_and_application_times() {
    let c = counts(|t| {
        t.handshake(0);
        t.c(50, PSH | ACK, 101, 501, b"request");
        t.s(53, ACK, 501, 108, b""); // srt 3
        t.s(60, PSH | ACK, 501, 108, b"response"); // art 10
        t.c(61, ACK, 108, 509, b"");
        t.c(100, PSH | ACK, 108, 509, b"request"); // cit 40
        t.s(120, PSH | ACK, 509, 115, b"response"); // art 20, no pure ACK: no srt
        t.s(121, PSH | ACK, 517, 115, b"more"); // not another one
    });
    assert_eq!((c.srt, c.art), (ms(&[3]), ms(&[10, 20])));
    assert_eq!(
        c.cit,
        ms(&[20, 40]),
        "20 ms from the handshake's end to the first request"
    );
}

#[test]
fn what_is_no_answer_is_not_measured() {
    let c = counts(|t| {
        t.handshake(0);
        t.c(50, ACK, 101, 501, b"first part"); // no PSH
        t.s(51, ACK, 501, 111, b"");
        t.c(52, PSH | ACK, 111, 501, b"rest");
        t.s(53, ACK, 501, 111, b""); // acknowledges the first part only
        t.s(54, ACK, 501, 115, b""); // not the next packet any more
        t.s(55, PSH | ACK, 601, 115, b"a gap before it");
    });
    assert_eq!((c.srt.count, c.art.count), (0, 0));
    // A request sent twice: nobody knows which copy is answered.
    let c = counts(|t| {
        t.handshake(0);
        t.c(50, PSH | ACK, 101, 501, b"request");
        t.c(250, PSH | ACK, 101, 501, b"request");
        t.s(260, ACK, 501, 108, b"");
        t.s(261, PSH | ACK, 501, 108, b"response");
    });
    assert_eq!((c.srt.count, c.art.count, c.tx.retrans), (0, 0, 1));
    // Too late: srt has 10 s, art 30 s.
    let c = counts(|t| {
        t.handshake(0);
        t.c(50, PSH | ACK, 101, 501, b"request");
        t.s(10_051, ACK, 501, 108, b"");
        t.s(30_051, PSH | ACK, 501, 108, b"response");
    });
    assert_eq!((c.srt.count, c.art.count), (0, 0));
}

#[test]
fn a_connection_joined_in_the_middle_is_measured_from_the_first_request() {
    let c = counts(|t| {
        t.c(0, PSH | ACK, 101, 501, b"request");
        t.s(10, PSH | ACK, 501, 108, b"response");
    });
    assert_eq!((c.art, c.rtt.count), (ms(&[10]), 0));
}

#[test]
fn retransmission_reordering_and_overlap() {
    let c = counts(|t| {
        t.handshake(0);
        t.c(40, ACK, 101, 501, b"0123456789");
        t.c(41, ACK, 121, 501, b"0123456789"); // 111..121 is missing
        t.c(42, ACK, 111, 501, b"0123456789"); // out of order
        t.c(43, ACK, 111, 501, b"0123456789"); // retransmission
        t.c(44, ACK, 105, 501, b"0123456789"); // a retransmission cut anew
        t.c(45, ACK, 126, 501, b"0123456789"); // half new: nothing
        t.c(46, ACK, 136, 501, b"x"); // one byte in order is data
        t.c(47, ACK, 137, 501, b"yy");
        t.c(48, ACK, 136, 501, b"x"); // one byte again is a keep-alive, not a retransmission
    });
    assert_eq!(
        (c.tx.retrans, c.tx.ooo, c.rx.retrans, c.rx.ooo),
        (2, 1, 0, 0)
    );
}

#[test]
fn sequence_numbers_wrap() {
    let c = counts(|t| {
        t.c(0, SYN, u32::MAX - 5, 0, b"");
        t.s(20, SYN | ACK, u32::MAX, u32::MAX - 4, b"");
        t.c(30, ACK, u32::MAX - 4, 0, b"");
        t.c(40, PSH | ACK, u32::MAX - 4, 0, b"0123456789");
        t.s(41, ACK, 0, 5, b"");
        t.c(42, PSH | ACK, 5, 0, b"0123456789");
        t.c(43, PSH | ACK, u32::MAX - 4, 0, b"0123456789");
    });
    assert_eq!(
        (c.tx.retrans, c.tx.ooo, c.srt, c.rtt),
        (1, 0, ms(&[1]), ms(&[30]))
    );
}

#[test]
fn zero_windows_outside_the_handshake() {
    let c = counts(|t| {
        t.window = 0;
        t.handshake(0); // SYN and SYN-ACK do not count, the ACK does
        t.s(50, ACK, 501, 101, b"");
        t.s(60, RST, 501, 101, b"");
        t.window = 1;
        t.c(70, ACK, 101, 501, b"");
    });
    assert_eq!((c.tx.zero_win, c.rx.zero_win), (1, 1));
}

#[test]
fn keep_alives_and_fins() {
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.c(40, PSH | ACK, 101, 501, b"abc");
    talk.s(41, ACK, 501, 104, b"");
    talk.c(10_000, ACK, 103, 501, b"");
    talk.s(10_001, ACK, 501, 104, b"");
    talk.goodbye(11_000, 104, 501);
    talk.finish();
    let report = talk.only();
    assert_eq!(
        (report.last_keepalive_seq, report.last_keepalive_ack),
        (103, 501)
    );
    assert_eq!(
        (report.syn_seq, report.syn_ack_seq, report.counts.fin),
        (100, 500, 2)
    );
    assert_eq!(
        (report.counts.tx.tcp_flags, report.counts.rx.tcp_flags),
        (SYN | ACK | PSH | FIN, SYN | ACK | FIN)
    );
}

#[test]
fn bytes_at_each_layer() {
    let c = counts(|t| {
        t.c(0, PSH | ACK, 101, 501, b"0123456789");
        t.s(1, ACK, 501, 111, b"");
    });
    assert_eq!(
        (c.tx.packets, c.tx.bytes, c.tx.l3_bytes, c.tx.l4_bytes),
        (1, 64, 30, 10)
    );
    assert_eq!(
        (c.rx.packets, c.rx.bytes, c.rx.l3_bytes, c.rx.l4_bytes),
        (1, 54, 20, 0)
    );
}

#[test]
fn udp_answers() {
    let c = counts(|t| {
        t.udp(0, true, b"q1");
        t.udp(5, true, b"q2");
        t.udp(15, false, b"a1"); // 10 after the latest request
        t.udp(16, false, b"a2"); // not the first answer
        t.udp(20, true, b"q3");
        t.udp(24, false, b"a3");
    });
    assert_eq!(c.art, ms(&[10, 4]));
}

#[test]
fn icmp_echo() {
    let mut talk = Talk::new();
    let echo = |kind: u8, seq: u8| [kind, 0, 0, 0, 0, 9, 0, seq, 1, 2];
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    for (at, from_a, kind, seq) in [
        (0, true, 8, 1),
        (1, true, 8, 2),
        (7, false, 0, 1),
        (11, false, 0, 2),
        (12, false, 0, 2),
        (13, false, 0, 9),
    ] {
        let (src, dst) = if from_a { (a, b) } else { (b, a) };
        talk.frame(at * MS, &eth(0x0800, &ip4(src, dst, 1, &echo(kind, seq))));
    }
    talk.finish();
    assert_eq!(talk.only().counts.srt, ms(&[7, 10]));
    assert_eq!(talk.log.segments.len(), 6);
    // A reply first: its sender is the server.
    let mut talk = Talk::new();
    talk.frame(0, &eth(0x0800, &ip4(a, b, 1, &echo(0, 1))));
    talk.finish();
    assert_eq!(talk.only().server.addr.to_string(), "10.0.0.1");
}

#[test]
fn packets_with_impossible_flags_or_older_times_are_not_measured() {
    let c = counts(|t| {
        t.handshake(0);
        t.c(40, PSH, 101, 501, b"no ACK with it");
        t.c(41, 0, 101, 501, b"no flags");
        t.c(42, PSH | ACK, 101, 501, b"real");
    });
    assert_eq!((c.tx.retrans, c.tx.ooo, c.tx.packets), (0, 0, 5));
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.c(50, PSH | ACK, 101, 501, b"request");
    talk.s(49, PSH | ACK, 501, 108, b"response"); // the capture's queues disagree about the time
    talk.finish();
    assert_eq!(
        (talk.only().counts.art.count, talk.only().counts.rx.packets),
        (0, 2)
    );
    assert_eq!(
        talk.table
            .counters()
            .get("flow", "older_than_the_packet_before"),
        1
    );
    assert_eq!(
        talk.log.segments.len(),
        4,
        "the stream gets it all the same"
    );
}

#[test]
fn other_protocols_are_flows_of_packets_and_bytes() {
    let mut talk = Talk::with(Config::default());
    let arp = |reply: bool| {
        let (s, t) = if reply { (2u8, 1u8) } else { (1, 2) };
        eth(
            0x0806,
            &[
                0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, s, 10, 0, 0, s, 0, 0, 0, 0, 0, t, 10, 0, 0,
                t,
            ],
        )
    };
    talk.frame(0, &arp(false));
    talk.frame(MS, &arp(true));
    talk.frame(
        2 * MS,
        &eth(
            0x0800,
            &ip4([10, 0, 0, 1], [224, 0, 0, 5], 89, b"ospf hello"),
        ),
    );
    talk.frame(3 * MS, &eth(0x88cc, b"lldp"));
    talk.finish();
    let seen: Vec<_> = talk
        .log
        .closed
        .iter()
        .map(|r| {
            (
                r.eth_type,
                r.protocol,
                r.counts.tx.packets,
                r.counts.rx.packets,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [(0x0806, 0, 1, 1), (0x0800, 89, 1, 0), (0x88cc, 0, 1, 0)]
    );
    assert!(talk.log.segments.is_empty());
}
