//! The chunked coding (RFC 9112, 7.1): sizes are read, data is skipped.

use crate::scan;

/// Longest line with a chunk size and its extensions.
const LONGEST_LINE: usize = 4096;

/// A line with a chunk size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChunkLine {
    /// The line is not complete.
    More,
    /// Bytes of the line with its end, bytes of the chunk (0: the last one).
    Size(usize, u64),
    /// Not a chunk size.
    Wrong,
}

/// Read the line that starts a chunk.
pub(crate) fn size(bytes: &[u8]) -> ChunkLine {
    let Some((line, next)) = scan::line(&bytes[..bytes.len().min(LONGEST_LINE)], 0) else {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let is_hopeless = bytes.len() >= LONGEST_LINE || digits > 16 || (digits == 0 && !bytes.is_empty());
        return if is_hopeless { ChunkLine::Wrong } else { ChunkLine::More };
    };
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next().unwrap_or_default();
    let is_hex = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let number =
        std::str::from_utf8(digits).ok().filter(|_| is_hex).and_then(|text| u64::from_str_radix(text, 16).ok());
    number.map_or(ChunkLine::Wrong, |size| ChunkLine::Size(next, size))
}

/// The line end behind a chunk's data: its length, `None` while it is not there, `Some(0)` when something else is.
pub(crate) fn end(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [] | [b'\r'] => None,
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{end, size, ChunkLine};

    #[test]
    fn sizes_with_and_without_extensions() {
        for (line, expected) in [
            ("5\r\nhello", ChunkLine::Size(3, 5)),
            ("1A;name=value\r\n", ChunkLine::Size(15, 26)),
            ("a \n", ChunkLine::Size(3, 10)),
            ("0\r\n\r\n", ChunkLine::Size(3, 0)),
            ("ffffffffffffffff\r\n", ChunkLine::Size(18, u64::MAX)),
            ("", ChunkLine::More),
            ("5\r", ChunkLine::More),
            ("\r\n", ChunkLine::Wrong),
            ("x", ChunkLine::Wrong),
            ("11111111111111111", ChunkLine::Wrong),
            ("5x\r\n", ChunkLine::Wrong),
        ] {
            assert_eq!(size(line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn the_end_of_a_chunk() {
        for (bytes, expected) in
            [("", None), ("\r", None), ("\r\nx", Some(2)), ("\nx", Some(1)), ("x", Some(0)), ("\rx", Some(0))]
        {
            assert_eq!(end(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
