//! Inference: whether a flow that begins with these bytes is Dubbo.

use crate::frame::{Fault, Frame};
use metaflow_parser_sdk::{Check, Segment, Transport};

/// Heartbeats go in both directions and do not tell who is the client: the message behind them does.
pub(crate) fn check(segment: &Segment) -> Check {
    if segment.transport != Transport::Tcp {
        return Check::no("Dubbo runs over TCP", 0);
    }
    let mut at = 0;
    loop {
        match Frame::read(segment.payload.get(at..).unwrap_or_default()) {
            Ok(frame) if frame.is_event => at = at.saturating_add(frame.size()),
            Ok(frame) => return if frame.is_request { Check::Request } else { Check::Response },
            Err(Fault::More) => return Check::More,
            Err(Fault::No(reason, place)) => return Check::no(reason, at + place),
        }
    }
}
