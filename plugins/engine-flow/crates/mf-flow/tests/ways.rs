//! Both directions of a connection on different ways: another VLAN, another tunnel, or a tunnel in one direction only.

mod talk;

use mf_flow::{CloseType, FlowReport};
use talk::build::{eth, ip4, join, tag, tcp, udp, Seg};
use talk::*;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];

/// What the network does to what one side sends.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    Vlan(u16),
    Vxlan(u8),
    Ipip,
}

/// What one packet is: way, time in milliseconds, sent by the client, flags, sequence numbers.
type Packet = (Way, u64, bool, u8, u32, u32);

fn sent(way: Way, from_client: bool, flags: u8, seq: u32, ack: u32) -> Vec<u8> {
    let (src, dst, ports) = if from_client {
        (CLIENT, SERVER, (40000, 80))
    } else {
        (SERVER, CLIENT, (80, 40000))
    };
    let segment = tcp(Seg {
        src: ports.0,
        dst: ports.1,
        seq,
        ack,
        flags,
        window: 100,
        payload: b"",
    });
    let packet = ip4(src, dst, 6, &segment);
    let (a, b) = ([172, 16, 0, 1], [172, 16, 0, 2]);
    match way {
        Way::Plain => eth(0x0800, &packet),
        Way::Vlan(id) => eth(0x8100, &tag(id, 0x0800, &packet)),
        Way::Vxlan(id) => {
            let inner = join(&[&[8, 0, 0, 0, 0, 0, id, 0], &eth(0x0800, &packet)]);
            eth(0x0800, &ip4(a, b, 17, &udp(5000, 4789, &inner)))
        }
        Way::Ipip => eth(0x0800, &ip4(a, b, 4, &packet)),
    }
}

fn run(packets: &[Packet]) -> Talk {
    let mut talk = Talk::new();
    for &(way, ms, from_client, flags, seq, ack) in packets {
        talk.frame(ms * MS, &sent(way, from_client, flags, seq, ack));
    }
    talk
}

/// A connection from SYN to the last ACK.
fn connection(there: Way, back: Way, ms: u64) -> Vec<Packet> {
    vec![
        (there, ms, true, SYN, 100, 0),
        (back, ms + 20, false, SYN | ACK, 500, 101),
        (there, ms + 30, true, ACK, 101, 501),
        (there, ms + 40, true, FIN | ACK, 101, 501),
        (back, ms + 41, false, FIN | ACK, 501, 102),
        (there, ms + 42, true, ACK, 102, 502),
    ]
}

fn whole(report: &FlowReport) -> bool {
    let counts = &report.counts;
    (counts.tx.packets, counts.rx.packets, counts.rtt.sum) == (4, 2, 30_000)
        && report.close_type == CloseType::Finish
}

#[test]
fn each_direction_may_have_its_own_way() {
    for (there, back) in [
        (Way::Vxlan(1), Way::Vxlan(2)),
        (Way::Vlan(5), Way::Vlan(6)),
        (Way::Plain, Way::Vlan(6)),
        (Way::Vlan(6), Way::Plain),
        (Way::Ipip, Way::Plain),
    ] {
        let mut talk = run(&connection(there, back, 0));
        talk.finish();
        assert!(whole(talk.only()), "{:?}", talk.only());
        let counters = talk.table.counters();
        assert_eq!(counters.get("flow", "direction_on_another_way"), 1);
    }
    let mut talk = run(&connection(Way::Vxlan(1), Way::Vxlan(2), 0));
    talk.finish();
    let flow = talk.only();
    assert_eq!((flow.client.tunnel.id, flow.server.tunnel.id), (1, 2));
    let mut talk = run(&connection(Way::Ipip, Way::Plain, 0));
    talk.finish();
    let flow = talk.only();
    assert_eq!((flow.client.tunnel.tier, flow.server.tunnel.tier), (1, 0));
}

#[test]
fn equal_addresses_in_two_networks_stay_two_flows() {
    let mut packets = connection(Way::Vxlan(1), Way::Vxlan(1), 0);
    packets.extend(connection(Way::Vxlan(2), Way::Vxlan(2), 1));
    // The same packets before and behind a router or a tunnel's end, too.
    packets.extend(connection(Way::Plain, Way::Plain, 2));
    packets.sort_by_key(|packet| packet.1);
    let mut talk = run(&packets);
    talk.finish();
    assert_eq!(talk.log.closed.len(), 3);
    assert!(talk.log.closed.iter().all(whole));
    let counters = talk.table.counters();
    assert_eq!(counters.get("flow", "direction_on_another_way"), 0);
}

#[test]
fn copies_of_a_packet_are_left_out_where_that_is_asked_for() {
    // A mirror sees each packet at two ports, then behind a router in another VLAN (with another time to live), then in a tunnel.
    let mut packets = Vec::new();
    for (_, ms, from_client, flags, seq, ack) in connection(Way::Plain, Way::Plain, 0) {
        for way in [Way::Plain, Way::Plain, Way::Vlan(7), Way::Vxlan(3)] {
            packets.push((way, ms, from_client, flags, seq, ack));
        }
    }
    let run = |duplicate_ns: u64| {
        let mut talk = Talk::with(mf_flow::Config {
            duplicate_ns,
            ..Default::default()
        });
        for (n, &(way, ms, from_client, flags, seq, ack)) in packets.iter().enumerate() {
            let mut frame = sent(way, from_client, flags, seq, ack);
            if matches!(way, Way::Vlan(_)) {
                frame[18 + 8] -= 1;
            }
            talk.frame(ms * MS + n as u64 % 4 * 20_000, &frame);
        }
        // The last one again, later: that is its sender's.
        talk.frame(300 * MS, &sent(Way::Plain, true, ACK, 102, 502));
        talk.finish();
        talk
    };
    let talk = run(10 * MS);
    let flow = talk.only();
    assert_eq!(
        (
            flow.counts.tx.packets,
            flow.counts.rx.packets,
            flow.counts.rtt.sum
        ),
        (5, 2, 30_000)
    );
    assert_eq!((flow.counts.tx.retrans, flow.counts.rx.retrans), (0, 0));
    assert_eq!(talk.table.counters().get("flow", "duplicate_packet"), 18);
    // Otherwise each network has its flow, and what comes twice there was sent again.
    let talk = run(0);
    let retrans = |n: usize| talk.log.closed[n].counts.tx.retrans;
    assert_eq!((talk.log.closed.len(), retrans(0), retrans(1)), (3, 1, 0));
}

