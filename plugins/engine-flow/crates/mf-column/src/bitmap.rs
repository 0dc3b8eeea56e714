//! Bits, least significant first, as Arrow stores booleans and validity.

/// A growing row of bits. Bits past `len` in the last byte are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    bytes: Vec<u8>,
    len: usize,
}

impl Bitmap {
    /// A bitmap of `len` equal bits.
    pub fn filled(len: usize, bit: bool) -> Self {
        let mut map = Bitmap::default();
        map.extend(len, bit);
        map
    }

    /// Number of bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends one bit.
    #[inline]
    pub fn push(&mut self, bit: bool) {
        let shift = self.len & 7;
        if shift == 0 {
            self.bytes.push(u8::from(bit));
        } else if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << shift;
        }
        self.len += 1;
    }

    /// Appends several bits, a byte at a time.
    pub fn push_all(&mut self, mut bits: impl ExactSizeIterator<Item = bool>) {
        while self.len & 7 != 0 {
            let Some(bit) = bits.next() else { return };
            self.push(bit);
        }
        self.bytes.reserve(bits.len().div_ceil(8));
        self.len += bits.len();
        while bits.len() > 0 {
            let mut byte = 0;
            for (shift, bit) in (0..8).zip(bits.by_ref()) {
                byte |= u8::from(bit) << shift;
            }
            self.bytes.push(byte);
        }
    }

    /// Appends `count` equal bits.
    pub fn extend(&mut self, mut count: usize, bit: bool) {
        while count > 0 && self.len & 7 != 0 {
            self.push(bit);
            count -= 1;
        }
        let whole = count / 8;
        self.bytes.resize(self.bytes.len() + whole, if bit { 0xff } else { 0 });
        self.len += whole * 8;
        for _ in 0..count % 8 {
            self.push(bit);
        }
    }

    /// Keeps the first `len` bits.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.bytes.truncate(len.div_ceil(8));
        if len & 7 != 0 {
            if let Some(last) = self.bytes.last_mut() {
                *last &= (1u8 << (len & 7)) - 1;
            }
        }
        self.len = len;
    }

    /// The bit at `index`; false past the end.
    pub fn get(&self, index: usize) -> bool {
        index < self.len && self.bytes.get(index / 8).is_some_and(|byte| byte >> (index & 7) & 1 == 1)
    }

    /// The bytes, `len` bits rounded up.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_extend_truncate_agree_with_a_vector_of_bools() {
        let mut seed = 7u32;
        let mut map = Bitmap::default();
        let mut model: Vec<bool> = Vec::new();
        for _ in 0..2000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bit = seed >> 9 & 1 == 1;
            match seed >> 28 {
                0..=4 => {
                    map.push(bit);
                    model.push(bit);
                }
                5..=7 => {
                    let bits: Vec<bool> = (0..seed >> 12 & 31).map(|shift| seed >> shift & 1 == 1).collect();
                    map.push_all(bits.iter().copied());
                    model.extend(bits);
                }
                8..=12 => {
                    let count = (seed >> 12 & 31) as usize;
                    map.extend(count, bit);
                    model.resize(model.len() + count, bit);
                }
                _ => {
                    let keep = model.len().saturating_sub((seed >> 12 & 15) as usize);
                    map.truncate(keep);
                    model.truncate(keep);
                }
            }
            assert_eq!(map.len(), model.len());
        }
        for (index, bit) in model.iter().enumerate() {
            assert_eq!(map.get(index), *bit, "bit {index}");
        }
        assert_eq!(map.bytes().len(), model.len().div_ceil(8));
    }
}
