//! Texts in Arrow's layout, plain and dictionary-encoded.

/// Texts one after the other: `offsets[i]..offsets[i+1]` in `bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strings {
    pub offsets: Vec<i32>,
    pub bytes: Vec<u8>,
}

impl Default for Strings {
    fn default() -> Self {
        Strings { offsets: vec![0], bytes: Vec::new() }
    }
}

impl Strings {
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Appends a text. Offsets are 32 bits wide: a text that would pass 2 GiB in one batch is kept as empty.
    #[inline]
    pub fn push(&mut self, text: &str) {
        if self.bytes.len() + text.len() <= i32::MAX as usize {
            self.bytes.extend_from_slice(text.as_bytes());
        }
        self.offsets.push(self.bytes.len() as i32);
    }

    pub fn extend_empty(&mut self, count: usize) {
        let end = self.bytes.len() as i32;
        self.offsets.resize(self.offsets.len() + count, end);
    }

    /// Appends the empty text; always true.
    #[inline]
    pub fn push_empty(&mut self) -> bool {
        self.offsets.push(self.bytes.len() as i32);
        true
    }

    pub fn truncate(&mut self, len: usize) {
        if let Some(&end) = self.offsets.get(len) {
            self.offsets.truncate(len + 1);
            self.bytes.truncate(end as usize);
        }
    }

    #[inline]
    fn bytes_at(&self, index: usize) -> Option<&[u8]> {
        let start = *self.offsets.get(index)? as usize;
        let end = *self.offsets.get(index + 1)? as usize;
        self.bytes.get(start..end)
    }

    pub fn get(&self, index: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes_at(index)?).ok()
    }
}

/// Texts of few different values. The dictionary is the batch's own, in order of first use, so the same rows give the
/// same bytes.
#[derive(Clone, Debug)]
pub(crate) struct Dict {
    pub indices: Vec<i32>,
    pub values: Strings,
    /// open addressing: index + 1 into `values`, 0 = free; a power of two
    slots: Vec<u32>,
    /// the entry of the empty text, once there is one
    empty: Option<i32>,
    /// short texts that were pushed last, with their entries, each in its place
    recent: [(Short, i32); RECENT],
}

/// A text of up to 16 bytes as numbers: equal ones are equal texts. The default is no text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Short {
    /// Length, plus 1.
    size: usize,
    /// First and last bytes, which overlap unless there are 16.
    ends: [u64; 2],
}

impl Short {
    #[inline]
    fn of(text: &[u8]) -> Option<Short> {
        let ends = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            _ if text.len() > 16 => return None,
            (Some(first), Some(last)) => [u64::from_le_bytes(*first), u64::from_le_bytes(*last)],
            _ => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
                (Some(first), Some(last)) => {
                    [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))]
                }
                // Of up to three bytes the first, the middle and the last are all.
                _ => match (text.first(), text.get(text.len() / 2), text.last()) {
                    (Some(first), Some(middle), Some(last)) => {
                        [u64::from(*first) | u64::from(*middle) << 8, u64::from(*last)]
                    }
                    _ => [0, 0],
                },
            },
        };
        Some(Short { size: text.len() + 1, ends })
    }

    /// Its place among the texts used last.
    #[inline]
    fn place(&self) -> usize {
        (self.size ^ self.ends[0] as usize) % RECENT
    }

    #[inline]
    fn same(&self, other: &Short) -> bool {
        (self.size ^ other.size) as u64 | (self.ends[0] ^ other.ends[0]) | (self.ends[1] ^ other.ends[1]) == 0
    }
}

/// Short texts that are remembered with their entries.
const RECENT: usize = 4;

impl Default for Dict {
    fn default() -> Self {
        Dict {
            indices: Vec::new(),
            values: Strings::default(),
            slots: vec![0; 64],
            empty: None,
            recent: Default::default(),
        }
    }
}

impl Dict {
    #[inline]
    pub fn push(&mut self, text: &str) {
        let index = match self.recent(text) {
            Some(index) => index,
            None => self.find(text),
        };
        self.indices.push(index);
    }

    /// The entry of a text that is one of the short ones used last: rows of one protocol mostly have one of few.
    #[inline]
    pub fn recent(&self, text: &str) -> Option<i32> {
        let short = Short::of(text.as_bytes())?;
        let (known, index) = &self.recent[short.place()];
        known.same(&short).then_some(*index)
    }

