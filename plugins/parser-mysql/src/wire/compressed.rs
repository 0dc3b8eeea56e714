//! The compressed protocol: packets of a 7-byte header and a zlib stream, stored bytes or a zstd frame
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html>).

use crate::message::At;
use metaflow_parser_sdk::inflate::Inflater;

/// What client and server agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// zlib: inflated here.
    Zlib,
    /// zstd: not inflated; packets that are too small to be compressed are read, others are missing bytes.
    Zstd,
}

/// What becomes of some compressed bytes.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Bytes of the plain stream; place and time are those of their compressed packet. The first bytes of a packet
    /// come with its sequence number.
    Plain(At, &'a [u8], Option<u8>),
    /// So many bytes of the plain stream that cannot be had, and why.
    Missing(At, u64, &'static str),
}

/// One direction of a compressed session.
#[derive(Debug)]
pub struct Inflow {
    codec: Codec,
    head: [u8; 7],
    have: usize,
    /// Bytes of this packet to come.
    left: u64,
    /// Plain bytes of this packet to come.
    plain: u64,
    stored: bool,
    broken: bool,
    fresh: bool,
    start: At,
    inflater: Inflater,
}

const ZSTD: &str = "a packet compressed with zstd, which this parser does not read";
/// The reason that stands for a gap which was told already.
pub const CUT: &str = "a compressed packet with missing bytes";

impl Inflow {
    /// The beginning of the compressed part of a session.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            head: [0; 7],
            have: 0,
            left: 0,
            plain: 0,
            stored: false,
            broken: false,
            fresh: false,
            start: At::default(),
            inflater: Inflater::new(),
        }
    }

    /// True between two packets.
    pub fn is_idle(&self) -> bool {
        self.have == 0
    }

    /// Drops a half-read packet.
    pub fn reset(&mut self) {
        self.have = 0;
        self.left = 0;
    }

    /// Takes missing bytes; true when they lie inside a packet, whose end is then still known.
    pub fn gap(&mut self, missing: u64, out: &mut impl FnMut(Piece<'_>)) -> bool {
        if self.have < 7 || self.left == 0 || missing > self.left {
            return false;
        }
        self.left -= missing;
        if self.stored {
            self.plain -= missing;
            out(Piece::Missing(self.start, missing, CUT));
        } else if !self.broken {
            self.give_up(CUT, out);
        }
        if self.left == 0 {
            self.have = 0;
        }
        true
    }

    /// Takes bytes of the wire.
    pub fn feed(&mut self, at: At, data: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        let mut from = 0;
        while from < data.len() {
            if self.have < 7 {
                if self.have == 0 {
                    self.start = At { offset: at.offset + from as u64, ..at };
                }
                self.head[self.have] = data[from];
                self.have += 1;
                from += 1;
                if self.have == 7 {
                    self.begin(out);
                }
                continue;
            }
            let start = self.start;
            let take = self.left.min((data.len() - from) as u64) as usize;
            let piece = &data[from..from + take];
            from += take;
            self.left -= take as u64;
            if self.stored {
                self.plain -= take as u64;
                let seq = std::mem::take(&mut self.fresh).then_some(self.head[3]);
                out(Piece::Plain(start, piece, seq));
            } else if !self.broken {
                let mut made = 0;
                let mut seq = self.fresh.then_some(self.head[3]);
                let fed = self.inflater.feed(piece, self.plain, |part| {
                    made += part.len() as u64;
                    out(Piece::Plain(start, part, seq.take()));
                });
                self.plain -= made;
                self.fresh &= made == 0;
                if let Err(reason) = fed {
                    self.give_up(reason, out);
                }
            }
            if self.left == 0 {
                if !self.stored && !self.broken && self.plain > 0 {
                    self.give_up("a compressed packet with less in it than it says", out);
                }
                self.have = 0;
            }
        }
    }

    fn begin(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        let u24 = |at: usize| {
            u64::from(self.head[at]) | u64::from(self.head[at + 1]) << 8 | u64::from(self.head[at + 2]) << 16
        };
        self.left = u24(0);
        self.plain = u24(4);
        self.stored = self.plain == 0;
        self.broken = false;
        self.fresh = true;
        if self.stored {
            self.plain = self.left;
        } else if self.codec == Codec::Zstd {
            self.give_up(ZSTD, out);
        } else {
            self.inflater.reset();
        }
        if self.left == 0 {
            self.have = 0;
        }
    }

    fn give_up(&mut self, reason: &'static str, out: &mut impl FnMut(Piece<'_>)) {
        self.broken = true;
        if self.plain > 0 {
            out(Piece::Missing(self.start, self.plain, reason));
        }
        self.plain = 0;
    }
}
