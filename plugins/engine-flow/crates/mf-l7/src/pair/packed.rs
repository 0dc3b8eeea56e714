//! The texts of a waiting message in one recycled buffer.

use crate::abi::{Texts, TEXT_COUNT};

/// Buffers above this size are not kept.
const KEEP_CAPACITY: usize = 4096;

/// All texts of a message, one behind the other.
#[derive(Debug, Default)]
pub struct PackedTexts {
    text: String,
    ends: [u32; TEXT_COUNT],
}

impl PackedTexts {
    /// Copies the texts in, replacing what was there.
    pub fn set(&mut self, texts: &Texts<'_>) {
        self.text.clear();
        for (end, text) in self.ends.iter_mut().zip(&texts.0) {
            if !text.is_empty() {
                self.text.push_str(text);
            }
            *end = self.text.len() as u32;
        }
    }

    /// The texts.
    pub fn get(&self) -> Texts<'_> {
        let mut out = Texts([""; TEXT_COUNT]);
        let mut start = 0;
        for (slot, &end) in out.0.iter_mut().zip(&self.ends) {
            if start != end {
                *slot = self.text.get(start as usize..end as usize).unwrap_or("");
            }
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
        self.text.shrink_to(KEEP_CAPACITY);
        self.ends = [0; TEXT_COUNT];
    }
}
