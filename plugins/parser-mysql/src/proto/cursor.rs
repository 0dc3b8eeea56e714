//! Reading the protocol's integers and strings from a payload whose end may be cut.

/// A place in a payload; every read checks the bounds.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the first byte.
    pub fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    /// An integer of 1 to 8 bytes, little-endian.
    pub fn int(&mut self, size: usize) -> Option<u64> {
        let bytes = self.bytes(size)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A length-encoded integer.
    pub fn lenenc(&mut self) -> Option<u64> {
        match self.int(1)? {
            value @ 0..=0xfa => Some(value),
            0xfc => self.int(2),
            0xfd => self.int(3),
            0xfe => self.int(8),
            _ => None,
        }
    }

    /// A string behind its length.
    pub fn lenenc_bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.lenenc()?).ok()?;
        self.bytes(length)
    }

    /// A string that ends with a NUL.
    pub fn nul_bytes(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_checked() {
        let mut cursor = Cursor::new(&[0xfc, 1, 2, 3, b'a', b'b', b'c', b'x', 0, 0xfb]);
        assert_eq!(cursor.lenenc(), Some(0x201));
        assert_eq!(cursor.lenenc_bytes(), Some(&b"abc"[..]));
        assert_eq!(cursor.nul_bytes(), Some(&b"x"[..]));
        assert_eq!(cursor.lenenc(), None);
        assert_eq!(Cursor::new(&[0xfe, 1]).lenenc(), None);
        assert_eq!(Cursor::new(&[5, 1]).lenenc_bytes(), None);
        assert_eq!(Cursor::new(b"abc").nul_bytes(), None);
    }
}
