//! What the protocol code hands out: one [`Message`] per request, reply, push, violation or skipped run of bytes.
//!
//! The protocol code knows nothing of the SDK: it pushes messages into a [`Sink`], which the plugin's binding turns into
//! columns and which a test turns into a list.

pub use metaflow_parser_sdk::unbuffered::At;

/// The side that sent some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Client to server.
    Client,
    /// Server to client.
    Server,
}

/// Message type, with the numbers of `mf_abi_v1` column 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A command that waits for a reply.
    #[default]
    Request = 1,
    /// The reply to the oldest open request.
    Response = 2,
    /// A one-way message.
    Session = 3,
    /// The parser withdraws; `exception` says why.
    Violation = 5,
    /// Bytes it could not use; `length` and `exception` say how many and why.
    Skipped = 6,
}

/// Response status, with the numbers of `mf_abi_v1` column 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// The reply is no error (also: not a reply).
    #[default]
    Ok = 0,
    /// The reply is an error.
    ServerError = 3,
    /// The reply was not seen whole.
    Unknown = 5,
}

/// One message. Empty text is absent text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// Request, response, ...
    pub kind: Kind,
    /// Meaningful for responses.
    pub status: Status,
    /// Where and when the first byte was seen.
    pub start: At,
    /// When the last byte was seen, nanoseconds.
    pub end_time_ns: u64,
    /// Bytes of the message on the wire.
    pub length: u64,
    /// Command name in capitals, or the kind of a push.
    pub request_type: &'a str,
    /// The command line, cut to the configured size.
    pub resource: &'a [u8],
    /// Error text, or why bytes were given up.
    pub exception: &'a [u8],
    /// The reply in short.
    pub result: &'a [u8],
    /// Name and value pairs.
    pub attributes: &'a [(&'a str, &'a str)],
}

/// Takes messages as they are finished.
pub trait Sink {
    /// Called once per message, in the order in which they were finished.
    fn emit(&mut self, message: &Message<'_>);
}
