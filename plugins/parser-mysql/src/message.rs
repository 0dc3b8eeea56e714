//! What the protocol code hands out: one [`Message`] per command, response, violation or skipped run of bytes.
//!
//! The protocol code knows nothing of the SDK: it pushes messages into a [`Sink`], which the plugin's binding turns into
//! columns and which a test turns into a list.

use std::io::Write;
use std::ops::Range;

pub use metaflow_parser_sdk::sql::Trace;
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
    /// A command that waits for a response.
    #[default]
    Request = 1,
    /// The response to the oldest open command.
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
    /// No error (also: not a response).
    #[default]
    Ok = 0,
    /// An error of the server.
    ServerError = 3,
    /// An error of the client: codes 2000 to 2999.
    ClientError = 4,
    /// The response was not seen whole.
    Unknown = 5,
}

/// Name and value pairs, reused from message to message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    values: Vec<u8>,
    spans: Vec<(&'static str, Range<usize>)>,
}

impl Attributes {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.values.clear();
        self.spans.clear();
    }

    /// Adds a text; an empty one is not added.
    pub fn text(&mut self, key: &'static str, value: &[u8]) {
        if !value.is_empty() {
            let from = self.values.len();
            self.values.extend_from_slice(value);
            self.spans.push((key, from..self.values.len()));
        }
    }

    /// Adds a number.
    pub fn number(&mut self, key: &'static str, value: u64) {
        let from = self.values.len();
        // Writing to a Vec cannot fail.
        let _ = write!(self.values, "{value}");
        self.spans.push((key, from..self.values.len()));
    }

    /// The pairs in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.spans.iter().map(|(key, span)| (*key, &self.values[span.clone()]))
    }
}

/// One message. Empty text is absent text.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    /// Request, response, ...
    pub kind: Kind,
    /// Meaningful for responses.
    pub status: Status,
    /// Error number of the server.
    pub code: Option<i32>,
    /// Statement id.
    pub request_id: Option<u64>,
    /// Rows that a statement changed.
    pub affected_rows: Option<u64>,
    /// Where and when the first byte was seen.
    pub start: At,
    /// When the last byte was seen, nanoseconds.
    pub end_time_ns: u64,
    /// Bytes of the message, frame headers included, after decompression.
    pub length: u64,
    /// Name of the command.
    pub request_type: &'a str,
    /// The statement or other argument, cut to the configured size.
    pub resource: &'a [u8],
    /// `VERB table`.
    pub endpoint: &'a [u8],
    /// Version of the server, on login.
    pub version: &'a [u8],
    /// Error text, or why bytes were given up.
    pub exception: &'a [u8],
    /// The answer in short, where it is one text.
    pub result: &'a [u8],
    /// Trace context of the statement.
    pub trace: Option<&'a Trace>,
    /// Name and value pairs.
    pub attributes: Option<&'a Attributes>,
}

/// Takes messages as they are finished.
pub trait Sink {
    /// Called once per message, in the order in which they were finished.
    fn emit(&mut self, message: &Message<'_>);
}
