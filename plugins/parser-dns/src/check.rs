//! Inference: whether a flow that begins with these bytes is DNS.

use crate::message::Message;
use crate::tcp::{self, Start};
use crate::wire::Fault;
use metaflow_parser_sdk::{Check, Segment, Transport};

pub(crate) fn check(segment: &Segment, scratch: &mut Message) -> Check {
    let bytes = segment.payload;
    let refuse = |fault: Fault| Check::no(fault.reason, fault.offset);
    let is_response = match segment.transport {
        Transport::Tcp => match tcp::start(bytes) {
            Start::More => return Check::More,
            Start::No(fault) => return refuse(fault),
            Start::Message(_) | Start::Begun => bytes[tcp::PREFIX + 2] & 0x80 != 0,
        },
        Transport::Udp => {
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
