//! The record layer (RFC 8446, 5.1): type, version, length.

/// Bytes of type, version and length.
pub(crate) const HEADER: usize = 5;
/// Longest record: 16 KiB and what encryption adds.
pub(crate) const LONGEST: usize = (16 << 10) + 2048;

pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    More,
    /// Type and length of what follows.
    Record(u8, usize),
    /// No record begins so: why, and at which byte that shows.
    No(&'static str, usize),
}

/// Reads type and length.
pub(crate) fn header(bytes: &[u8]) -> Framed {
    match bytes {
        [kind, ..] if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA + 1).contains(kind) => {
            Framed::No("no type of record of TLS", 0)
        }
        [_, major, ..] if *major != 3 => Framed::No("no version of TLS", 1),
        [_, _, minor, ..] if *minor > 4 => Framed::No("no version of TLS", 2),
        [kind, _, _, high, low, ..] => {
            let length = usize::from(*high) << 8 | usize::from(*low);
            if length > LONGEST || (length == 0 && *kind != APPLICATION_DATA) {
                return Framed::No("a length that no record of TLS has", 3);
            }
            Framed::Record(*kind, length)
        }
        _ => Framed::More,
    }
}

/// Where a record begins in bytes whose place is lost, or how many of them are none.
pub(crate) fn find(bytes: &[u8]) -> (usize, bool) {
    for at in 0..bytes.len() {
        let rest = &bytes[at..];
        match header(rest) {
            Framed::Record(CHANGE_CIPHER_SPEC, length) if length != 1 => {}
            Framed::Record(kind, _) if kind <= APPLICATION_DATA && rest[2] > 0 => return (at, true),
            Framed::More => return (at, false),
            Framed::Record(..) | Framed::No(..) => {}
        }
    }
    (bytes.len(), false)
}
