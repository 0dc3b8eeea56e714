//! Prints the flows of a capture as JSON lines, or how fast they are found:
//! `cargo run --release --example flowdump -- FILE [--bench ROUNDS | --segments]`,
//! the last for the segments that are retransmissions or out of order.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use mf_flow::{Config, FlowReport, FlowSink, FlowTable, FlowView, Hints, ReportKind, Segment};
use mf_packet::{Decoder, Format, FrameReader};

#[derive(Default)]
struct Print {
    quiet: bool,
    last: bool,
    list: bool,
    segments: u64,
    reports: u64,
    closed: u64,
    totals: std::collections::BTreeMap<&'static str, u64>,
}

impl FlowSink for Print {
    type Ext = ();

    fn on_payload(&mut self, _: &FlowView, (): &mut (), segment: Segment<'_>) -> Hints {
        self.segments += 1;
        if self.list && (segment.retransmission || segment.out_of_order) {
            let kind = if segment.retransmission {
                "retransmission"
            } else {
                "out_of_order"
            };
            println!(
                "{} {} {} {kind}",
                segment.time_ns, segment.seq, segment.wire_len
            );
        }
        Hints::default()
    }

    fn on_report(&mut self, report: &FlowReport, (): &mut ()) {
        if report.kind == ReportKind::Second {
            self.reports += 1;
            if self.quiet && !self.last {
                return;
            }
            let c = &report.counts;
            for (name, value) in [
                ("packets", c.tx.packets + c.rx.packets),
                ("retrans", u64::from(c.tx.retrans) + u64::from(c.rx.retrans)),
                (
                    "zero_win",
                    u64::from(c.tx.zero_win) + u64::from(c.rx.zero_win),
                ),
                ("ooo", u64::from(c.tx.ooo) + u64::from(c.rx.ooo)),
                ("syn", c.syn.into()),
                ("synack", c.synack.into()),
                ("retrans_syn", c.retrans_syn.into()),
                ("retrans_synack", c.retrans_synack.into()),
                ("fin", c.fin.into()),
                ("rtt_count", c.rtt.count.into()),
                ("rtt_sum", c.rtt.sum),
                ("rtt_client_sum", c.rtt_client.sum),
                ("rtt_server_sum", c.rtt_server.sum),
                ("srt_count", c.srt.count.into()),
                ("art_count", c.art.count.into()),
                ("cit_count", c.cit.count.into()),
            ] {
                *self.totals.entry(name).or_default() += value;
            }
        }
    }

    fn on_close(&mut self, r: &FlowReport, (): ()) {
        self.closed += 1;
        if self.quiet {
            return;
        }
        println!(
            "{{\"flow_id\":{},\"client\":\"{}\",\"cport\":{},\"server\":\"{}\",\"sport\":{},\"proto\":{},\"close\":\"{:?}\",\"status\":\"{:?}\",\"state\":\"{:?}\",\"score\":{},\"dur_us\":{},\"ptx\":{},\"prx\":{},\"btx\":{},\"brx\":{},\"tunnel\":\"{:?}\",\"counts\":\"{:?}\"}}",
            r.flow_id, r.client.addr, r.client.port, r.server.addr, r.server.port, r.protocol, r.close_type, r.status,
            r.state, r.direction_score, r.duration_us(), r.total_packet_tx, r.total_packet_rx, r.total_byte_tx,
            r.total_byte_rx, r.client.tunnel, r.counts
        );
    }
}

/// The next block of the file, none at its end.
fn fill<'a>(file: &mut File, block: &'a mut [u8]) -> Option<&'a [u8]> {
    let len = file.read(block).expect("a readable file");
    (len != 0).then(|| &block[..len])
}

/// The format, flags, link type and start of the records of a file.
fn format_of(bytes: &[u8]) -> Option<(Format, u32, u16, u64)> {
    let flags = match bytes.get(..4)? {
        [0xd4, 0xc3, 0xb2, 0xa1] => 0,
        [0xa1, 0xb2, 0xc3, 0xd4] => 1,
        [0x4d, 0x3c, 0xb2, 0xa1] => 2,
        [0xa1, 0xb2, 0x3c, 0x4d] => 3,
        [0x0a, 0x0d, 0x0d, 0x0a] => return Some((Format::Pcapng, 0, 0, 0)),
        _ => return None,
    };
    let link = bytes.get(20..24)?.first_chunk::<4>()?;
    let link = if flags & 1 == 0 {
        u32::from_le_bytes(*link)
    } else {
        u32::from_be_bytes(*link)
    };
    Some((Format::Pcap, flags, link as u16, 24))
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let path = args.get(1).expect("a capture file");
    let rounds = args
        .iter()
        .position(|a| a == "--bench")
        .map(|at| args[at + 1].parse::<usize>().expect("a number"));
    let stage: u32 =
        std::env::var("STAGE").map_or(2, |s| s.parse().expect("0 frames, 1 packets, 2 flows"));
    let list = args.iter().any(|a| a == "--segments");
    let mut block = vec![0; 1 << 20];
    for round in 0..rounds.unwrap_or(1) {
        let mut file = File::open(path).expect("a readable file");
        let mut head = [0; 24];
        file.read_exact(&mut head)
            .expect("a capture file has at least 24 bytes");
        let (format, flags, link, start) = format_of(&head).expect("a pcap or pcapng file");
        file.seek(SeekFrom::Start(start)).expect("a seekable file");
        let mut reader = FrameReader::new(format, flags, link);
        let mut decoder = Decoder::default();
        let mut table = FlowTable::new(Config::default());
        let mut sink = Print {
            quiet: rounds.is_some() || list,
            list,
            last: list,
            ..Print::default()
        };
        let (mut frames, mut peak) = (0, 0);
        let mut took = Duration::ZERO;
        while let Some(bytes) = fill(&mut file, &mut block) {
            // The time to read the file is not ours: a block is warm when a collector hands it over.
            let begin = Instant::now();
            frames += reader.read(bytes, |frame| {
                if stage == 0 {
                    sink.segments += frame.time_ns & 1;
                } else if let Some(packet) = decoder.decode(&frame) {
                    if stage == 1 {
                        sink.segments += packet.symmetric_hash() & 1;
                        return;
                    }
                    table.push(&packet, &mut sink);
                }
            });
            took += begin.elapsed();
            peak = peak.max(table.len());
        }
        let begin = Instant::now();
        reader.finish();
        table.finish(&mut sink);
        took += begin.elapsed();
        if round + 1 < rounds.unwrap_or(1) {
            eprintln!("{:.1} ns/packet", took.as_nanos() as f64 / frames as f64);
            continue;
        }
        eprintln!(
            "{frames} frames, {} closed, peak {peak}, {} reports, {} segments, {:.1} ns/packet",
            sink.closed,
            sink.reports,
            sink.segments,
            took.as_nanos() as f64 / frames as f64
        );
        eprintln!("{:?}", sink.totals);
        for counters in [reader.counters(), decoder.counters(), table.counters()] {
            for row in counters.sorted() {
                eprintln!("{}\t{}\t{}", row.stage, row.reason, row.value);
            }
        }
    }
}
