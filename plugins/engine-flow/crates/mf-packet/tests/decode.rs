//! Links, IP and transports, from hand-built frames.

mod build;

use build::*;
use mf_packet::tunnel::TunnelSet;
use mf_packet::{Addr, Decoder, DecoderConfig, Direction, Packet, Transport, TunnelKind};

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];

fn decode<'a>(decoder: &'a mut Decoder, link: u16, data: &'a [u8]) -> Option<Packet<'a>> {
    decoder.decode(&frame_of(link, 1, data))
}

fn get() -> Vec<u8> {
    tcp(Seg {
        src: 40000,
        dst: 80,
        seq: 7,
        ack: 9,
        flags: 0x18,
        window: 512,
        payload: b"GET /",
    })
}

#[test]
fn every_kind_of_frame_is_decoded_to_its_transport() {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for (link, data) in zoo() {
        let packet = decoder.decode(&frame_of(link, 1, &data));
        seen.push(packet.map_or("none".to_string(), |p| {
            let transport = match p.transport {
                Transport::Tcp(_) => "tcp",
                Transport::Udp(_) => "udp",
                Transport::Icmp(_) => "icmp",
                Transport::None => "-",
            };
            format!("{transport} {} {}", p.payload.len(), p.tunnel.kind as u8)
        }));
    }
    let expect = [
        "tcp 18 0",
        "udp 8 0",
        "udp 8 0",
        "tcp 18 0",
        "tcp 18 0",
        "none",
        "none",
        "udp 120 0",
        "icmp 2 0",
        "icmp 0 0",
        "- 28 0",
        "tcp 18 1",
        "tcp 18 4",
        "tcp 18 3",
        "tcp 18 3",
        "tcp 18 3",
        "tcp 18 2",
        "udp 8 2",
        "tcp 18 2",
        "tcp 18 0",
        "udp 8 0",
        "tcp 18 0",
        "udp 8 0",
        "tcp 18 0",
        "udp 8 0",
        "- 4 0",
        "- 4 0",
        "tcp 18 0",
        "udp 8 0",
        "tcp 18 0",
        "tcp 18 1",
        "tcp 18 5",
        "tcp 18 3",
        "tcp 18 0",
        "udp 8 0",
        "- 12 0",
    ];
    assert_eq!(seen, expect);
}

#[test]
fn ethernet_tcp_in_full() {
    let data = join(&[&eth(0x0800, &ip4(A, B, 6, &get())), &[0; 9]]); // with padding
    let mut decoder = Decoder::default();
    let p = decode(&mut decoder, 1, &data).unwrap();
    assert_eq!(
        (p.src, p.dst, p.protocol, p.ttl, p.ip_id),
        (Addr::v4(0x0a00_0001), Addr::v4(0x0a00_0002), 6, 64, 7)
    );
    assert_eq!((p.src_mac, p.dst_mac), (0x0200_0000_0001, 0x0200_0000_0002));
    assert_eq!(
        (p.payload, p.payload_wire, p.l3_len, p.wire_len),
        (&b"GET /"[..], 5, 25, 68)
    );
    let Transport::Tcp(tcp) = p.transport else {
        panic!("not TCP")
    };
    assert_eq!(
        (
            tcp.src_port,
            tcp.dst_port,
            tcp.seq,
            tcp.ack,
            tcp.flags,
            tcp.window
        ),
        (40000, 80, 7, 9, 0x18, 512)
    );
    assert_eq!(p.ports(), (40000, 80));
    assert!(decoder.counters().is_empty());
}

#[test]
fn vlan_and_qinq_ids() {
    let packet = ip4(A, B, 6, &get());
    let mut decoder = Decoder::default();
    let one = eth(0x8100, &tag(0x2005, 0x0800, &packet));
    let p = decode(&mut decoder, 1, &one).unwrap();
    assert_eq!((p.vlan, p.vlan_outer, p.eth_type), (5, 0, 0x0800));
    let two = eth(0x88a8, &tag(100, 0x8100, &tag(5, 0x0800, &packet)));
    let p = decode(&mut decoder, 1, &two).unwrap();
    assert_eq!((p.vlan, p.vlan_outer), (5, 100));
    let plain = eth(0x0800, &packet);
    let mut stripped = frame(&plain);
    stripped.vlan_tci = Some(0x3007);
    assert_eq!(decoder.decode(&stripped).unwrap().vlan, 7);
    let deep = eth(
        0x8100,
        &tag(
            1,
            0x8100,
            &tag(1, 0x8100, &tag(1, 0x8100, &tag(1, 0x8100, &packet))),
        ),
    );
    assert!(decode(&mut decoder, 1, &deep).is_none());
    assert_eq!(decoder.counters().get("link", "vlan_tags_too_deep"), 1);
}

