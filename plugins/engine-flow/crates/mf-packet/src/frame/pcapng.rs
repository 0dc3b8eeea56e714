//! pcapng blocks (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>): sections in either byte order, several
//! interfaces, enhanced, simple and obsolete packet blocks. Other blocks are skipped.

use super::{Direction, Frame, Step, MAX_FRAME};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET_OLD: u32 = 2;
const PACKET_SIMPLE: u32 = 3;
const PACKET: u32 = 6;

/// Interfaces of one section beyond this are not remembered; their packets are counted as damaged.
const MAX_INTERFACES: usize = 4096;

#[derive(Clone, Copy)]
struct Interface {
    link_type: u16,
    snap_len: u32,
    /// Units of a timestamp in one second.
    per_second: u64,
    /// Seconds to add.
    offset: i64,
}

impl Interface {
    #[inline]
    fn time_ns(&self, ticks: u64) -> u64 {
        let ns = match self.per_second {
            1_000_000_000 => ticks,
            1_000_000 => ticks.saturating_mul(1000),
            unit => u64::try_from(u128::from(ticks) * 1_000_000_000 / u128::from(unit.max(1)))
                .unwrap_or(u64::MAX),
        };
        ns.saturating_add_signed(self.offset.saturating_mul(1_000_000_000))
    }
}

/// The current section.
#[derive(Default)]
pub(super) struct Pcapng {
    started: bool,
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before this one, so that numbers stay distinct in one source.
    base: u32,
    /// The last packet's time: a simple packet block has none.
    last_ns: u64,
}

