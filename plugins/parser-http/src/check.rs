//! Inference: whether a flow that begins with these bytes is HTTP/1.

use crate::start_line::{self, Refusal, StartLine};
use metaflow_parser_sdk::{Check, Segment, Transport};

/// Longest first line that is waited for.
const LONGEST_LINE: usize = 16 << 10;

pub(crate) fn check(segment: &Segment) -> Check {
    let bytes = segment.payload;
    if segment.transport != Transport::Tcp {
        return Check::no("HTTP/1 runs over TCP", 0);
    }
    if bytes.is_empty() {
        return Check::More;
    }
    let refuse = |refusal: Refusal| Check::no(refusal.reason, refusal.offset);
    match start_line::first(bytes) {
        None if bytes.len() > LONGEST_LINE => Check::no("a first line that does not end", LONGEST_LINE),
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
                Some(false) => Check::no("no header field behind the first line", next),
                None => Check::More,
            }
        }
    }
}
