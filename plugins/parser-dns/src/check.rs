//! Inference: whether a flow that begins with these bytes is DNS.

use crate::header;
use crate::message::{extent, Message};
use crate::name;
use crate::tcp::{self, Start};
use crate::variant::Variant;
use crate::wire::Fault;
use metaflow_parser_sdk::{Check, Segment, Transport};

pub(crate) fn check(segment: &Segment, scratch: &mut Message) -> Check {
    let bytes = segment.payload;
    let refuse = |fault: Fault| Check::no(fault.reason, fault.offset);
    let is_response = match segment.transport {
        Transport::Tcp => match tcp::start(bytes) {
            Start::More => return Check::More,
            Start::No(fault) => match bare(bytes, segment.server_port) {
                Some(check) => return check,
                None => return refuse(fault),
            },
            Start::Message(_) | Start::Begun => {
                // Lengths and counters of other protocols make a header; no name that is asked for has control codes.
                if let Some(at) =
                    name::control_code(bytes, tcp::PREFIX + header::SIZE).filter(|_| segment.server_port != 53)
                {
                    return Check::no("a name with control codes, and not port 53", at);
                }
                bytes[tcp::PREFIX + 2] & 0x80 != 0
            }
        },
        Transport::Udp => {
            scratch.variant = Variant::of(segment);
            // A datagram is whole: every record of it must fit, unless the capture cut it.
            if let Err(fault) = scratch.read(bytes, segment.is_truncated()) {
                return refuse(fault);
            }
            if let Some(fault) = scratch.damage.filter(|_| !segment.is_truncated()) {
                return refuse(fault);
            }
            scratch.is_response
        }
        Transport::Icmp | Transport::Other(_) => return Check::no("DNS runs over UDP and TCP", 0),
    };
    if is_response {
        Check::Response
    } else {
        Check::Request
    }
}

/// A message without its length, or with the second byte of it: the capture began there.
fn bare(bytes: &[u8], server_port: u16) -> Option<Check> {
    for front in 0..tcp::PREFIX {
        let message = bytes.get(front..)?;
        match extent(message) {
            Ok(Some(length)) if length == message.len() || server_port == 53 => {
                if front == 1 && bytes.first() != length.to_be_bytes().last() {
                    continue;
                }
                if server_port != 53 && name::control_code(message, header::SIZE).is_some() {
                    continue;
                }
                return Some(if message[2] & 0x80 != 0 { Check::Response } else { Check::Request });
            }
            Ok(None) if server_port == 53 && message.len() >= header::SIZE => return Some(Check::More),
            _ => {}
        }
    }
    None
}
