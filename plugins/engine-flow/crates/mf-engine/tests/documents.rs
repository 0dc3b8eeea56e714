//! Documents add up, however late events come and however few keys are kept.

use mf_column::{Batch, Value};
use mf_engine::aggregate::{process_seed, Documents, Limits, NetworkKey, NetworkMeter, Path, NETWORK_SCHEMAS};
use mf_packet::Addr;

const SECOND: u64 = 1_000_000_000;
const MAP_SECOND: usize = 2;
const MAP_MINUTE: usize = 3;

fn path(client: u32, point: &'static str) -> Path {
    Path {
        server: Addr::v4(0x0a00_0001),
        client: Addr::v4(client),
        is_ipv4: true,
        server_port: 80,
        is_key_service: true,
        protocol: 6,
        observation_point: point,
        capture_nic: 0,
        capture_nic_type: 0,
        capture_network_type_id: 3,
        tunnel_type: 0,
        nat_source: 0,
        agent_id: 1,
        signal_source: 0,
    }
}

fn documents(keys: usize) -> Documents<NetworkKey, NetworkMeter> {
    Documents::new(&NETWORK_SCHEMAS, Limits { delay_ns: 2 * SECOND, keys, seconds: true }, process_seed())
}

fn count(documents: &mut Documents<NetworkKey, NetworkMeter>, time_ns: u64, path: Path) {
    let hash = path.hash(documents.seed());
    let meter = documents.second(time_ns).meter(hash, |key| key.0 == path, || NetworkKey(path));
    meter.add(&NetworkMeter { packet: [2, 1], flow_load: 1, ..NetworkMeter::default() });
}

fn sum(batch: &Batch, column: &str) -> u64 {
    (0..batch.rows()).map(|row| number(batch.named(row, column))).sum()
}

fn number(value: Value<'_>) -> u64 {
    match value {
        Value::U64(number) => number,
        other => panic!("not a number: {other:?}"),
    }
}

#[test]
fn seconds_and_minutes_hold_the_same_packets() {
    let mut documents = documents(1000);
    for second in 50..70 {
        for client in 0..5 {
            count(&mut documents, second * SECOND + 5, path(client, "rest"));
        }
        documents.advance(second * SECOND);
    }
    documents.finish();
    let (seconds, minutes) = (documents.take(MAP_SECOND).unwrap(), documents.take(MAP_MINUTE).unwrap());
    assert_eq!((seconds.rows(), minutes.rows()), (100, 10));
    for batch in [&seconds, &minutes] {
        assert_eq!((sum(batch, "packet_tx"), sum(batch, "packet_rx"), sum(batch, "packet")), (200, 100, 300));
    }
    assert_eq!(minutes.named(0, "time"), Value::U64(0));
    assert_eq!(minutes.named(5, "time"), Value::U64(60));
    assert_eq!(minutes.named(0, "flow_load"), Value::U64(1), "a gauge: the largest second, not the sum");
}

#[test]
fn rows_come_in_order_of_time_and_key() {
    let mut documents = documents(1000);
    for client in [3u32, 1, 4, 1, 5, 9, 2, 6] {
        count(&mut documents, (100 - u64::from(client)) * SECOND, path(client, "rest"));
    }
    documents.finish();
    let batch = documents.take(MAP_SECOND).unwrap();
    let times: Vec<u64> = (0..batch.rows()).map(|row| number(batch.named(row, "time"))).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

#[test]
fn late_events_keep_their_second_and_are_counted() {
    let mut documents = documents(1000);
    count(&mut documents, 10 * SECOND, path(1, "rest"));
    documents.advance(20 * SECOND);
    assert_eq!(documents.ready(MAP_SECOND), 1);
    count(&mut documents, 10 * SECOND + 7, path(1, "rest"));
    documents.finish();
    let batch = documents.take(MAP_SECOND).unwrap();
    assert_eq!((batch.rows(), sum(&batch, "packet")), (2, 6));
    assert_eq!((batch.named(0, "time"), batch.named(1, "time")), (Value::U64(10), Value::U64(10)));
    assert_eq!(documents.counters(), (1, 0));
}

#[test]
fn a_flood_of_keys_is_written_early_and_nothing_is_lost() {
    let mut documents = documents(100);
    for client in 0..1000u32 {
        count(&mut documents, 10 * SECOND, path(client, "rest"));
        documents.advance(10 * SECOND);
    }
    documents.finish();
    let (seconds, minutes) = (documents.take(MAP_SECOND).unwrap(), documents.take(MAP_MINUTE).unwrap());
    assert_eq!((sum(&seconds, "packet"), sum(&minutes, "packet")), (3000, 3000));
    assert!(documents.counters().1 > 0, "closing early is counted");
}

#[test]
fn ends_are_derived_where_the_capture_stood_at_them() {
    let mut documents = documents(1000);
    for (client, point) in [(1, "rest"), (2, "c"), (3, "s"), (4, "c-gw")] {
        count(&mut documents, 10 * SECOND, path(client, point));
    }
    documents.finish();
    let batch = documents.take(0).unwrap();
    let rows: Vec<(u64, u64, u64, u64)> = (0..batch.rows())
        .map(|row| {
            let value = |column| number(batch.named(row, column));
            (value("role"), value("ip4"), value("packet_tx"), value("packet_rx"))
        })
        .collect();
    // Two clients and one server, in whose row tx is what the server sent.
    assert_eq!(rows, [(0, 1, 2, 1), (0, 2, 2, 1), (1, 0x0a00_0001, 2, 4)]);
}

#[test]
fn failures_are_derived_as_the_reference_says() {
    let mut meter = NetworkMeter::default();
    for close_type in [1, 2, 3, 5, 7, 8, 9, 10, 11, 13, 15, 17, 18, 19, 20] {
        meter.close(close_type, true);
    }
    assert_eq!((meter.client_establish_fail(), meter.server_establish_fail()), (3, 4));
    assert_eq!((meter.tcp_transfer_fail(), meter.tcp_rst_fail()), (4, 5));
    meter.close(3, false);
    assert_eq!(meter.tcp_timeout, 1, "only TCP times out");
}
