//! What a parser passes over is told in the answer to a batch, where that is worth a column.

use metaflow_parser_sdk::testing::decode_records;
use metaflow_parser_sdk::testing::pcap::{batch, Segment};
use metaflow_parser_sdk::{Check, Host, Parser, RecordType, Records};

/// A message begins with the length of its body, four bytes; bodies are passed over.
#[derive(Default)]
struct Lengths {
    left: u64,
}

impl Parser for Lengths {
    fn new() -> Lengths {
        Lengths::default()
    }

    fn check(&mut self, _segment: &metaflow_parser_sdk::Segment) -> Check {
        Check::Request
    }

    fn parse(&mut self, segment: &metaflow_parser_sdk::Segment, out: &mut Records) {
        let len = segment.payload.len() as u64;
        match segment.payload.first_chunk::<4>().filter(|_| self.left == 0) {
            Some(head) => {
                out.begin(RecordType::Request).stream_offset(segment.stream_offset).time_ns(segment.timestamp_ns);
                self.left = u64::from(u32::from_le_bytes(*head)).saturating_sub(len - 4);
            }
            None => self.left = self.left.saturating_sub(len),
        }
        out.pass_over(self.left);
    }
}

fn passes(lengths: &[(u32, usize)]) -> Vec<Option<i128>> {
    let mut segments = Vec::new();
    for (number, (length, more)) in lengths.iter().enumerate() {
        let session = number as u64 + 1;
        for (part, size) in [4 + 10, *more].into_iter().enumerate() {
            let mut payload = vec![0; size];
            if part == 0 {
                payload[..4].copy_from_slice(&length.to_le_bytes());
            }
            let wire_len = size as u32;
            let (time_ns, offset) = (part as u64, 14 * part as u64);
            let (from_client, close, mid_stream) = (true, false, false);
            segments.push(Segment { session, from_client, close, mid_stream, time_ns, offset, payload, wire_len });
        }
    }
    let bytes = batch(&segments, 9000);
    let mut host = Host::<Lengths>::new();
    host.input(bytes.len()).expect("memory")[..bytes.len()].copy_from_slice(&bytes);
    let rows = decode_records(host.parse(bytes.len()).expect("a batch"));
    rows.iter().map(|row| row.number("passes")).collect()
}

#[test]
fn a_large_body_is_told_where_its_head_was_found() {
    assert_eq!(passes(&[(1 << 20, 1000)]), [Some((1 << 20) - 10)]);
}

#[test]
fn a_body_that_most_likely_came_along_is_not() {
    assert_eq!(passes(&[(1010, 1000)]), [None]);
}