#[test]
fn cooked_captures_tell_the_direction_and_interface() {
    let mut decoder = Decoder::default();
    let zoo = zoo();
    let v1 = &zoo.iter().find(|(link, _)| *link == 113).unwrap().1;
    let p = decode(&mut decoder, 113, v1).unwrap();
    assert_eq!(
        (p.direction, p.src_mac, p.interface),
        (Direction::Out, 0x0200_0000_0001, 0)
    );
    let v2 = &zoo.iter().find(|(link, _)| *link == 276).unwrap().1;
    let p = decode(&mut decoder, 276, v2).unwrap();
    assert_eq!((p.direction, p.interface), (Direction::In, 3));
}

#[test]
fn a_packet_cut_by_the_capture_keeps_both_lengths() {
    let data = eth(0x0800, &ip4(A, B, 6, &get()));
    for cut in 0..=data.len() {
        let mut decoder = Decoder::default();
        let mut short = frame(&data);
        short.data = &data[..cut];
        match decoder.decode(&short) {
            Some(p) => {
                assert!(cut >= 54);
                assert_eq!(
                    (p.payload, p.payload_wire, p.truncated()),
                    (&b"GET /"[..cut - 54], 5, cut < data.len())
                );
            }
            None => {
                assert!(cut < 54, "{cut}");
                assert_eq!(
                    decoder
                        .counters()
                        .sorted()
                        .iter()
                        .map(|c| c.value)
                        .sum::<u64>(),
                    1
                );
            }
        }
    }
}

#[test]
fn segmentation_offload_leaves_length_fields_zero() {
    let mut packet = ip4(A, B, 6, &get());
    packet[2..4].copy_from_slice(&[0, 0]);
    let data = eth(0x0800, &packet);
    let mut decoder = Decoder::default();
    assert_eq!(decode(&mut decoder, 1, &data).unwrap().payload, b"GET /");
    let mut packet = ip6(1, 2, 6, &get());
    packet[4..6].copy_from_slice(&[0, 0]);
    let data = eth(0x86dd, &packet);
    assert_eq!(decode(&mut decoder, 1, &data).unwrap().payload, b"GET /");
    assert!(decoder.counters().is_empty());
}

#[test]
fn a_length_beyond_the_frame_is_counted_and_cut() {
    let mut packet = ip4(A, B, 6, &get());
    packet[2..4].copy_from_slice(&[200, 0]);
    let data = eth(0x0800, &packet);
    let mut decoder = Decoder::default();
    assert_eq!(decode(&mut decoder, 1, &data).unwrap().payload, b"GET /");
    assert_eq!(
        decoder
            .counters()
            .get("ip", "ipv4_total_length_beyond_frame"),
        1
    );
}

#[test]
fn damaged_headers_are_counted_by_reason() {
    let cases: [(u16, Vec<u8>, &str, &str); 9] = [
        (1, vec![0; 13], "link", "ethernet_header_truncated"),
        (77, vec![0; 60], "link", "link_type_unknown"),
        (101, vec![0x10; 60], "link", "raw_ip_version_unknown"),
        (0, vec![99, 0, 0, 0, 1], "link", "loopback_family_unknown"),
        (1, eth(0x0800, &[0x60; 40]), "ip", "ipv4_version_wrong"),
        (
            1,
            eth(0x0800, &[0x41; 40]),
            "ip",
            "ipv4_header_length_below_20",
        ),
        (
            1,
            eth(0x86dd, &ip6(1, 2, 43, &[6, 200, 0, 0, 0, 0, 0, 0])),
            "ip",
            "ipv6_extension_beyond_packet",
        ),
        (
            1,
            eth(0x86dd, &ip6(1, 2, 60, &[60; 4096])),
            "ip",
            "ipv6_extension_beyond_packet",
        ),
        (
            1,
            eth(0x0800, &ip4(A, B, 6, &[0; 20])),
            "transport",
            "tcp_header_length_below_20",
        ),
    ];
    for (link, data, stage, reason) in cases {
        let mut decoder = Decoder::default();
        assert!(decode(&mut decoder, link, &data).is_none(), "{reason}");
        assert_eq!(
            decoder.counters().get(stage, reason),
            1,
            "{:?}",
            decoder.counters()
        );
    }
    let mut decoder = Decoder::default();
    let chain = [0u8, 0, 0, 0, 0, 0, 0, 0].repeat(20);
    assert!(decode(&mut decoder, 1, &eth(0x86dd, &ip6(1, 2, 0, &chain))).is_none());
    assert_eq!(decoder.counters().get("ip", "ipv6_extensions_too_many"), 1);
}

