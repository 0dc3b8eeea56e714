//! Real connections through a wire that loses, delays and reorders (`plugins/engine-flow/tests/captures/tcp-make.sh`): the
//! numbers here are those of tshark's analysis, differences are explained in `docs/explanation/tcp-metrics.md`.

mod talk;

use std::path::Path;

use mf_flow::{CloseType, Config, Counts, FlowTable};
use mf_packet::{Decoder, Format, FrameReader};
use talk::Log;

/// Reads a little-endian microsecond capture in blocks of an odd size.
fn run(name: &str) -> Log {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/captures")
        .join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(
        bytes[..4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        "{name} is no little-endian pcap file"
    );
    let mut reader = FrameReader::new(Format::Pcap, 0, 1);
    let mut decoder = Decoder::default();
    let mut table = FlowTable::new(Config::default());
    let mut log = Log::default();
    for block in bytes[24..].chunks(777) {
        reader.read(block, |frame| {
            let packet = decoder
                .decode(&frame)
                .expect("every frame of these captures is a packet");
            table.push(&packet, &mut log);
        });
    }
    reader.finish();
    table.finish(&mut log);
    assert!(
        reader.counters().is_empty()
            && decoder.counters().is_empty()
            && table.counters().is_empty()
    );
    log
}

fn sum(log: &Log, value: impl Fn(&Counts) -> u64) -> u64 {
    log.seconds.iter().map(|report| value(&report.counts)).sum()
}

/// (packets, retransmissions, out of order, zero windows, round trips, their sum in us, SYN, SYN-ACK, FIN)
fn numbers(log: &Log) -> [u64; 9] {
    [
        sum(log, |c| c.tx.packets + c.rx.packets),
        sum(log, |c| (c.tx.retrans + c.rx.retrans).into()),
        sum(log, |c| (c.tx.ooo + c.rx.ooo).into()),
        sum(log, |c| (c.tx.zero_win + c.rx.zero_win).into()),
        sum(log, |c| c.rtt.count.into()),
        sum(log, |c| c.rtt.sum),
        sum(log, |c| c.syn.into()),
        sum(log, |c| c.synack.into()),
        sum(log, |c| c.fin.into()),
    ]
}

#[test]
fn delay() {
    let log = run("tcp-delay.pcap");
    // tshark: 74 packets, no retransmission, 5 initial round trips of 93731 us together.
    assert_eq!(numbers(&log), [74, 0, 0, 0, 5, 93_731, 5, 5, 10]);
    // nginx answered 15 requests.
    assert_eq!(
        (
            sum(&log, |c| c.art.count.into()),
            sum(&log, |c| c.cit.count.into())
        ),
        (15, 15)
    );
    assert!(log.closed.iter().all(|r| r.close_type == CloseType::Finish
        && r.server.port == 8080
        && r.direction_score == 255));
}

#[test]
fn loss_seen_at_the_server() {
    let log = run("tcp-loss-server.pcap");
    // tshark: 20 retransmissions + 12 "out of order" that fill no gap; 2 of the 20 are not copies of captured payload.
    assert_eq!(numbers(&log), [690, 30, 0, 0, 6, 121_852, 6, 6, 12]);
    assert_eq!(
        sum(&log, |c| c.rx.retrans.into()),
        30,
        "the server sends again what the client did not get"
    );
}

#[test]
fn loss_seen_at_the_client() {
    let log = run("tcp-loss-client.pcap");
    // tshark: 16 + 2; here 3 copies, 12 that fill a gap, and 3 without captured original that tshark guesses by time.
    // The round trip of one connection is measured from the first of two SYNs.
    assert_eq!(numbers(&log), [664, 3, 12, 0, 6, 1_124_910, 7, 7, 14]);
    assert_eq!(
        (
            sum(&log, |c| c.retrans_syn.into()),
            sum(&log, |c| c.retrans_synack.into())
        ),
        (1, 1)
    );
    assert!(log.closed.iter().all(|r| r.close_type == CloseType::Finish));
}

#[test]
fn reordering() {
    let log = run("tcp-reorder.pcap");
    // tshark: 62 out of order + 4 "fast retransmissions" that fill a gap, 48 spurious retransmissions.
    assert_eq!(numbers(&log), [358, 48, 66, 0, 4, 61_120, 4, 4, 8]);
}

#[test]
fn duplicates() {
    let log = run("tcp-duplicate.pcap");
    // tshark: 31 retransmissions, of which one is a FIN without data; 2 of them are SYN-ACKs. Nothing out of order.
    assert_eq!(numbers(&log), [334, 30, 0, 0, 4, 56_360, 4, 6, 9]);
    assert_eq!(sum(&log, |c| c.retrans_synack.into()), 2);
}

#[test]
fn zero_window() {
    let log = run("tcp-zero-window.pcap");
    assert_eq!(numbers(&log), [58, 1, 0, 3, 1, 6_137, 1, 1, 2]);
    assert_eq!(
        sum(&log, |c| c.tx.zero_win.into()),
        3,
        "the client's window closed"
    );
}

#[test]
fn ways_to_end() {
    let log = run("tcp-ends.pcap");
    // tshark has a fourth round trip: SYN to RST of the refused connection.
    assert_eq!(numbers(&log), [24, 3, 0, 0, 3, 12_880, 8, 3, 2]);
    let ends: Vec<_> = log.closed.iter().map(|r| r.close_type).collect();
    // In the order of their timeouts: the closed one waits 2 s; the others end with the input, in the order of their start.
    assert_eq!(
        ends,
        [
            CloseType::Finish,
            CloseType::ServerReset,
            CloseType::TcpFinClientRst,
            CloseType::TcpClientRst,
            CloseType::ClientSynRepeat
        ]
    );
}

#[test]
fn the_same_capture_gives_the_same_reports() {
    let text = |log: Log| format!("{:?}{:?}{:?}", log.seconds, log.minutes, log.closed);
    assert!(text(run("tcp-loss-client.pcap")) == text(run("tcp-loss-client.pcap")));
}
