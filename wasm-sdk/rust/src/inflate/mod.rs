//! Inflate (RFC 1951), alone or behind a zlib header (RFC 1950), as a stream: input in any pieces, output in pieces.
//!
//! A step (a block header, a symbol, a run of stored bytes) is done as a whole or, when its input is not there yet, not
//! at all; the unread bytes, never more than a block header's few hundred, wait for the next call. Memory is the 32 KiB
//! window and the tables, whatever the input says. The checksum at the end is not verified: TCP had one.

mod huffman;

use huffman::{Bits, Code};

const WINDOW: usize = 32 * 1024;
const LENGTH_BASE: [u16; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA: [u8; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
const CODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Zlib,
    Block,
    Stored(u32),
    Codes,
    Done,
}

/// Inflates one stream.
#[derive(Debug)]
pub struct Inflater {
    stage: Stage,
    last: bool,
    input: Vec<u8>,
    buffer: u64,
    bits: u32,
    /// The window and, behind it, what the last call made.
    output: Vec<u8>,
    literals: Code,
    distances: Code,
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Inflater {
    /// An inflater at the beginning of a stream.
    pub fn new() -> Self {
        Self {
            stage: Stage::Zlib,
            last: false,
            input: Vec::new(),
            buffer: 0,
            bits: 0,
            output: Vec::new(),
            literals: Code::default(),
            distances: Code::default(),
        }
    }

    /// An inflater of a bare stream, as it stands behind a gzip header (RFC 1952).
    pub fn raw() -> Self {
        Self { stage: Stage::Block, ..Self::new() }
    }

    /// Begins a new stream behind a zlib header.
    pub fn reset(&mut self) {
        self.stage = Stage::Zlib;
        self.last = false;
        self.input.clear();
        self.buffer = 0;
        self.bits = 0;
        self.output.clear();
    }

    /// Takes input and hands out what it becomes, at most `limit` bytes of it; `Err` says what is wrong.
    ///
    /// Output is handed out in pieces of at most some 32 KiB. Input behind the end of the stream (its checksum) is
    /// ignored.
    pub fn feed(&mut self, data: &[u8], limit: u64, mut out: impl FnMut(&[u8])) -> Result<(), &'static str> {
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(data);
        let mut bits = Bits { data: &input, at: 0, buffer: self.buffer, count: self.bits };
        let mut left = limit;
        let result = loop {
            let from = self.output.len();
            let mut saved = bits;
            let step = self.run(&mut bits, &mut saved, left);
            left -= (self.output.len() - from) as u64;
            if self.output.len() > from {
                out(&self.output[from..]);
            }
            if self.output.len() > 2 * WINDOW {
                self.output.drain(..self.output.len() - WINDOW);
            }
            match step {
                Ok(true) => {}
                Ok(false) => {
                    bits = saved;
                    break Ok(());
                }
                Err(reason) => break Err(reason),
            }
        };
        let at = bits.at;
        self.buffer = bits.buffer;
        self.bits = bits.count;
        if self.stage != Stage::Done {
            input.drain(..at);
            self.input = input;
        }
        result
    }

    /// Does steps until some output is made or the input ends (`Ok(false)`, `saved` is where the last step began).
    fn run<'a>(&mut self, bits: &mut Bits<'a>, saved: &mut Bits<'a>, left: u64) -> Result<bool, &'static str> {
        let enough = self.output.len() + WINDOW;
        let stop = self.output.len() as u64 + left;
        loop {
            *saved = *bits;
            let done = match self.stage {
                Stage::Zlib => self.zlib(bits)?,
                Stage::Block => self.block(bits)?,
                Stage::Stored(length) => self.stored(bits, length),
                Stage::Codes => self.code(bits)?,
                Stage::Done => false,
            };
            if self.output.len() as u64 > stop {
                self.output.truncate(stop as usize);
                return Err("more output than was announced");
            }
            if !done {
                return Ok(false);
            }
            if self.output.len() >= enough {
                return Ok(true);
            }
        }
    }

    fn zlib(&mut self, bits: &mut Bits<'_>) -> Result<bool, &'static str> {
        let Some(header) = bits.take(16) else { return Ok(false) };
        let (method, flags) = (header & 0xff, header >> 8);
        if method & 15 != 8 || method >> 4 > 7 || (method << 8 | flags) % 31 != 0 || flags & 0x20 != 0 {
            return Err("no zlib header");
        }
        self.stage = Stage::Block;
        Ok(true)
    }

    fn block(&mut self, bits: &mut Bits<'_>) -> Result<bool, &'static str> {
        if self.last {
            self.stage = Stage::Done;
            return Ok(false);
        }
        let Some(head) = bits.take(3) else { return Ok(false) };
        let done = match head >> 1 {
            0 => {
                bits.drop(bits.count % 8);
                let (Some(length), Some(check)) = (bits.take(16), bits.take(16)) else { return Ok(false) };
                if length != check ^ 0xffff {
                    return Err("a stored block's length is damaged");
                }
                self.stage = Stage::Stored(length);
                true
            }
            1 => {
                let mut lengths = [8u8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                self.literals.build(&lengths)?;
                self.distances.build(&[5; 30])?;
                self.stage = Stage::Codes;
                true
            }
            2 => self.tables(bits)?,
            _ => return Err("an unknown block type"),
        };
        if done {
            self.last = head & 1 == 1;
        }
        Ok(done)
    }

    fn tables(&mut self, bits: &mut Bits<'_>) -> Result<bool, &'static str> {
        let Some(sizes) = bits.take(14) else { return Ok(false) };
        let literals = 257 + (sizes & 31) as usize;
        let distances = 1 + (sizes >> 5 & 31) as usize;
        let codes = 4 + (sizes >> 10) as usize;
        if literals > 286 || distances > 30 {
            return Err("too many Huffman codes");
        }
        let mut lengths = [0u8; 320];
        for &place in &CODE_ORDER[..codes] {
            let Some(length) = bits.take(3) else { return Ok(false) };
            lengths[place] = length as u8;
        }
        let mut meta = Code::default();
        meta.build(&lengths[..19])?;
        lengths = [0; 320];
        let mut at = 0;
        while at < literals + distances {
            let Some(symbol) = meta.symbol(bits)? else { return Ok(false) };
            if symbol < 16 {
                lengths[at] = symbol as u8;
                at += 1;
                continue;
            }
            let (extra, base, value) = match symbol {
                16 if at == 0 => return Err("a repeated code length with none before it"),
                16 => (2, 3, lengths[at - 1]),
                17 => (3, 3, 0),
                _ => (7, 11, 0),
            };
            let Some(more) = bits.take(extra) else { return Ok(false) };
            let end = at + base + more as usize;
            if end > literals + distances {
                return Err("too many code lengths");
            }
            lengths[at..end].fill(value);
            at = end;
        }
        if lengths[256] == 0 {
            return Err("a block without an end");
        }
        self.literals.build(&lengths[..literals])?;
        self.distances.build(&lengths[literals..literals + distances])?;
        self.stage = Stage::Codes;
        Ok(true)
    }

    fn stored(&mut self, bits: &mut Bits<'_>, length: u32) -> bool {
        if length == 0 {
            self.stage = Stage::Block;
            return true;
        }
        let mut left = length;
        while left > 0 && bits.count >= 8 {
            self.output.push(bits.buffer as u8);
            bits.drop(8);
            left -= 1;
        }
        if bits.count == 0 {
            let take = (left as usize).min(bits.data.len() - bits.at);
            self.output.extend_from_slice(&bits.data[bits.at..bits.at + take]);
            bits.at += take;
            left -= take as u32;
        }
        self.stage = Stage::Stored(left);
        left < length
    }

    fn code(&mut self, bits: &mut Bits<'_>) -> Result<bool, &'static str> {
        let Some(symbol) = self.literals.symbol(bits)? else { return Ok(false) };
        if symbol < 256 {
            self.output.push(symbol as u8);
            return Ok(true);
        }
        if symbol == 256 {
            self.stage = Stage::Block;
            return Ok(true);
        }
        let place = usize::from(symbol) - 257;
        let (Some(&base), Some(&extra)) = (LENGTH_BASE.get(place), LENGTH_EXTRA.get(place)) else {
            return Err("a length that does not exist");
        };
        let Some(more) = bits.take(u32::from(extra)) else { return Ok(false) };
        let length = usize::from(base) + more as usize;
        let Some(symbol) = self.distances.symbol(bits)? else { return Ok(false) };
        let place = usize::from(symbol);
        let (Some(&base), Some(&extra)) = (DISTANCE_BASE.get(place), DISTANCE_EXTRA.get(place)) else {
            return Err("a distance that does not exist");
        };
        let Some(more) = bits.take(u32::from(extra)) else { return Ok(false) };
        let distance = usize::from(base) + more as usize;
        let Some(from) = self.output.len().checked_sub(distance) else {
            return Err("a distance before the beginning");
        };
        for at in from..from + length {
            self.output.push(self.output[at]);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `zlib.compress(b"select " * 40 + bytes(range(256)))`, made by Python.
    const DYNAMIC: &str = include_str!("../../tests/data/zlib.hex");

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn inflate(pieces: &[&[u8]], limit: u64) -> Result<Vec<u8>, &'static str> {
        let mut inflater = Inflater::new();
        let mut output = Vec::new();
        for piece in pieces {
            let left = limit - output.len() as u64;
            inflater.feed(piece, left, |part| output.extend_from_slice(part))?;
        }
        Ok(output)
    }

    #[test]
    fn streams_are_inflated_at_any_split() {
        for line in DYNAMIC.lines() {
            let (size, hex) = line.split_once(' ').unwrap();
            let (size, sum) = size.split_once(':').unwrap();
            let packed = bytes(hex);
            let expected: u64 = sum.parse().unwrap();
            let whole = inflate(&[&packed], u64::MAX).unwrap();
            assert_eq!(whole.len().to_string(), size);
            assert_eq!(whole.iter().fold(1u64, |sum, byte| (sum * 31 + u64::from(*byte)) % 1_000_003), expected);
            for split in (0..packed.len()).step_by(packed.len() / if whole.len() > 100_000 { 5 } else { 300 } + 1) {
                assert_eq!(inflate(&[&packed[..split], &packed[split..]], u64::MAX).unwrap(), whole);
            }
            let single: Vec<&[u8]> = packed.chunks(1).collect();
            assert_eq!(inflate(&single, u64::MAX).unwrap(), whole);
        }
    }

    #[test]
    fn a_bare_stream_has_no_header() {
        let mut output = Vec::new();
        // One stored block of two bytes.
        let stored = [1, 2, 0, 0xfd, 0xff, b'h', b'i'];
        Inflater::raw().feed(&stored, 100, |part| output.extend_from_slice(part)).unwrap();
        assert_eq!(output, b"hi");
    }

    #[test]
    fn a_bomb_ends_at_its_limit() {
        let line = DYNAMIC.lines().max_by_key(|line| line.split(':').next().unwrap().parse::<u64>().unwrap()).unwrap();
        let packed = bytes(line.split_once(' ').unwrap().1);
        let mut inflater = Inflater::new();
        let mut made = 0;
        assert!(inflater.feed(&packed, 1000, |part| made += part.len()).is_err());
        assert_eq!(made, 1000);
    }

    #[test]
    fn damage_is_an_error_or_other_bytes_but_never_a_panic() {
        let mut seed = 7u64;
        for line in DYNAMIC.lines().filter(|line| line.len() < 5000) {
            let packed = bytes(line.split_once(' ').unwrap().1);
            for _ in 0..300 {
                let mut broken = packed.clone();
                for _ in 0..3 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let at = (seed >> 33) as usize % broken.len();
                    broken[at] ^= (seed >> 20) as u8;
                }
                let _ = inflate(&[&broken], 1 << 20);
            }
        }
    }
}
