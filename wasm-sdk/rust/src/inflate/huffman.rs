//! Canonical Huffman codes and the bits they are read from (RFC 1951, 3.2).

const FAST_BITS: u32 = 9;
const MAX_BITS: usize = 15;

/// A canonical Huffman code: a table for short codes, counts and symbols for long ones.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// `symbol << 4 | bits` by the next 9 bits; 0 where the code is longer.
    fast: Vec<u16>,
    count: [u16; MAX_BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    /// Makes the code of these lengths; `Err` when they make none.
    pub(super) fn build(&mut self, lengths: &[u8]) -> Result<(), &'static str> {
        self.count = [0; MAX_BITS + 1];
        for &length in lengths {
            self.count[usize::from(length)] += 1;
        }
        self.count[0] = 0;
        let mut left = 1i32;
        for count in &self.count[1..] {
            left = (left << 1) - i32::from(*count);
            if left < 0 {
                return Err("a Huffman code is over-subscribed");
            }
        }
        let mut next = [0u16; MAX_BITS + 2];
        let mut code = [0u32; MAX_BITS + 2];
        for bits in 1..=MAX_BITS {
            next[bits + 1] = next[bits] + self.count[bits];
            code[bits + 1] = (code[bits] + u32::from(self.count[bits])) << 1;
        }
        self.symbols.clear();
        self.symbols.resize(lengths.len(), 0);
        self.fast.clear();
        self.fast.resize(1 << FAST_BITS, 0);
        for (symbol, &length) in lengths.iter().enumerate() {
            let bits = u32::from(length);
            if bits == 0 {
                continue;
            }
            let at = usize::from(length);
            self.symbols[usize::from(next[at])] = symbol as u16;
            next[at] += 1;
            if bits <= FAST_BITS {
                let reversed = code[at].reverse_bits() >> (32 - bits);
                let mut slot = reversed as usize;
                while slot < 1 << FAST_BITS {
                    self.fast[slot] = (symbol as u16) << 4 | length as u16;
                    slot += 1 << bits;
                }
            }
            code[at] += 1;
        }
        Ok(())
    }

    /// The next symbol; `Ok(None)` when the input ends inside it.
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<Option<u16>, &'static str> {
        bits.fill();
        let entry = self.fast[(bits.buffer & ((1 << FAST_BITS) - 1)) as usize];
        let length = u32::from(entry & 15);
        if length > 0 {
            if length > bits.count {
                return Ok(None);
            }
            bits.drop(length);
            return Ok(Some(entry >> 4));
        }
        let (mut code, mut first, mut index) = (0i32, 0i32, 0i32);
        for length in 1..=MAX_BITS {
            if length as u32 > bits.count {
                return Ok(None);
            }
            code |= (bits.buffer >> (length - 1) & 1) as i32;
            let count = i32::from(self.count[length]);
            if code - count < first {
                bits.drop(length as u32);
                return Ok(self.symbols.get((index + code - first) as usize).copied());
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err("no Huffman code fits")
    }
}

/// A reader of bits that can be set back to where a step began.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    pub(super) data: &'a [u8],
    pub(super) at: usize,
    pub(super) buffer: u64,
    pub(super) count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.data.get(self.at) else { return };
            self.buffer |= u64::from(byte) << self.count;
            self.at += 1;
            self.count += 8;
        }
    }

    /// Takes bits that were looked at.
    pub(super) fn drop(&mut self, count: u32) {
        self.buffer >>= count;
        self.count -= count;
    }

    /// The next bits, at most 16; `None` when the input ends before them.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        self.fill();
        if self.count < count {
            return None;
        }
        let value = (self.buffer & ((1u64 << count) - 1)) as u32;
        self.drop(count);
        Some(value)
    }
}
