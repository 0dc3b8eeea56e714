//! Finding line ends and the end of a head, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Position of the first `wanted` byte at or behind `from`.
#[inline]
pub(crate) fn find(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let pattern = ONES * u64::from(wanted);
    let mut chunks = rest.chunks_exact(8);
    let mut at = from;
    for chunk in &mut chunks {
        let Ok(word) = chunk.try_into().map(u64::from_le_bytes) else { break };
        // A zero byte of `word ^ pattern` sets its high bit; the lowest one set is exact (Mycroft, 1987).
        let differs = word ^ pattern;
        let zeros = differs.wrapping_sub(ONES) & !differs & HIGHS;
        if zeros != 0 {
            return Some(at + (zeros.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    chunks.remainder().iter().position(|byte| *byte == wanted).map(|index| at + index)
}

/// A line of `bytes` from `from`: its text without CR and LF, and where the next one starts.
#[inline]
pub(crate) fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let end = find(bytes, from, b'\n')?;
    let text = &bytes[from..end];
    Some((text.strip_suffix(b"\r").unwrap_or(text), end + 1))
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
    use super::{find, head_end};

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
