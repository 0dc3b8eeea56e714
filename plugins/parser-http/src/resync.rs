//! Finding the next message where the place in the stream was lost: after a gap, in the middle of a flow, after an error.
//!
//! A message starts at a first line that is followed by a field or an empty line. It need not start a line of the bytes:
//! the body before it may end without one. What is found depends on the bytes alone, never on how they were cut.

use crate::{scan, start_line};

/// Longest line that is looked at; of a longer one only its end is.
const LONGEST_LINE: usize = 8192;

/// What the bytes give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resync {
    /// A message starts here.
    Found(usize),
    /// None so far; the bytes before this one are of no use any more.
    Wait(usize),
}

/// Look for the start of a message.
pub(crate) fn find(bytes: &[u8]) -> Resync {
    let mut from = 0;
    while let Some(newline) = scan::find(bytes, from, b'\n') {
        let start = from.max(newline.saturating_sub(LONGEST_LINE));
        let line = &bytes[start..newline];
        if let Some(inside) = start_line::inside(line.strip_suffix(b"\r").unwrap_or(line)) {
            match start_line::head_goes_on(&bytes[newline + 1..]) {
                Some(true) => return Resync::Found(start + inside),
                Some(false) => {}
                None => return Resync::Wait(start),
            }
        }
        from = newline + 1;
    }
    Resync::Wait(from.max(bytes.len().saturating_sub(LONGEST_LINE + 1)))
}

#[cfg(test)]
mod tests {
    use super::{find, Resync};

    #[test]
    fn the_next_message_is_found_in_the_rest_of_a_body() {
        let bytes = b"rest of a body\nHTTP/1.1 without code\r\n{}HTTP/1.1 200 OK\r\nServer: x\r\n\r\n";
        assert_eq!(find(bytes), Resync::Found(40));
        assert_eq!(&bytes[40..48], b"HTTP/1.1");
    }

    #[test]
    fn a_first_line_in_a_text_is_not_a_message() {
        assert_eq!(find(b"GET / HTTP/1.1\r\n<p>this is how it looks</p>\n"), Resync::Wait(44));
    }

    #[test]
    fn what_may_still_become_a_message_is_kept() {
        assert_eq!(find(b"x\nGET / HTTP/1.1\r\nHos"), Resync::Wait(2));
        assert_eq!(find(b"x\nGET / HT"), Resync::Wait(2));
        assert_eq!(find(&[0; 20_000]), Resync::Wait(20_000 - 8193));
    }
}
