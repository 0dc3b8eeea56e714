//! Inference: whether the first bytes of a flow are MQTT, and who sent them. On any port a CONNECT tells, or a CONNACK.

use crate::frame::{self, header, Framed};
use crate::packet;
use metaflow_parser_sdk::{Check, Direction, Segment};

/// Where brokers listen: here a flow is also recognised in the middle.
const PORTS: [u16; 2] = [1883, 8883];

/// Judges everything one direction has sent so far.
pub(crate) fn check(segment: &Segment) -> Check {
    let is_usual = PORTS.contains(&segment.server_port);
    let as_sent = judge(segment.direction, segment.payload, is_usual);
    if matches!(as_sent, Check::No { .. }) {
        // Who is the client may have been guessed wrong.
        let turned = judge(segment.direction.reverse(), segment.payload, is_usual);
        if matches!(turned, Check::Request | Check::Response) {
            return turned;
        }
    }
    as_sent
}

fn judge(direction: Direction, bytes: &[u8], is_usual: bool) -> Check {
    let found = match header(direction, bytes) {
        Framed::More => return Check::More,
        Framed::No(reason, at) => return Check::no(reason, at),
        Framed::Header(found) => found,
    };
    let body = &bytes[found.size..bytes.len().min(found.wanted)];
    let verdict = if direction == Direction::ClientToServer { Check::Request } else { Check::Response };
    if found.kind == frame::CONNECT {
        return match packet::connect(body) {
            Ok(Some(_)) => verdict,
            Ok(None) if bytes.len() < found.wanted => Check::More,
            Ok(None) => Check::no("a CONNECT that is too short", found.size),
            Err(at) => Check::no("no CONNECT of MQTT 3.1, 3.1.1 or 5", found.size + at),
        };
    }
    if found.kind == frame::CONNACK && bytes.len() as u64 == found.total && packet::is_connack(body) {
        // Alone in its segment, every byte as it must be.
        return verdict;
    }
    if !is_usual {
        return Check::no("no CONNECT, and not a port of MQTT", 0);
    }
    if bytes.len() < found.wanted && (found.kind != frame::PUBLISH || body.len() < 1024) {
        return Check::More;
    }
    match packet::has_shape(&found, body, None) {
        Some(false) => Check::no("a packet that does not have the shape of its type", found.size),
        _ => verdict,
    }
}
