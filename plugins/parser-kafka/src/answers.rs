//! Responses of which no request is seen: a length, and the number of a request that rises from one to the next.
//!
//! Clients count their requests and brokers answer them in order; some numbers are other connections' or of requests without
//! an answer. That a length leads to the next length, with a number a little above the last one, is no accident.

use crate::head::{i32_at, size_at, Looks, PREFIX};

/// Responses in a row that are believed where nothing is known before them.
pub(crate) const UNKNOWN: usize = 3;
/// The same behind a response of the connection.
pub(crate) const BEHIND: usize = 2;
/// Longest response that is believed.
const LONGEST: usize = 1 << 20;
/// Requests between one response and the next.
const STEP: i32 = 1024;

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// So many responses as wanted, the last one perhaps by its head only.
    Found,
    /// More bytes are needed to say.
    More,
    No,
}

/// Whether `wanted` responses follow each other, the first one to a request behind `after`.
pub(crate) fn chain(bytes: &[u8], mut after: Option<i32>, wanted: usize) -> Answers {
    let mut at = 0;
    for _ in 0..wanted {
        let here = bytes.get(at..).unwrap_or_default();
        let size = match size_at(here) {
            Ok(size) if (4..=LONGEST).contains(&size) => size,
            Err(Looks::More) => return Answers::More,
            _ => return Answers::No,
        };
        let Some(number) = i32_at(here, PREFIX) else { return Answers::More };
        let is_next = after.map_or(number >= 0, |after| (1..=STEP).contains(&number.wrapping_sub(after)));
        if !is_next {
            return Answers::No;
        }
        after = Some(number);
        at += PREFIX + size;
    }
    Answers::Found
}

#[cfg(test)]
mod tests {
    use super::{chain, Answers};

    fn responses(numbers: &[i32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| [&[0, 0, 0, 6][..], &number.to_be_bytes(), b"ab"].concat()).collect()
    }

    #[test]
    fn three_responses_in_a_row_are_believed() {
        let bytes = responses(&[7, 8, 30]);
        for length in 0..bytes.len() {
            let expected = if length < 28 { Answers::More } else { Answers::Found };
            assert_eq!(chain(&bytes[..length], None, 3), expected, "{length}");
        }
        for numbers in [[7, 7, 8], [7, 6, 8], [7, 8, 2000], [-1, 0, 1]] {
            assert_eq!(chain(&responses(&numbers), None, 3), Answers::No, "{numbers:?}");
        }
        assert_eq!(chain(b"HTTP/1.1 200 OK\r\n", None, 3), Answers::No);
        assert_eq!(chain(&[0; 64], None, 3), Answers::No);
    }

    #[test]
    fn behind_a_known_response_two_are_enough() {
        assert_eq!(chain(&responses(&[9, 10]), Some(7), 2), Answers::Found);
        assert_eq!(chain(&responses(&[7, 8]), Some(7), 2), Answers::No);
    }
}
