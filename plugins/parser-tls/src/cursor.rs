//! A reader over bytes that may be wrong or cut anywhere.

/// Reads front to back; what is not there is `None`.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        Some(self.bytes(1)?[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    pub fn u24(&mut self) -> Option<usize> {
        let bytes = self.bytes(3)?;
        Some(usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]))
    }

    /// A part behind its length in one byte.
    pub fn part8(&mut self) -> Option<Cursor<'a>> {
        let length = self.u8()?;
        self.bytes(length.into()).map(Cursor::new)
    }

    /// A part behind its length in two bytes.
    pub fn part16(&mut self) -> Option<Cursor<'a>> {
        let length = self.u16()?;
        self.bytes(length.into()).map(Cursor::new)
    }

    /// All numbers of two bytes that are there.
    pub fn numbers(self) -> impl Iterator<Item = u16> + 'a {
        self.rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }
}
