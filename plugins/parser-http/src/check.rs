//! Inference: whether a flow that begins with these bytes is HTTP/1.

use crate::start_line::{self, Refusal, StartLine};
use metaflow_parser_sdk::{Check, Segment, Transport};

/// Longest first line that is waited for.
const LONGEST_LINE: usize = 16 << 10;
/// Most line ends before a message.
const MOST_EMPTY: usize = 8;

pub(crate) fn check(segment: &Segment) -> Check {
    // Empty lines before a message are to be ignored (RFC 9112, 2.2).
    let empty = segment.payload.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = &segment.payload[empty..];
    if segment.transport != Transport::Tcp {
        return Check::no("HTTP/1 runs over TCP", 0);
    }
    if empty > MOST_EMPTY {
        return Check::no("empty lines and no message", MOST_EMPTY);
    }
    if bytes.is_empty() {
        return Check::More;
    }
    let refuse = |refusal: Refusal| Check::no(refusal.reason, empty + refusal.offset);
    match start_line::first(bytes) {
        None if bytes.len() > LONGEST_LINE => Check::no("a first line that does not end", empty + LONGEST_LINE),
        None => start_line::could_begin(bytes).map_or_else(refuse, |()| Check::More),
        Some((Err(refusal), _)) => refuse(refusal),
        Some((Ok(start), next)) => {
            let verdict = match start {
                StartLine::Status(_) => Check::Response,
                StartLine::Request(line) if start_line::is_verb(line.method) => return Check::Request,
                StartLine::Request(_) => Check::Request,
            };
            // A method of nobody's list and a lone status line need the next line for a proof.
            match start_line::head_goes_on(&bytes[next..]) {
                Some(true) => verdict,
                Some(false) => Check::no("no header field behind the first line", empty + next),
                None => Check::More,
            }
        }
    }
}
