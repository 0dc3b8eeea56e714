//! The head of a message: sixteen bytes.

/// Bytes of a head.
pub(crate) const HEAD: usize = 16;
const MAGIC: [u8; 2] = [0xda, 0xbb];
const REQUEST: u8 = 0x80;
const TWO_WAY: u8 = 0x40;
const EVENT: u8 = 0x20;
const SERIALIZATION: u8 = 0x1f;
/// Longest body that is believed; providers take 8 MiB by default.
const LONGEST: u32 = 256 << 20;

/// A head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub is_request: bool,
    pub is_two_way: bool,
    pub is_event: bool,
    pub serialization: u8,
    pub status: u8,
    pub id: u64,
    /// Bytes of the body.
    pub length: u32,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// More bytes are needed to say.
    More,
    No(&'static str, usize),
}

impl Frame {
    /// Read a head; the answer for a part of it is that for the whole, or [`Fault::More`].
    pub fn read(bytes: &[u8]) -> Result<Frame, Fault> {
        for (at, expected) in MAGIC.iter().enumerate() {
            match bytes.get(at) {
                None => return Err(Fault::More),
                Some(found) if found != expected => return Err(Fault::No("no magic of Dubbo", at)),
                Some(_) => {}
            }
        }
        let flags = *bytes.get(2).ok_or(Fault::More)?;
        if flags & SERIALIZATION == 0 {
            return Err(Fault::No("no serialization of Dubbo", 2));
        }
        let is_request = flags & REQUEST != 0;
        if !is_request && flags & TWO_WAY != 0 {
            return Err(Fault::No("a response that wants a response", 2));
        }
        let status = *bytes.get(3).ok_or(Fault::More)?;
        if is_request && status != 0 {
            return Err(Fault::No("a request with a status", 3));
        }
        if !is_request && status == 0 {
            return Err(Fault::No("a response without a status", 3));
        }
        let head = bytes.get(..HEAD).ok_or(Fault::More)?;
        let number = |from: usize, to: usize| head[from..to].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let length = number(12, 16) as u32;
        if length > LONGEST {
            return Err(Fault::No("a body of more than 256 MiB", 12));
        }
        Ok(Frame {
            is_request,
            is_two_way: flags & TWO_WAY != 0,
            is_event: flags & EVENT != 0,
            serialization: flags & SERIALIZATION,
            status,
            id: number(4, 12),
            length,
        })
    }

    /// Bytes of the message.
    pub const fn size(&self) -> usize {
        HEAD + self.length as usize
    }
}
