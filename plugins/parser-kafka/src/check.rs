//! Inference: whether a flow that begins with these bytes is Kafka.

use crate::facts::Facts;
use crate::head::{looks, Looks};
use metaflow_parser_sdk::{Check, Segment, Transport};

/// Requests carry a length, an API with a version, and fields that fill the length exactly. Responses say nothing of
/// themselves: a flow is known by its requests.
pub(crate) fn check(segment: &Segment, facts: &mut Facts) -> Check {
    if segment.transport != Transport::Tcp {
        return Check::no("Kafka runs over TCP", 0);
    }
    match looks(segment.payload, false, facts) {
        Looks::Request => Check::Request,
        Looks::More => Check::More,
        Looks::No(reason, at) => Check::no(reason, at),
    }
}
