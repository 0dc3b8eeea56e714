//! Inference: whether a flow that begins with these bytes is HTTP/2.

use crate::frame::{self, Frame, HEADER};
use crate::lane::{PREFACE, UPGRADED};
use crate::options::Options;
use crate::resync::{Guess, Trial};
use metaflow_parser_sdk::{Check, Direction, Segment, Transport};

/// Longest answer to an upgrade that is waited for.
const LONGEST_UPGRADE: usize = 8 << 10;

pub(crate) fn check(segment: &Segment, options: &Options, trial: &mut Trial) -> Check {
    let bytes = segment.payload;
    if segment.transport != Transport::Tcp {
        return Check::no("HTTP/2 runs over TCP", 0);
    }
    let same = bytes.iter().zip(PREFACE).take_while(|(a, b)| a == b).count();
    if same == PREFACE.len() {
        return Check::Request;
    }
    if same == bytes.len() {
        return Check::More;
    }
    // More than a few bytes of the preface are no frame: what differs there is another HTTP.
    if same >= 4 {
        return Check::no("no preface of HTTP/2", same);
    }
    let same = bytes.iter().zip(UPGRADED).take_while(|(a, b)| a == b).count();
    if same == bytes.len() || same == UPGRADED.len() {
        return upgraded(bytes);
    }
    if same >= 4 {
        return Check::no("HTTP/1 that is no upgrade", same);
    }
    if segment.is_mid_stream() {
        return joined(segment, options, trial);
    }
    match segment.direction {
        Direction::ClientToServer => Check::no("no preface of HTTP/2", same),
        Direction::ServerToClient => server(bytes),
    }
}

/// The server's answer `101` to an upgrade to h2c; the first frames of the connection follow it.
fn upgraded(bytes: &[u8]) -> Check {
    let Some(end) = bytes.windows(4).take(LONGEST_UPGRADE).position(|four| four == b"\r\n\r\n") else {
        let is_long = bytes.len() > LONGEST_UPGRADE;
        return if is_long { Check::no("an upgrade without an end", LONGEST_UPGRADE) } else { Check::More };
    };
    let is_h2c = bytes[..end].split(|byte| *byte == b'\n').any(|line| {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let is_upgrade = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"upgrade"));
        is_upgrade && parts.next().is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"h2c"))
    });
    if is_h2c {
        Check::Response
    } else {
        Check::no("an upgrade to something else", UPGRADED.len() - 3)
    }
}

/// A server begins with SETTINGS (RFC 9113, 3.4).
fn server(bytes: &[u8]) -> Check {
    let Some(first) = Frame::read(bytes) else {
        return match bytes {
            [0, 0 | 1, _, frame::SETTINGS, ..] | [0, 0 | 1, _] | [0, 0 | 1] | [0] => Check::More,
            [0, 0 | 1, ..] => Check::no("no SETTINGS of HTTP/2", 3.min(bytes.len())),
            _ => Check::no("no SETTINGS of HTTP/2", 0),
        };
    };
    if first.kind != frame::SETTINGS || first.flags != 0 {
        return Check::no("no SETTINGS of HTTP/2", if first.kind == frame::SETTINGS { 4 } else { 3 });
    }
    if let Some(no) = first.doubt() {
        return Check::no(no.reason, no.offset);
    }
    let Some(payload) = bytes.get(HEADER..first.size()) else { return Check::More };
    for (index, setting) in payload.chunks_exact(6).enumerate() {
        let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
        let is_wrong = match u16::from_be_bytes([setting[0], setting[1]]) {
            2 | 8 => value > 1,
            4 => value > 0x7fff_ffff,
            5 => !(16_384..=16_777_215).contains(&value),
            _ => false,
        };
        if is_wrong {
            return Check::no("a setting that HTTP/2 does not allow", HEADER + index * 6);
        }
    }
    if first.length > 0 {
        return Check::Response;
    }
    // Nine bytes, most of them zero, are no proof: another frame has to follow.
    match Frame::read(&bytes[HEADER..]).map(|second| second.doubt()) {
        None => Check::More,
        Some(None) => Check::Response,
        Some(Some(no)) => Check::no(no.reason, no.offset + HEADER),
    }
}

/// Frames of a connection whose start was not seen: two in a row, or a head that can be read.
fn joined(segment: &Segment, options: &Options, trial: &mut Trial) -> Check {
    let bytes = segment.payload;
    let by_direction = match segment.direction {
        Direction::ClientToServer => Check::Request,
        Direction::ServerToClient => Check::Response,
    };
    let mut at = 0;
    loop {
        match trial.guess(&bytes[at..], options) {
            Guess::Request => return Check::Request,
            Guess::Response => return Check::Response,
            Guess::No(no) => return Check::no(no.reason, at + no.offset),
            // Two headers were good; that the direction is not told by a head does not make it less sure.
            Guess::More => return if at > 0 { by_direction } else { Check::More },
            Guess::Frame => at += Frame::read(&bytes[at..]).map_or(HEADER, |frame| frame.size()),
        }
    }
}