#[test]
fn frames_without_ip_are_packets_without_protocol() {
    let zoo = zoo();
    let mut decoder = Decoder::default();
    let arp = &zoo
        .iter()
        .find(|(_, data)| data[12..14] == [8, 6])
        .unwrap()
        .1;
    let p = decode(&mut decoder, 1, arp).unwrap();
    assert_eq!(
        (p.src, p.dst, p.protocol, p.eth_type),
        (Addr::v4(0x0a00_0001), Addr::v4(0x0a00_0002), 0, 0x0806)
    );
    let lldp = eth(0x88cc, b"lldp");
    let p = decode(&mut decoder, 1, &lldp).unwrap();
    assert_eq!(
        p.addresses(),
        (Addr::mac(0x0200_0000_0001), Addr::mac(0x0200_0000_0002))
    );
    assert_eq!(
        decoder.counters().get("link", "ethernet_type_not_decoded"),
        1
    );
}

#[test]
fn the_flow_hash_is_symmetric_and_spreads() {
    let mut buckets = [0u32; 4];
    for port in 1000..5000u16 {
        let there = eth(0x0800, &ip4(A, B, 17, &udp(port, 53, b"x")));
        let back = eth(0x0800, &ip4(B, A, 17, &udp(53, port, b"x")));
        let (mut one, mut two) = (Decoder::default(), Decoder::default());
        let hash = decode(&mut one, 1, &there).unwrap().symmetric_hash();
        assert_eq!(hash, decode(&mut two, 1, &back).unwrap().symmetric_hash());
        buckets[(hash % 4) as usize] += 1;
    }
    assert!(
        buckets.iter().all(|&n| (850..1150).contains(&n)),
        "{buckets:?}"
    );
}

#[test]
fn vxlan_on_a_port_of_nobody_is_known_by_what_is_inside() {
    let mut ip = ip4([192, 168, 0, 1], [192, 168, 0, 2], 6, &get());
    ip[10..12].fill(0);
    let words = ip[..20].chunks(2);
    let sum: u32 = words
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let frame = |inner: &[u8]| {
        let vxlan = join(&[&[8, 0, 0, 0, 0, 0, 9, 0], &eth(0x0800, inner)]);
        eth(0x0800, &ip4(A, B, 17, &udp(58678, 58678, &vxlan)))
    };
    let right = frame(&ip);
    let mut decoder = Decoder::default();
    let p = decode(&mut decoder, 1, &right).unwrap();
    assert_eq!(
        (p.tunnel.kind, p.tunnel.id, p.payload),
        (TunnelKind::Vxlan, 9, &b"GET /"[..])
    );
    // One wrong bit of the header inside, or a length that does not fit: an ordinary datagram.
    for at in [3, 11] {
        let mut wrong = ip.clone();
        wrong[at] ^= 0x40;
        let wrong = frame(&wrong);
        let mut decoder = Decoder::default();
        let p = decode(&mut decoder, 1, &wrong).unwrap();
        assert_eq!((p.tunnel.tier, p.src), (0, Addr::v4(0x0a00_0001)), "{at}");
    }
}

