//! Reading numbers and texts from bytes that may be wrong or cut anywhere.

/// Reads front to back; what is not there is `None`, and so is all that would stand behind it: bytes that were cut are
/// never taken for others. Numbers are in network order unless a name ends with `le`.
///
/// ```
/// use metaflow_parser_sdk::Cursor;
///
/// let mut body = Cursor::new(b"\x00\x03abcuser\0rest");
/// assert_eq!(body.behind_u16(), Some(&b"abc"[..]));
/// assert_eq!(body.until_nul(), Some(&b"user"[..]));
/// assert_eq!((body.u32(), body.u8()), (Some(0x7265_7374), None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the first byte.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    /// What was not read yet.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// So many bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).unzip();
        self.rest = rest.unwrap_or_default();
        taken
    }

    /// So many bytes, as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().unzip();
        self.rest = rest.unwrap_or_default();
        taken.copied()
    }

    /// A byte.
    #[inline]
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A number of two bytes.
    #[inline]
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of three bytes.
    #[inline]
    pub fn u24(&mut self) -> Option<u32> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// A number of four bytes.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number of eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A number of one to eight bytes, the lowest first.
    #[inline]
    pub fn number_le(&mut self, size: usize) -> Option<u64> {
        let bytes = self.bytes(size)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Bytes behind their length in one byte.
    pub fn behind_u8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.bytes(length.into())
    }

    /// Bytes behind their length in two bytes.
    pub fn behind_u16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.bytes(length.into())
    }

    /// Bytes behind their length in four bytes.
    pub fn behind_u32(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.bytes(length)
    }

    /// Bytes up to a NUL, which is passed. Without one nothing is taken.
    pub fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    /// Bytes up to a NUL, or what is there of them.
    pub fn until_nul_or_end(&mut self) -> &'a [u8] {
        self.until_nul().unwrap_or_else(|| std::mem::take(&mut self.rest))
    }

    /// An unsigned number with seven bits a byte, the lowest first (LEB128, as MQTT and Protocol Buffers have it), of at
    /// most `longest` bytes.
    pub fn varint(&mut self, longest: usize) -> Option<u64> {
        let mut value = 0;
        for index in 0..longest.min(10) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        self.rest = &[];
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn numbers_and_texts_are_read() {
        let mut cursor = Cursor::new(b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x02hi\0\x01xleft\0right");
        assert_eq!((cursor.u8(), cursor.u16(), cursor.u24()), (Some(1), Some(0x203), Some(0x4_0506)));
        assert_eq!(cursor.number_le(4), Some(0x0a09_0807));
        assert_eq!((cursor.behind_u8(), cursor.behind_u16()), (Some(&b"hi"[..]), Some(&b"x"[..])));
        assert_eq!((cursor.until_nul(), cursor.until_nul_or_end()), (Some(&b"left"[..]), &b"right"[..]));
        assert_eq!(cursor.rest(), b"");
    }

    #[test]
    fn nothing_stands_behind_what_is_cut() {
        let mut cursor = Cursor::new(b"\x00\x05ab");
        assert_eq!((cursor.behind_u16(), cursor.u8(), cursor.rest()), (None, None, &b""[..]));
        let mut cursor = Cursor::new(b"abc");
        assert_eq!((cursor.until_nul(), cursor.u32(), cursor.u8()), (None, None, None));
        assert_eq!(Cursor::new(b"ab").until_nul_or_end(), b"ab");
        assert_eq!(Cursor::new(&[0, 0, 0, 9, 1]).behind_u32(), None);
    }

    #[test]
    fn varints_end_where_they_must() {
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0x7f]).varint(4), Some(268_435_455));
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 1]).varint(4), None);
        assert_eq!(Cursor::new(&[0x80]).varint(4), None);
        assert_eq!(Cursor::new(&[0xff; 20]).varint(20), None);
    }
}
