//! Finding line ends and the end of a head, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The positions of the line feeds from one on, each once: a word is looked at once, however many it holds.
pub(crate) struct LineFeeds<'a> {
    /// What no word was made of yet.
    rest: &'a [u8],
    /// Where all bytes end.
    end: usize,
    /// Where the last word started, and which of its bytes are to be told yet.
    word: usize,
    left: u64,
}

impl<'a> LineFeeds<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8], from: usize) -> LineFeeds<'a> {
        LineFeeds { rest: bytes.get(from..).unwrap_or_default(), end: bytes.len(), word: 0, left: 0 }
    }

    /// Goes on to the next word with a line feed; false when there is none.
    #[inline]
    fn find(&mut self) -> bool {
        const PATTERN: u64 = ONES * b'\n' as u64;
        let mut rest = self.rest;
        let word = loop {
            let Some((chunk, behind)) = rest.split_first_chunk::<8>() else {
                // Fewer than eight are left: the bytes behind them are zero, and no line feeds.
                self.rest = &[];
                break rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
            };
            let word = u64::from_le_bytes(*chunk);
            if matches(word, PATTERN) != 0 {
                self.rest = behind;
                break word;
            }
            rest = behind;
        };
        self.word = self.end - rest.len();
        // The high bit of a byte that is not zero is set, of every byte and not only of the first: no carry leaves a byte.
        let differs = word ^ PATTERN;
        self.left = !(((differs & !HIGHS) + !HIGHS) | differs | !HIGHS);
        self.left != 0
    }
}

impl Iterator for LineFeeds<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.left == 0 && !self.find() {
            return None;
        }
        let at = self.word + (self.left.trailing_zeros() / 8) as usize;
        self.left &= self.left - 1;
        Some(at)
    }
}

/// The bytes of a word that are `wanted` (its byte in every place), as their high bits. The lowest one set is exact
/// (Mycroft, 1987).
#[inline]
fn matches(word: u64, pattern: u64) -> u64 {
    let differs = word ^ pattern;
    differs.wrapping_sub(ONES) & !differs & HIGHS
}

/// Position of the first `wanted` byte at or behind `from`.
#[inline(never)] // alone the loop keeps its constants in registers
pub(crate) fn find(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    let pattern = ONES * u64::from(wanted);
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let found = matches(u64::from_le_bytes(*chunk), pattern);
        if found != 0 {
            return Some(bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize);
        }
        rest = behind;
    }
    rest.iter().position(|byte| *byte == wanted).map(|index| bytes.len() - rest.len() + index)
}

/// Position of the first byte that is one of two.
pub(crate) fn find_either(bytes: &[u8], one: u8, other: u8) -> Option<usize> {
    let (first, second) = (ONES * u64::from(one), ONES * u64::from(other));
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let found = matches(word, first) | matches(word, second);
        if found != 0 {
            // Of each the lowest one is exact, so the lowest of both is.
            return Some(bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize);
        }
        rest = behind;
    }
    rest.iter().position(|byte| *byte == one || *byte == other).map(|index| bytes.len() - rest.len() + index)
}

/// A line of `bytes` from `from`: its text without CR and LF, and where the next one starts.
#[inline]
pub(crate) fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let end = find(bytes, from, b'\n')?;
    Some((without_cr(&bytes[from..end]), end + 1))
}

/// A line without the CR of its end.
#[inline]
pub(crate) fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Length of the head that starts the bytes: up to and with its empty line. LF alone ends a line as well as CR LF does.
///
/// `scanned` bytes were looked at before without success; it is set to where to go on.
pub(crate) fn head_end(bytes: &[u8], scanned: &mut usize) -> Option<usize> {
    let mut from = *scanned;
    while let Some(newline) = find(bytes, from, b'\n') {
        match bytes.get(newline + 1..) {
            Some([b'\n', ..]) => return Some(newline + 2),
            Some([b'\r', b'\n', ..]) => return Some(newline + 3),
            Some([] | [b'\r']) => {
                *scanned = newline;
                return None;
            }
            _ => from = newline + 1,
        }
    }
    *scanned = bytes.len();
    None
}

#[cfg(test)]
mod tests {
    use super::{find, find_either, head_end, LineFeeds};

    #[test]
    fn every_line_feed_is_told_once() {
        let texts: [&[u8]; 7] = [
            b"",
            b"\n",
            b"abc",
            b"\n\n\n\n\n\n\n\n\n\n",
            b"a\r\nb\r\n\r\n",
            b"\x0b\n\x09\n\x8a\n\xff\n",
            b"0123456\n89\x0b\n\x0b",
        ];
        for text in texts {
            for from in 0..=text.len() {
                let wanted: Vec<usize> = (from..text.len()).filter(|at| text[*at] == b'\n').collect();
                assert_eq!(LineFeeds::new(text, from).collect::<Vec<_>>(), wanted, "{text:?} {from}");
            }
        }
    }

    #[test]
    fn find_agrees_with_the_plain_search() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'\x0b'; length];
                bytes[at] = b'\n';
                for from in 0..=length {
                    let expected = bytes[from..].iter().position(|byte| *byte == b'\n').map(|index| from + index);
                    assert_eq!(find(&bytes, from, b'\n'), expected);
                }
            }
        }
    }

    #[test]
    fn the_first_of_two_is_found() {
        let mut random = metaflow_parser_sdk::testing::Random::new(11);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.below(30)).map(|_| b"?#>\"@\xbf\xa3ab\0"[random.below(10)]).collect();
            let expected = bytes.iter().position(|byte| matches!(byte, b'?' | b'#'));
            assert_eq!(find_either(&bytes, b'?', b'#'), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_end_of_a_head_is_found_from_any_progress() {
        for (text, end) in [
            ("a\r\n\r\nb", Some(5)),
            ("a\n\nb", Some(3)),
            ("a\n\r\nb", Some(4)),
            ("a\r\nb\r\n\rc", None),
            ("a\r\n\r", None),
            ("", None),
        ] {
            let mut scanned = 0;
            let mut found = None;
            for length in 0..=text.len() {
                found = found.or(head_end(&text.as_bytes()[..length], &mut scanned));
            }
            assert_eq!(found, end, "{text:?}");
        }
    }
}
