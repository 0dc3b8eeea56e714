//! The texts of a waiting message in one recycled buffer.

use crate::abi::{Texts, TEXT_COUNT};

/// Buffers above this size are not kept.
const KEEP_CAPACITY: usize = 4096;

/// Bits of an end: all texts of a message at their longest are 1.1 MB.
const END_BITS: u32 = 27;

/// All texts of a message, one behind the other.
#[derive(Debug, Default)]
pub struct PackedTexts {
    text: String,
    /// Of those that are not empty: the position in the upper bits, the end in the lower ones ([`END_BITS`]).
    ends: [u32; TEXT_COUNT],
    count: usize,
}

impl PackedTexts {
    /// Copies the texts in, replacing what was there.
    pub fn set(&mut self, texts: &Texts<'_>) {
        self.text.clear();
        self.count = texts.positions().count();
        for (slot, position) in self.ends.iter_mut().zip(texts.positions()) {
            self.text.push_str(texts.0[position]);
            *slot = (position as u32) << END_BITS | self.text.len() as u32;
        }
    }

    /// The texts.
    pub fn get(&self) -> Texts<'_> {
        let mut out = Texts::NONE;
        let mut start = 0;
        for &packed in self.ends.get(..self.count).unwrap_or_default() {
            let (position, end) = ((packed >> END_BITS) as usize, (packed & ((1 << END_BITS) - 1)) as usize);
            out.put(position, self.text.get(start..end).unwrap_or(""));
            start = end;
        }
        out
    }

    /// Bytes of text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Forgets the texts, and a large buffer with them.
    pub fn clear(&mut self) {
        self.text.clear();
        if self.text.capacity() > KEEP_CAPACITY {
            self.text.shrink_to(KEEP_CAPACITY);
        }
        self.count = 0;
    }
}
