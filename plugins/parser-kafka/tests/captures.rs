//! Captures of real servers: every record of each is in the file beside it (`MF_UPDATE=1` writes it anew).

use metaflow_parser_kafka::KafkaParser;
use metaflow_parser_sdk::testing::{assert_captures, assert_cut_captures, decode_records, pcap};
use metaflow_parser_sdk::Host;

/// The broker's ports: in clear, and behind a login.
const PORTS: [u16; 2] = [29192, 29194];

#[test]
fn captures_give_their_records() {
    assert_captures::<KafkaParser>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"), &PORTS);
}

/// Bytes that were kept of each packet: what the kernel's programs keep, and less.
#[test]
fn what_was_cut_is_never_told_wrong() {
    let told = [1024, 256, 190, 128].map(|most| {
        assert_cut_captures::<KafkaParser>(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures"), &PORTS, most, &[])
    });
    assert_eq!(told[0], (378, 378), "messages that are told of how many");
}

/// What a capture of one side shows: every response behind the first two, none of another number or length.
#[test]
fn of_a_server_alone_its_responses_are_told() {
    let (mut told, mut all) = (0, 0);
    for name in ["kafka-java", "librdkafka"] {
        let file = format!("{}/tests/captures/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let key = |session: u64, row: &metaflow_parser_sdk::testing::Row| {
            (session, row.number("stream_offset"), row.number("request_id"), row.number("length"))
        };
        let is_response = |row: &metaflow_parser_sdk::testing::Row| row.kind() == "response";
        let whole: Vec<_> = pcap::rows::<KafkaParser>(&bytes, PORTS[0])
            .iter()
            .filter(|(_, row)| is_response(row))
            .map(|(session, row)| key(*session, row))
            .collect();
        let mut segments = pcap::segments(&bytes, PORTS[0]);
        segments.retain(|segment| !segment.from_client || segment.close);
        let mut host = Host::<KafkaParser>::new();
        let mut found = Vec::new();
        for segment in segments.chunks(1) {
            let input = pcap::batch(segment, PORTS[0]);
            host.input(input.len()).unwrap()[..input.len()].copy_from_slice(&input);
            let rows = decode_records(host.parse(input.len()).unwrap());
            assert!(rows.iter().all(|row| row.kind() != "violation" && row.text("request_type").is_empty()));
            found.extend(rows.iter().filter(|row| is_response(row)).map(|row| key(segment[0].session, row)));
        }
        assert!(found.iter().all(|row| whole.contains(row)), "{name} has other responses");
        told += found.len();
        all += whole.len();
    }
    assert_eq!(told, all, "responses that are told of how many");
}
