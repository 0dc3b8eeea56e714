//! Inference: a flow is TLS when it begins with a ClientHello, or its answer with a ServerHello.

use crate::record::{header, Framed, ALERT, HANDSHAKE};
use metaflow_parser_sdk::{Check, Segment};

/// Judges everything one direction has sent so far.
pub(crate) fn check(segment: &Segment) -> Check {
    let bytes = segment.payload;
    match header(bytes) {
        Framed::More => return Check::More,
        Framed::No(reason, at) => return Check::no(reason, at),
        Framed::Record(ALERT, 2) => return Check::no("an alert, but no ClientHello before it", 0),
        Framed::Record(HANDSHAKE, length) if length < 4 => {}
        Framed::Record(HANDSHAKE, _) => {}
        Framed::Record(..) => return Check::no("a record of TLS, but no ClientHello or ServerHello", 0),
    }
    let hello = match bytes.get(5) {
        None => return Check::More,
        Some(1) => Check::Request,
        Some(2) => Check::Response,
        Some(_) => return Check::no("a handshake that begins with neither ClientHello nor ServerHello", 5),
    };
    match &bytes[6..] {
        [0, _, _, 3, 0..=4, ..] => hello,
        [0, _, _, 3] | [0, _, _] | [0, _] | [0] | [] => Check::More,
        [0, _, _, 3, _, ..] => Check::no("a hello of no version of TLS", 10),
        [0, _, _, _, ..] => Check::no("a hello of no version of TLS", 9),
        _ => Check::no("a hello that is too long", 6),
    }
}
