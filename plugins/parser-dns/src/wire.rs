//! Numbers at offsets, and what is wrong where.

/// Why bytes are not a DNS message, and the byte of the message where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub reason: &'static str,
    pub offset: usize,
}

pub(crate) const fn fault<T>(reason: &'static str, offset: usize) -> Result<T, Fault> {
    Err(Fault { reason, offset })
}

/// Big-endian u16 at an offset; a fault when the bytes end before.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Fault> {
    match bytes.get(at..) {
        Some([high, low, ..]) => Ok(u16::from_be_bytes([*high, *low])),
        _ => fault("the message ends too early", bytes.len()),
    }
}

/// Big-endian u32 at an offset; a fault when the bytes end before.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Fault> {
    Ok(u32::from(u16_at(bytes, at)?) << 16 | u32::from(u16_at(bytes, at + 2)?))
}