impl Pcapng {
    #[inline]
    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    #[inline]
    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }

    #[inline]
    fn word(&self, bytes: &[u8], at: usize) -> u32 {
        bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map_or(0, |word| self.u32(*word))
    }

    /// One block: `u32 type · u32 length · body · u32 length`.
    #[inline]
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let Some(h) = bytes.first_chunk::<12>() else {
            return Step::Need(12);
        };
        // The section header's type reads the same in both byte orders; its magic tells which one follows.
        let kind = self.u32([h[0], h[1], h[2], h[3]]);
        if kind == SECTION {
            match [h[8], h[9], h[10], h[11]] {
                [0x1a, 0x2b, 0x3c, 0x4d] => self.big_endian = true,
                [0x4d, 0x3c, 0x2b, 0x1a] => self.big_endian = false,
                _ => return Step::Corrupt("pcapng_byte_order_magic_wrong"),
            }
        } else if !self.started {
            return Step::Corrupt("pcapng_without_section_header");
        }
        let length = self.u32([h[4], h[5], h[6], h[7]]);
        if length < 12 || length % 4 != 0 || length > MAX_FRAME {
            return Step::Corrupt("pcapng_block_length_wrong");
        }
        let size = length as usize;
        let Some(block) = bytes.get(..size) else {
            return Step::Need(size);
        };
        if self.word(block, size - 4) != length {
            return Step::Corrupt("pcapng_block_lengths_differ");
        }
        let body = block.get(8..size - 4).unwrap_or(&[]);
        match kind {
            PACKET => self.packet(size, body, false),
            PACKET_OLD => self.packet(size, body, true),
            PACKET_SIMPLE => self.simple(size, body),
            SECTION => {
                self.started = true;
                self.base = self.base.saturating_add(self.interfaces.len() as u32);
                self.interfaces.clear();
                Step::Skip(size)
            }
            INTERFACE => self.interface(size, body),
            _ => Step::Skip(size),
        }
    }

    fn interface<'a>(&mut self, size: usize, body: &[u8]) -> Step<'a> {
        let Some(h) = body.first_chunk::<8>() else {
            return Step::Bad(size, "pcapng_interface_block_too_short");
        };
        let mut interface = Interface {
            link_type: self.u16([h[0], h[1]]),
            snap_len: self.u32([h[4], h[5], h[6], h[7]]),
            per_second: 1_000_000,
            offset: 0,
        };
        for (code, value) in self.options(body.get(8..).unwrap_or(&[])) {
            match (code, value) {
                // if_tsresol: a power of ten, or of two when the top bit is set.
                (9, &[res, ..]) => {
                    let power = u32::from(res & 0x7f);
                    let base: u64 = if res & 0x80 == 0 { 10 } else { 2 };
                    let Some(unit) = base.checked_pow(power) else {
                        return Step::Bad(size, "pcapng_timestamp_resolution_unusable");
                    };
                    interface.per_second = unit;
                }
                // if_tsoffset: seconds.
                (14, &[a, b, c, d, e, f, g, h]) => {
                    let bytes = [a, b, c, d, e, f, g, h];
                    interface.offset = if self.big_endian {
                        i64::from_be_bytes(bytes)
                    } else {
                        i64::from_le_bytes(bytes)
                    };
                }
                _ => {}
            }
        }
        if self.interfaces.len() >= MAX_INTERFACES {
            return Step::Bad(size, "pcapng_too_many_interfaces");
        }
        self.interfaces.push(interface);
        Step::Skip(size)
    }

    /// Enhanced: `u32 interface · u32 time high · u32 time low · u32 captured · u32 wire`, bytes, options. Obsolete: the same
    /// with `u16 interface · u16 drops` in the first word.
    #[inline]
    fn packet<'a>(&mut self, size: usize, body: &'a [u8], obsolete: bool) -> Step<'a> {
        let Some(h) = body.first_chunk::<20>() else {
            return Step::Bad(size, "pcapng_packet_block_too_short");
        };
        let id = if obsolete {
            u32::from(self.u16([h[0], h[1]]))
        } else {
            self.u32([h[0], h[1], h[2], h[3]])
        };
        let Some(&interface) = self.interfaces.get(id as usize) else {
            return Step::Bad(size, "pcapng_interface_unknown");
        };
        let ticks = u64::from(self.u32([h[4], h[5], h[6], h[7]])) << 32
            | u64::from(self.u32([h[8], h[9], h[10], h[11]]));
        let cap_len = self.u32([h[12], h[13], h[14], h[15]]);
        let wire_len = self.u32([h[16], h[17], h[18], h[19]]);
        let Some(data) = body.get(20..20usize.saturating_add(cap_len as usize)) else {
            return Step::Bad(size, "pcapng_captured_length_beyond_block");
        };
        let mut direction = Direction::Unknown;
        let options = body
            .get(20 + data.len().next_multiple_of(4)..)
            .unwrap_or(&[]);
        if options.len() > 4 {
            // epb_flags (and pack_flags): the two low bits are 1 inbound, 2 outbound.
            for (code, value) in self.options(options) {
                if let (2, Some(word)) = (code, value.first_chunk::<4>()) {
                    direction = match self.u32(*word) & 3 {
                        1 => Direction::In,
                        2 => Direction::Out,
                        _ => Direction::Unknown,
                    };
                }
            }
        }
        self.last_ns = interface.time_ns(ticks);
        let frame = Frame {
            time_ns: self.last_ns,
            wire_len: wire_len.max(cap_len),
            link_type: interface.link_type,
            interface: self.base.saturating_add(id) as u16,
            direction,
            vlan_tci: None,
            data,
        };
        Step::Frame(size, frame)
    }

    /// `u32 wire length`, then bytes cut to the interface's snap length; no time: it gets that of the packet before it.
    fn simple<'a>(&mut self, size: usize, body: &'a [u8]) -> Step<'a> {
        let (Some(h), Some(&interface)) = (body.first_chunk::<4>(), self.interfaces.first()) else {
            return Step::Bad(size, "pcapng_simple_packet_without_interface");
        };
        let wire_len = self.u32(*h);
        let snap = if interface.snap_len == 0 {
            u32::MAX
        } else {
            interface.snap_len
        };
        let room = body.get(4..).unwrap_or(&[]);
        let data = room.get(..wire_len.min(snap) as usize).unwrap_or(room);
        let frame = Frame {
            time_ns: self.last_ns,
            wire_len: wire_len.max(data.len() as u32),
            link_type: interface.link_type,
            interface: self.base as u16,
            direction: Direction::Unknown,
            vlan_tci: None,
            data,
        };
        Step::Frame(size, frame)
    }

    /// Options are `u16 code · u16 length · value · padding to 4`; the first malformed one ends the list.
    fn options<'b>(&self, mut rest: &'b [u8]) -> impl Iterator<Item = (u16, &'b [u8])> {
        let big_endian = self.big_endian;
        std::iter::from_fn(move || {
            let h = rest.first_chunk::<4>()?;
            let (code, len) = ([h[0], h[1]], [h[2], h[3]]);
            let (code, len) = if big_endian {
                (u16::from_be_bytes(code), u16::from_be_bytes(len))
            } else {
                (u16::from_le_bytes(code), u16::from_le_bytes(len))
            };
            if code == 0 {
                return None;
            }
            let len = usize::from(len);
            let value = rest.get(4..4 + len)?;
            rest = rest.get(4 + len.next_multiple_of(4)..).unwrap_or(&[]);
            Some((code, value))
        })
    }
}