    /// The entry of another text. Apart, so that those do not pay for what this one needs.
    #[inline(never)]
    fn find(&mut self, text: &str) -> i32 {
        if let Some(short) = Short::of(text.as_bytes()) {
            let index = self.intern(text);
            self.recent[short.place()] = (short, index);
            return index;
        }
        match self.indices.last() {
            Some(last) if self.is(*last as usize, text) => *last,
            _ => self.intern(text),
        }
    }

    /// Whether an entry is this text.
    #[inline]
    fn is(&self, index: usize, text: &str) -> bool {
        self.values.bytes_at(index).is_some_and(|entry| same(entry, text.as_bytes()))
    }

    /// Rows without a value point at the entry of the empty text.
    pub fn extend_empty(&mut self, count: usize) {
        let index = match self.empty {
            Some(index) => index,
            None => self.intern(""),
        };
        self.indices.resize(self.indices.len() + count, index);
    }

    /// Appends the empty text when it has an entry; whether it has.
    #[inline]
    pub fn push_empty(&mut self) -> bool {
        let Some(index) = self.empty else { return false };
        self.indices.push(index);
        true
    }

    fn intern(&mut self, text: &str) -> i32 {
        if self.values.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = hash(text.as_bytes()) as usize & mask;
        while let Some(&slot) = self.slots.get(at) {
            if slot == 0 {
                break;
            }
            if self.is(slot as usize - 1, text) {
                return slot as i32 - 1;
            }
            at = (at + 1) & mask;
        }
        self.values.push(text);
        let index = self.values.len() - 1;
        if text.is_empty() {
            self.empty = Some(index as i32);
        }
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = index as u32 + 1;
        }
        index as i32
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0u32; mask + 1];
        for index in 0..self.values.len() {
            let mut at = hash(self.values.get(index).unwrap_or("").as_bytes()) as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = index as u32 + 1;
        }
        self.slots = slots;
    }

    pub fn get(&self, index: usize) -> Option<&str> {
        self.values.get(*self.indices.get(index)? as usize)
    }
}

/// Equality, without a call for what is short. Empty texts are not compared: they may point nowhere, and the C library's
/// masked loads from there take hundreds of cycles on processors with AVX-512.
#[inline]
fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    match (left.first_chunk::<8>(), left.last_chunk::<8>()) {
        (Some(first), Some(last)) if left.len() <= 16 => {
            right.first_chunk::<8>() == Some(first) && right.last_chunk::<8>() == Some(last)
        }
        (Some(_), _) => left == right,
        _ => left.iter().zip(right).all(|(left, right)| left == right),
    }
}

/// FNV-1a over words of eight bytes, folded. The input is bounded by the row's own text, and a flood of collisions costs a
/// linear probe of one batch's dictionary at worst.
fn hash(bytes: &[u8]) -> u32 {
    const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = 0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64;
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
        state ^= state >> 32;
        rest = behind;
    }
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    state = (state ^ last).wrapping_mul(PRIME);
    (state ^ state >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::{Dict, Short};

    #[test]
    fn short_texts_are_equal_as_numbers_when_they_are_equal() {
        let mut texts = vec![Vec::new()];
        for length in 1..=17 {
            let text = vec![b'a'; length];
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'b';
                texts.push(other);
            }
            texts.push(text);
        }
        for left in &texts {
            for right in &texts {
                let (short, other) = (Short::of(left), Short::of(right));
                assert_eq!(short.is_some(), left.len() <= 16);
                if let (Some(short), Some(other)) = (short, other) {
                    assert_eq!(short == other, left == right, "{left:?} {right:?}");
                    assert_ne!(short, Short::default());
                }
            }
        }
    }

    #[test]
    fn entries_are_those_of_a_plain_search_in_any_order_of_texts() {
        let words = ["GET", "POST", "", "1.1", "10.78.0.2:8080", "10.78.0.2:8081", "a name of more than sixteen bytes"];
        let (mut dict, mut seen, mut seed) = (Dict::default(), Vec::new(), 7_u32);
        for row in 0..2000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let text = words[(seed >> 20) as usize % words.len()];
            dict.push(text);
            let entry = seen.iter().position(|known| *known == text).unwrap_or_else(|| {
                seen.push(text);
                seen.len() - 1
            });
            assert_eq!((dict.indices[row], dict.get(row)), (entry as i32, Some(text)));
        }
    }
}
