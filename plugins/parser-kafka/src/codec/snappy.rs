//! Snappy: the block format, alone or in the chunks that snappy-java writes.

use super::{literal, repeat};

/// `\x82SNAPPY\0`, a version and a compatible version; then chunks of a length each.
const JAVA: &[u8] = b"\x82SNAPPY\0";

pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    if !input.starts_with(JAVA) {
        return block(input, limit, out);
    }
    let mut at = 16;
    loop {
        let size = u32::from_be_bytes(input.get(at..at + 4)?.try_into().ok()?) as usize;
        at += 4;
        let end = at.checked_add(size)?;
        block(&input[at..end.min(input.len())], limit, out)?;
        at = end;
    }
}

/// A length in 7 bits a byte, then literals and copies.
fn block(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut at = input.iter().take(5).position(|byte| *byte < 0x80)? + 1;
    while at < input.len() {
        let tag = input[at];
        at += 1;
        let upper = usize::from(tag >> 2);
        let (distance, length) = match tag & 3 {
            0 => {
                let mut length = upper;
                if upper >= 60 {
                    let count = upper - 59;
                    length = number(input, at, count)?;
                    at += count;
                }
                literal(out, input, &mut at, length.checked_add(1)?, limit)?;
                continue;
            }
            1 => {
                let distance = usize::from(tag >> 5) << 8 | number(input, at, 1)?;
                at += 1;
                (distance, 4 + (upper & 7))
            }
            kind => {
                let count = if kind == 2 { 2 } else { 4 };
                let distance = number(input, at, count)?;
                at += count;
                (distance, upper + 1)
            }
        };
        repeat(out, start, distance, length, limit)?;
    }
    Some(())
}

/// A little-endian number of up to four bytes.
fn number(input: &[u8], at: usize, count: usize) -> Option<usize> {
    let bytes = input.get(at..at.checked_add(count)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
}