#[test]
fn tunnels_give_the_outermost_and_decode_the_innermost() {
    let inner = eth(0x0800, &ip4([192, 168, 0, 1], [192, 168, 0, 2], 6, &get()));
    let vxlan = |id: u8, inner: &[u8]| udp(1, 4789, &join(&[&[8, 0, 0, 0, 0, 0, id, 0], inner]));
    let one = eth(0x8100, &tag(6, 0x0800, &ip4(A, B, 17, &vxlan(42, &inner))));
    let mut decoder = Decoder::default();
    let p = decode(&mut decoder, 1, &one).unwrap();
    assert_eq!(
        (
            p.tunnel.kind,
            p.tunnel.tier,
            p.tunnel.id,
            p.tunnel.vlan,
            p.vlan
        ),
        (TunnelKind::Vxlan, 1, 42, 6, 0)
    );
    assert_eq!(
        (p.tunnel.src, p.tunnel.dst),
        (Addr::v4(0x0a00_0001), Addr::v4(0x0a00_0002))
    );
    assert_eq!((p.src, p.payload), (Addr::v4(0xc0a8_0001), &b"GET /"[..]));
    assert_eq!(p.l3_len, 25);
    let two = eth(
        0x0800,
        &ip4(
            A,
            B,
            17,
            &vxlan(1, &eth(0x0800, &ip4(B, A, 17, &vxlan(2, &inner)))),
        ),
    );
    let p = decode(&mut decoder, 1, &two).unwrap();
    assert_eq!(
        (p.tunnel.tier, p.tunnel.id, p.src),
        (2, 1, Addr::v4(0xc0a8_0001))
    );
    let three = eth(
        0x0800,
        &ip4(A, B, 4, &ip4(B, A, 4, &ip4(A, B, 4, &ip4(B, A, 6, &get())))),
    );
    let p = decode(&mut decoder, 1, &three).unwrap();
    assert_eq!((p.tunnel.tier, p.protocol), (2, 4));
    assert_eq!(decoder.counters().get("tunnel", "more_than_two_tiers"), 1);
}

#[test]
fn tunnel_ids_keys_and_sessions() {
    let zoo = zoo();
    let mut ids = Vec::new();
    for (link, data) in &zoo {
        let mut decoder = Decoder::default();
        if let Some(p) = decode(&mut decoder, *link, data).filter(|p| p.tunnel.tier != 0) {
            ids.push((p.tunnel.kind as u8, p.tunnel.id));
        }
    }
    assert_eq!(
        ids,
        [
            (1, 42),
            (4, 7),
            (3, 9),
            (3, 77),
            (3, 78),
            (2, 0),
            (2, 0),
            (2, 0),
            (1, 43),
            (5, 43),
            (3, 0)
        ]
    );
}

#[test]
fn vxlan_on_another_port_and_tunnels_switched_off() {
    let inner = eth(0x0800, &ip4([192, 168, 0, 1], [192, 168, 0, 2], 6, &get()));
    let data = eth(
        0x0800,
        &ip4(
            A,
            B,
            17,
            &udp(1, 58678, &join(&[&[8, 0, 0, 0, 0, 1, 0, 0], &inner])),
        ),
    );
    let mut decoder = Decoder::default();
    assert_eq!(decode(&mut decoder, 1, &data).unwrap().tunnel.tier, 0);
    let mut decoder = Decoder::new(DecoderConfig {
        vxlan_ports: [58678, 0, 0, 0],
        ..Default::default()
    });
    assert_eq!(decode(&mut decoder, 1, &data).unwrap().tunnel.id, 256);
    let off = TunnelSet {
        vxlan: false,
        geneve: false,
        gre: false,
        ipip: false,
    };
    for (link, data) in zoo() {
        let mut decoder = Decoder::new(DecoderConfig {
            tunnels: off,
            ..Default::default()
        });
        assert!(decode(&mut decoder, link, &data).is_none_or(|p| p.tunnel.tier == 0));
    }
}

#[test]
fn what_only_looks_like_a_tunnel_stays_a_flow_of_its_own() {
    let not_vxlan = eth(
        0x0800,
        &ip4(A, B, 17, &udp(1, 4789, b"something else entirely")),
    );
    let mut decoder = Decoder::default();
    let p = decode(&mut decoder, 1, &not_vxlan).unwrap();
    assert_eq!(
        (p.tunnel.tier, p.payload),
        (0, &b"something else entirely"[..])
    );
    let pptp = eth(0x0800, &ip4(A, B, 47, &[0x30, 1, 0x88, 0x0b, 0, 0, 0, 0]));
    assert_eq!(decode(&mut decoder, 1, &pptp).unwrap().tunnel.tier, 0);
    let unknown = eth(0x0800, &ip4(A, B, 47, &[0, 0, 0x12, 0x34, 0, 0, 0, 0]));
    assert_eq!(decode(&mut decoder, 1, &unknown).unwrap().protocol, 47);
    assert_eq!(decoder.counters().get("tunnel", "gre_protocol_unknown"), 1);
}

