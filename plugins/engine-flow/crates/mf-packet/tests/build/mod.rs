//! Packets by hand, for tests: each function wraps what it is given. Used by mf-flow's tests too.
#![allow(dead_code)]

use mf_packet::{Direction, Frame};

/// A small deterministic random number generator (xorshift64*).
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n` (`n` > 0).
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
}

pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn eth(kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1],
        &kind.to_be_bytes(),
        payload,
    ])
}

pub fn tag(id: u16, kind: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&id.to_be_bytes(), &kind.to_be_bytes(), payload])
}

/// IPv4 with options (a multiple of 4 bytes); `place` is the flags and fragment offset word.
pub fn ip4_full(
    src: [u8; 4],
    dst: [u8; 4],
    protocol: u8,
    id: u16,
    place: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let header = 20 + options.len();
    let total = (header + payload.len()) as u16;
    let head = join(&[
        &[0x40 | (header / 4) as u8, 0],
        &total.to_be_bytes(),
        &id.to_be_bytes(),
        &place.to_be_bytes(),
        &[64, protocol, 0, 0],
        &src,
        &dst,
    ]);
    join(&[&head, options, payload])
}

pub fn ip4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip4_full(src, dst, protocol, 7, 0, &[], payload)
}

pub fn ip6(src: u8, dst: u8, next: u8, payload: &[u8]) -> Vec<u8> {
    let address = |last: u8| join(&[&[0x20, 1, 0xd, 0xb8], &[0; 11], &[last]]);
    let len = (payload.len() as u16).to_be_bytes();
    join(&[
        &[0x60, 0, 0, 0],
        &len,
        &[next, 64],
        &address(src),
        &address(dst),
        payload,
    ])
}

pub fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len() as u16).to_be_bytes();
    join(&[
        &src.to_be_bytes(),
        &dst.to_be_bytes(),
        &len,
        &[0, 0],
        payload,
    ])
}

/// A TCP segment.
#[derive(Clone, Copy)]
pub struct Seg<'a> {
    pub src: u16,
    pub dst: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub payload: &'a [u8],
}

pub fn tcp(seg: Seg<'_>) -> Vec<u8> {
    join(&[
        &seg.src.to_be_bytes(),
        &seg.dst.to_be_bytes(),
        &seg.seq.to_be_bytes(),
        &seg.ack.to_be_bytes(),
        &[0x50, seg.flags],
        &seg.window.to_be_bytes(),
        &[0, 0, 0, 0],
        seg.payload,
    ])
}

/// A frame of an Ethernet capture at a time.
pub fn frame_at(time_ns: u64, data: &[u8]) -> Frame<'_> {
    frame_of(1, time_ns, data)
}

pub fn frame_of(link_type: u16, time_ns: u64, data: &[u8]) -> Frame<'_> {
    Frame {
        time_ns,
        wire_len: data.len() as u32,
        link_type,
        interface: 0,
        direction: Direction::Unknown,
        vlan_tci: None,
        data,
    }
}

pub fn frame(data: &[u8]) -> Frame<'_> {
    frame_at(1_000_000_000, data)
}

/// One well-formed frame of every kind that the decoder knows: the seeds of the mutation tests.
pub fn zoo() -> Vec<(u16, Vec<u8>)> {
    let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let t = tcp(Seg {
        src: 40000,
        dst: 80,
        seq: 1,
        ack: 2,
        flags: 0x18,
        window: 100,
        payload: b"GET / HTTP/1.1\r\n\r\n",
    });
    let u = udp(5353, 53, b"question");
    let inner = eth(0x0800, &ip4(a, b, 6, &t));
    let vxlan = udp(5000, 4789, &join(&[&[8, 0, 0, 0, 0, 0, 42, 0], &inner]));
    let geneve = udp(
        5000,
        6081,
        &join(&[&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 0, 0, 0, 0], &inner]),
    );
    let gre_key = join(&[
        &[0xb0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1],
        &inner,
    ]);
    let erspan2 = join(&[
        &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 77, 0, 0, 0, 0],
        &inner,
    ]);
    let erspan3 = join(&[
        &[
            0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 78, 0, 0, 0, 0, 0, 0, 0, 1,
        ],
        &[0; 8],
        &inner,
    ]);
    let hops = join(&[&[60, 0, 1, 4, 0, 0, 0, 0], &[6, 0, 1, 4, 0, 0, 0, 0], &t]);
    let piece6 = join(&[&[17, 0, 0, 1, 0, 0, 0, 5], &udp(1, 2, &[0; 16])]);
    let arp = [
        0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
    ];
    let sll =
        |kind: [u8; 2], p: &[u8]| join(&[&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &kind, p]);
    let sll2 = |kind: [u8; 2], p: &[u8]| {
        join(&[
            &kind,
            &[0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0],
            p,
        ])
    };
    let p4 = ip4(a, b, 6, &t);
    let p6 = ip6(1, 2, 17, &u);
    let session = |p: &[u8]| {
        join(&[
            &(2 + p.len() as u16).to_be_bytes(),
            &[0, 0x21],
            p,
            &[0; 6], // padding of the frame
        ])
    };
    let gpe = |bits: u8, next: u8, p: &[u8]| {
        udp(
            5000,
            4790,
            &join(&[&[8 | bits, 0, 0, next, 0, 0, 43, 0], p]),
        )
    };
    let nsh = |next: u8, p: &[u8]| join(&[&[0x0f, 0xc6, 1, next, 0, 0, 1, 255], &[0; 16], p]);
    vec![
        (1, inner.clone()),
        (1, eth(0x0800, &ip4_full(a, b, 17, 3, 0, &[1, 1, 1, 0], &u))),
        (1, eth(0x8100, &tag(5, 0x86dd, &p6))),
        (1, eth(0x88a8, &tag(9, 0x8100, &tag(5, 0x0800, &p4)))),
        (1, eth(0x86dd, &ip6(1, 2, 0, &hops))),
        (1, eth(0x86dd, &ip6(1, 2, 44, &piece6))),
        (
            1,
            eth(0x0800, &ip4_full(a, b, 17, 3, 0x2000, &[], &[0; 64])),
        ),
        (1, eth(0x0800, &ip4_full(a, b, 17, 3, 8, &[], &[0; 64]))),
        (
            1,
            eth(0x0800, &ip4(a, b, 1, &[8, 0, 0, 0, 0, 1, 0, 2, 9, 9])),
        ),
        (1, eth(0x86dd, &ip6(1, 2, 58, &[128, 0, 0, 0, 0, 1, 0, 2]))),
        (1, eth(0x0806, &arp)),
        (1, eth(0x0800, &ip4(a, b, 17, &vxlan))),
        (1, eth(0x0800, &ip4(a, b, 17, &geneve))),
        (1, eth(0x0800, &ip4(a, b, 47, &gre_key))),
        (1, eth(0x0800, &ip4(a, b, 47, &erspan2))),
        (1, eth(0x0800, &ip4(a, b, 47, &erspan3))),
        (1, eth(0x0800, &ip4(a, b, 4, &p4))),
        (1, eth(0x0800, &ip4(a, b, 41, &p6))),
        (1, eth(0x86dd, &ip6(1, 2, 4, &p4))),
        (101, p4.clone()),
        (12, p6.clone()),
        (0, join(&[&[2, 0, 0, 0], &p4])),
        (108, join(&[&[0, 0, 0, 24], &p6])),
        (113, sll([8, 0], &p4)),
        (276, sll2([0x86, 0xdd], &p6)),
        (1, eth(0x0800, &ip4(a, b, 89, b"ospf"))),
        (1, eth(0x88cc, b"lldp")),
        (1, eth(0x8864, &join(&[&[0x11, 0, 0, 9], &session(&p4)]))),
        (
            1,
            eth(0x8847, &join(&[&[0, 1, 0, 64], &[0, 2, 0x21, 64], &p6])),
        ),
        (1, eth(0x8847, &join(&[&[0, 1, 1, 64], &[0; 4], &inner]))),
        (1, eth(0x0800, &ip4(a, b, 17, &gpe(4, 1, &p4)))),
        (1, eth(0x0800, &ip4(a, b, 17, &gpe(4, 4, &nsh(3, &inner))))),
        (
            1,
            eth(
                0x0800,
                &ip4(a, b, 47, &join(&[&[0, 0, 0x88, 0x47, 0, 1, 1, 64], &p4])),
            ),
        ),
        (9, join(&[&[0x00, 0x21], &p4])),
        (50, join(&[&[0xff, 3, 0x00, 0x57], &p6])),
        (1, eth(12, &[0x42, 0x42, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    ]
}
