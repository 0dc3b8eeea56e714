//! Inference: whether a flow that begins with these bytes is Kafka.

use crate::answers::{self, Answers};
use crate::facts::Facts;
use crate::head::{looks, Looks};
use metaflow_parser_sdk::{Check, Direction, Segment, Transport};

/// The usual ports of brokers, where more bytes are waited for.
const fn is_usual(port: u16) -> bool {
    matches!(port, 9092..=9099 | 19092 | 29092 | 39092)
}

/// Requests carry a length, an API with a version, and fields that fill the length exactly. A response says nothing of
/// itself; several in a row do, where only the server is seen.
pub(crate) fn check(segment: &Segment, facts: &mut Facts) -> Check {
    if segment.transport != Transport::Tcp {
        return Check::no("Kafka runs over TCP", 0);
    }
    let verdict = looks(segment.payload, false, facts);
    if verdict != Looks::Request && segment.direction == Direction::ServerToClient {
        match answers::chain(segment.payload, None, answers::UNKNOWN) {
            Answers::Found => return Check::Response,
            Answers::More if is_usual(segment.server_port) => return Check::More,
            _ => {}
        }
    }
    match verdict {
        Looks::Request => Check::Request,
        Looks::More => Check::More,
        Looks::No(reason, at) => Check::no(reason, at),
    }
}