#[test]
fn labels_and_sessions_that_carry_nothing_known_stay_frames_of_their_type() {
    let p4 = ip4(A, B, 6, &get());
    let discovery = [0x11, 0x09, 0, 0, 0, 0];
    let link_control = [0x11, 0, 0, 9, 0, 6, 0xc0, 0x21, 1, 1, 0, 4];
    let ipx = join(&[&[0, 1, 1, 64], &[0xff; 30]]);
    let control_word_of_no_frame = join(&[&[0, 1, 1, 64], &[0; 40]]);
    let endless = [0, 1, 0, 64].repeat(20);
    for (kind, data) in [
        (0x8863, &discovery[..]),
        (0x8864, &discovery[..]),
        (0x8864, &link_control[..]),
        (0x8847, &ipx[..]),
        (0x8847, &control_word_of_no_frame[..]),
        (0x8847, &endless[..]),
        (0x8847, &[0, 1][..]),
    ] {
        let mut decoder = Decoder::default();
        let frame = eth(kind, data);
        let p = decode(&mut decoder, 1, &frame).unwrap();
        assert_eq!((p.eth_type, p.protocol, p.payload), (kind, 0, data));
        let counters = decoder.counters();
        assert_eq!(counters.get("link", "ethernet_type_not_decoded"), 1);
    }
    // Inside a VLAN, and cut by the snap length in the middle of what it carries.
    let session = join(&[&[0x11, 0, 0, 9, 0, 47, 0, 0x21], &p4]);
    let frame = eth(0x8100, &tag(7, 0x8864, &session));
    let mut decoder = Decoder::default();
    let p = decode(&mut decoder, 1, &frame).unwrap();
    assert_eq!((p.vlan, p.l3_len, p.payload), (7, 25, &b"GET /"[..]));
    assert!(decode(&mut decoder, 1, &frame[..21]).is_none());
    assert_eq!(decoder.counters().get("link", "pppoe_header_truncated"), 1);
}

#[test]
fn vxlan_gpe_says_what_follows() {
    let p4 = ip4([192, 168, 0, 1], [192, 168, 0, 2], 6, &get());
    let frame = |head: [u8; 8], rest: &[u8]| {
        eth(0x0800, &ip4(A, B, 17, &udp(1, 4790, &join(&[&head, rest]))))
    };
    // Without the bit for the next protocol: Ethernet, as VXLAN has it.
    let plain = frame([8, 0, 0, 0, 0, 1, 0, 0], &eth(0x0800, &p4));
    let mut decoder = Decoder::default();
    let p = decode(&mut decoder, 1, &plain).unwrap();
    assert_eq!(
        (p.tunnel.kind, p.tunnel.id, p.payload),
        (TunnelKind::Vxlan, 256, &b"GET /"[..])
    );
    // Operations only, and nothing valid: datagrams of their own.
    for first in [0x09, 0x04, 0x00] {
        let other = frame([first, 0, 0, 1, 0, 1, 0, 0], &p4);
        assert_eq!(decode(&mut decoder, 1, &other).unwrap().tunnel.tier, 0);
    }
    let nsh = |head: [u8; 8]| frame([12, 0, 0, 4, 0, 1, 0, 0], &join(&[&head, &p4]));
    let two = nsh([0, 2, 2, 1, 0, 0, 1, 255]);
    let p = decode(&mut decoder, 1, &two).unwrap();
    assert_eq!((p.tunnel.kind, p.l3_len), (TunnelKind::VxlanNsh, 25));
    let operations = nsh([0x20, 2, 2, 1, 0, 0, 1, 255]);
    assert_eq!(decode(&mut decoder, 1, &operations).unwrap().tunnel.tier, 0);
    for (frame, reason) in [
        (nsh([0x40, 2, 2, 1, 0, 0, 1, 255]), "nsh_header_wrong"),
        (nsh([0, 1, 2, 1, 0, 0, 1, 255]), "nsh_header_wrong"),
        (nsh([0, 63, 2, 1, 0, 0, 1, 255]), "nsh_header_truncated"),
        (
            nsh([0, 2, 2, 9, 0, 0, 1, 255]),
            "vxlan_gpe_protocol_unknown",
        ),
        (
            frame(
                [12, 0, 0, 4, 0, 1, 0, 0],
                &[0, 2, 1, 4, 0, 0, 1, 255].repeat(9),
            ),
            "nsh_headers_too_many",
        ),
    ] {
        let before = decoder.counters().get("tunnel", reason);
        assert_eq!(decode(&mut decoder, 1, &frame).unwrap().tunnel.tier, 0);
        assert_eq!(decoder.counters().get("tunnel", reason), before + 1);
    }
}