#[test]
fn what_two_capture_points_see_is_one_packet() {
    // Captures of the client's and the server's host, 2 ms apart; the server's host sends its FIN twice.
    let mut seen = Vec::new();
    for packet in connection(Way::Plain, Way::Plain, 0) {
        let (_, ms, from_client, ..) = packet;
        let behind = if from_client { [0, 2] } else { [2, 0] };
        seen.push((ms * MS + behind[0] * MS, 0, packet));
        seen.push((ms * MS + behind[1] * MS, 1, packet));
    }
    let fin = seen[9].2;
    seen.push((seen[9].0 + 500 * MS, 1, fin));
    seen.push((seen[9].0 + 502 * MS, 0, fin));
    seen.sort_by_key(|packet| (packet.0, packet.1));
    let run = |config: mf_flow::Config| {
        let mut talk = Talk::with(config);
        for &(at, source, (way, _, from_client, flags, seq, ack)) in &seen {
            talk.table.source(source);
            talk.frame(at, &sent(way, from_client, flags, seq, ack));
        }
        talk.finish();
        talk
    };
    let talk = run(mf_flow::Config::default());
    let flow = talk.only();
    assert_eq!((flow.counts.tx.packets, flow.counts.rx.packets), (4, 3));
    assert_eq!(
        (flow.counts.retrans_syn, flow.counts.retrans_synack),
        (0, 0)
    );
    assert_eq!(
        (flow.counts.rtt.sum, flow.close_type),
        (30_000, CloseType::Finish)
    );
    assert_eq!(talk.table.counters().get("flow", "duplicate_packet"), 7);
}

#[test]
fn what_is_no_answer_is_a_flow_of_its_own() {
    let syn = (Way::Vxlan(1), 0, true, SYN, 100, 0);
    for other in [
        (Way::Vxlan(2), 10, false, SYN | ACK, 500, 7000), // answers another SYN
        (Way::Vxlan(2), 10, false, SYN, 500, 0),
        (Way::Vxlan(2), 10, false, RST, 500, 0),
        (Way::Vxlan(2), 10, true, SYN, 100, 0), // the same side
        (Way::Vxlan(2), 6_100, false, SYN | ACK, 500, 101), // too late
    ] {
        let mut talk = run(&[syn, other]);
        talk.finish();
        assert_eq!(talk.log.closed.len(), 2, "{:?}", other.3);
    }
}

#[test]
fn both_keys_go_with_the_flow() {
    // Over and over on the same ports, each closed by its patience, a reset or the next SYN.
    let (there, back) = (Way::Vxlan(1), Way::Vxlan(2));
    let mut talk = Talk::new();
    for round in 0..50u64 {
        for (way, ms, from_client, flags, seq, ack) in connection(there, back, round * 100) {
            let (c, s) = (round as u32 * 1000, round as u32 * 3000);
            let moved = |n: u32, by: u32| if n == 0 { 0 } else { n + by };
            let (seq, ack) = if from_client {
                (moved(seq, c), moved(ack, s))
            } else {
                (moved(seq, s), moved(ack, c))
            };
            talk.frame(ms * MS, &sent(way, from_client, flags, seq, ack));
        }
    }
    talk.wait(10_000);
    assert_eq!(talk.log.closed.len(), 50);
    assert!(talk.log.closed.iter().all(whole));
    assert!(talk.table.is_empty());
    // Nothing of them is found any more.
    talk.frame(11_000 * MS, &sent(back, false, ACK, 1, 1));
    talk.finish();
    assert_eq!(talk.log.closed.len(), 51);
}

#[test]
fn datagrams_and_echoes_too() {
    let mut talk = Talk::new();
    let ask = ip4(CLIENT, SERVER, 17, &udp(40000, 53, b"q"));
    let answer = ip4(SERVER, CLIENT, 17, &udp(53, 40000, b"a"));
    talk.frame(0, &eth(0x8100, &tag(5, 0x0800, &ask)));
    talk.frame(3 * MS, &eth(0x0800, &answer));
    let echo = |kind: u8| [kind, 0, 0, 0, 0, 9, 0, 1];
    talk.frame(
        5 * MS,
        &eth(0x8100, &tag(5, 0x0800, &ip4(CLIENT, SERVER, 1, &echo(8)))),
    );
    talk.frame(9 * MS, &eth(0x0800, &ip4(SERVER, CLIENT, 1, &echo(0))));
    talk.finish();
    let [dns, ping] = &talk.log.closed[..] else {
        panic!("{} flows", talk.log.closed.len());
    };
    assert_eq!((dns.counts.art.sum, ping.counts.srt.sum), (3000, 4000));
    assert_eq!((dns.vlan, ping.vlan), (5, 5));
}
