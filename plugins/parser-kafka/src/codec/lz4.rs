//! LZ4: the frame format, and the blocks in it.

use super::{literal, repeat};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Frame descriptor, then blocks of a length whose highest bit says that the block is stored as it is.
pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let flags = *input.strip_prefix(&MAGIC)?.first()?;
    let (has_size, has_dictionary, has_block_sums) = (flags & 8 != 0, flags & 1 != 0, flags & 16 != 0);
    let mut at = MAGIC.len() + 3 + if has_size { 8 } else { 0 } + if has_dictionary { 4 } else { 0 };
    loop {
        let size = u32::from_le_bytes(input.get(at..at + 4)?.try_into().ok()?);
        at += 4;
        if size == 0 {
            return Some(());
        }
        let length = (size & 0x7fff_ffff) as usize;
        let end = at.checked_add(length)?;
        let block = &input[at..end.min(input.len())];
        if size >> 31 == 1 {
            literal(out, block, &mut 0, length, limit)?;
        } else {
            // What ends a block well and what ends it early look the same; the next one begins behind it.
            let _ = sequences(block, limit, out);
        }
        if out.len() >= limit || end > input.len() {
            return None;
        }
        at = end + if has_block_sums { 4 } else { 0 };
    }
}

/// Sequences of literals and copies; a block ends with literals.
fn sequences(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    loop {
        let token = *input.get(at)?;
        at += 1;
        let literals = length(input, &mut at, token >> 4)?;
        literal(out, input, &mut at, literals, limit)?;
        let distance = u16::from_le_bytes(input.get(at..at + 2)?.try_into().ok()?);
        at += 2;
        let copied = length(input, &mut at, token & 15)? + 4;
        // Blocks of a frame may refer to those before.
        repeat(out, 0, distance.into(), copied, limit)?;
    }
}

/// A length of four bits, continued in bytes as long as they are 255.
fn length(input: &[u8], at: &mut usize, short: u8) -> Option<usize> {
    let mut length = usize::from(short);
    if short == 15 {
        loop {
            let byte = *input.get(*at)?;
            *at += 1;
            length += usize::from(byte);
            if byte < 255 {
                break;
            }
        }
    }
    Some(length)
}
