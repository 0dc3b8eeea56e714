//! The compression of records: as much of them as is wanted, whatever the compressed bytes claim.

mod lz4;
mod snappy;

use metaflow_parser_sdk::inflate::Inflater;

/// Names by the lowest three bits of a batch's attributes.
pub(crate) const NAMES: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// Decompress the beginning of `input` into `out`, which gets `limit` bytes at most. Damage ends it early.
pub(crate) fn decompress(kind: u8, input: &[u8], limit: usize, out: &mut Vec<u8>) {
    out.clear();
    let _ = match kind {
        1 => gzip(input, limit, out),
        2 => snappy::decompress(input, limit, out),
        3 => lz4::decompress(input, limit, out),
        _ => None,
    };
    out.truncate(limit);
}

/// RFC 1952: a header with optional parts, and a bare stream.
fn gzip(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const CHECK: u8 = 2;
    let flags = match input {
        [0x1f, 0x8b, 8, flags, ..] => *flags,
        _ => return None,
    };
    let mut rest = input.get(10..)?;
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(rest.get(..2)?.try_into().ok()?);
        rest = rest.get(2 + usize::from(length)..)?;
    }
    for part in [NAME, COMMENT] {
        if flags & part != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & CHECK != 0 {
        rest = rest.get(2..)?;
    }
    Inflater::raw().feed(rest, limit as u64, |part| out.extend_from_slice(part)).ok()
}

/// Copy `length` bytes from `distance` before the end; they may overlap with what they make.
fn repeat(out: &mut Vec<u8>, start: usize, distance: usize, length: usize, limit: usize) -> Option<()> {
    let from = out.len().checked_sub(distance).filter(|from| distance > 0 && *from >= start)?;
    for at in from..from + length {
        if out.len() >= limit {
            return None;
        }
        out.push(out[at]);
    }
    Some(())
}

/// Copy bytes as they stand.
fn literal(out: &mut Vec<u8>, input: &[u8], at: &mut usize, length: usize, limit: usize) -> Option<()> {
    let end = at.checked_add(length)?;
    let there = &input[(*at).min(input.len())..end.min(input.len())];
    out.extend_from_slice(&there[..there.len().min(limit.saturating_sub(out.len()))]);
    *at = end;
    (end <= input.len() && out.len() < limit).then_some(())
}

#[cfg(test)]
mod tests {
    use super::decompress;

    fn inflate(kind: u8, hex: &str, limit: usize) -> Vec<u8> {
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let mut out = Vec::new();
        decompress(kind, &bytes, limit, &mut out);
        // Damage anywhere, and a cut anywhere: never a panic, never more than the limit.
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            for change in [1, 0x80, 0xff] {
                broken[at] ^= change;
                let mut other = Vec::new();
                decompress(kind, &broken, limit, &mut other);
                assert!(other.len() <= limit);
            }
            let mut part = Vec::new();
            decompress(kind, &bytes[..at], limit, &mut part);
            assert!(out.starts_with(&part), "the beginning is the same, cut at {at}");
        }
        out
    }

    /// What each compressor of `tools/compress.py` made of the same text.
    #[test]
    fn every_codec_gives_the_text_and_its_beginning() {
        let text: Vec<u8> = b"traceparent=00-4bf92f".repeat(20);
        for line in include_str!("../../tests/data/compressed.txt").lines() {
            let (kind, hex) = line.split_once(' ').unwrap();
            let kind = kind.parse().unwrap();
            assert_eq!(inflate(kind, hex, 1 << 16), text, "codec {kind}");
            assert_eq!(inflate(kind, hex, 100), &text[..100], "codec {kind}, cut");
        }
        assert!(inflate(4, "28b52ffd00", 100).is_empty());
        assert!(inflate(0, "00", 100).is_empty());
    }
}
