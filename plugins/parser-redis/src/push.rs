//! Telling what the server sends on its own from what answers a command.

use crate::reply::Reply;
use crate::request::Topic;

/// What a value of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// An answer.
    No,
    /// A confirmation of a subscription, or of its end.
    Confirm {
        /// What was subscribed to.
        topic: Topic,
        /// It is a subscription, not the end of one.
        added: bool,
    },
    /// A message, or another push of RESP3.
    Message(&'static str),
}

impl Push {
    /// Looks at a value; `may_push`: in RESP2 an array may be a message here.
    pub fn of(reply: &Reply, may_push: bool, monitor: bool) -> Push {
        match reply.kind {
            b'+' if monitor && reply.text.first().is_some_and(u8::is_ascii_digit) => Push::Message("MONITOR"),
            b'>' | b'*' if !reply.word().is_empty() => {
                let confirm = |topic, added| Push::Confirm { topic, added };
                let push = match reply.word() {
                    b"subscribe" => confirm(Topic::Channel, true),
                    b"psubscribe" => confirm(Topic::Pattern, true),
                    b"ssubscribe" => confirm(Topic::Shard, true),
                    b"unsubscribe" => confirm(Topic::Channel, false),
                    b"punsubscribe" => confirm(Topic::Pattern, false),
                    b"sunsubscribe" => confirm(Topic::Shard, false),
                    b"message" => Push::Message("MESSAGE"),
                    b"pmessage" => Push::Message("PMESSAGE"),
                    b"smessage" => Push::Message("SMESSAGE"),
                    b"invalidate" if reply.kind == b'>' => Push::Message("INVALIDATE"),
                    _ if reply.kind == b'>' => Push::Message("PUSH"),
                    _ => Push::No,
                };
                let shape_fits = match push {
                    Push::Message("PMESSAGE") => reply.items == 4,
                    Push::Message("MESSAGE" | "SMESSAGE") | Push::Confirm { .. } => reply.items == 3,
                    _ => true,
                };
                let confirms = matches!(push, Push::Confirm { .. }) && reply.last_integer >= 0;
                if reply.kind == b'>' || (shape_fits && (confirms || may_push && matches!(push, Push::Message(_)))) {
                    push
                } else {
                    Push::No
                }
            }
            b'>' => Push::Message("PUSH"),
            _ => Push::No,
        }
    }

    /// The request type of a push; `None` for an answer.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Push::No => None,
            Push::Confirm { topic: Topic::Channel, added } => Some(if added { "SUBSCRIBE" } else { "UNSUBSCRIBE" }),
            Push::Confirm { topic: Topic::Pattern, added } => Some(if added { "PSUBSCRIBE" } else { "PUNSUBSCRIBE" }),
            Push::Confirm { topic: Topic::Shard, added } => Some(if added { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" }),
            Push::Message(name) => Some(name),
        }
    }
}
