//! The dialogue: which message answers which, and what is told of them.

mod client;
mod server;

use crate::answer::Answer;
use crate::frame::Message;
use crate::statement::{Portals, Statements};
use crate::waiting::Queue;
use metaflow_parser_sdk::sql::Options;
use metaflow_parser_sdk::{RecordType, Records, Status, Text};

/// Said of an answer that the capture does not have.
pub(crate) const LOST: &str = "the response was lost in a gap of the capture";
/// Said of a message that the server passed over.
const NOT_RUN: &str = "not run: an earlier message of the batch failed";

/// A stream that START_REPLICATION or its like began.
#[derive(Debug, Default)]
struct Stream {
    offset: u64,
    time_ns: u64,
    messages: u64,
    bytes: u64,
    end_ns: u64,
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(crate) struct Core {
    options: Options,
    queue: Queue,
    answer: Answer,
    statements: Statements,
    portals: Portals,
    stream: Option<Stream>,
    /// The batch failed: the server passes over everything up to Sync.
    is_failed: bool,
    /// Number of the batch that the client is writing.
    batch: u64,
    /// Messages that the client has written into it.
    in_batch: u64,
    /// Name of the statement that was parsed last in it.
    parsed: Option<Vec<u8>>,
    /// The bytes are in the clear although encryption was agreed on.
    pub is_encrypted: bool,
    database: Vec<u8>,
}

impl Core {
    pub fn new(options: Options) -> Core {
        Core { options, ..Core::default() }
    }

    /// The server's next byte is no message but the answer to a request of encryption.
    pub fn expects_choice(&self) -> bool {
        self.queue.front() == Some(&crate::waiting::Waiting::Encryption)
    }

    /// Part of what the server said was lost.
    pub fn damage(&mut self) {
        self.answer.is_damaged = true;
    }

    /// Answers what waits with "not seen", so that later answers meet their own requests; with `keep_last` all but what the
    /// last cycle holds.
    pub fn flush(&mut self, keep_last: bool, at: (u64, u64), out: &mut Records) {
        let count = if keep_last { self.queue.before_last_cycle() } else { self.queue.len() };
        if count == 0 {
            return;
        }
        let told = self.cut_short(out);
        self.answer = Answer::default();
        self.is_failed = false;
        for _ in usize::from(told)..count {
            self.give_up(LOST, at, out);
        }
    }

    /// Tells of an answer of which something has come and whose rest will not be seen: when it began is known, and what came.
    fn cut_short(&mut self, out: &mut Records) -> bool {
        let Answer { is_open, rows, columns, results, .. } = self.answer;
        let has_begun = is_open && (self.answer.error.is_some() || rows > 0 || columns > 0 || results > 0);
        if !has_begun || !self.queue.pop_told() {
            return false;
        }
        self.answer.is_damaged = true;
        self.answer.tell(None, &self.options, out);
        true
    }

    /// Takes the oldest message off; one that was told is answered with "unknown".
    fn give_up(&mut self, reason: &str, (offset, time_ns): (u64, u64), out: &mut Records) {
        if self.queue.pop().is_some_and(|waiting| waiting.is_told()) {
            out.begin(RecordType::Response).stream_offset(offset).time_ns(time_ns).end_time_ns(time_ns);
            out.status(Status::Unknown).text(Text::Exception, reason).end();
        }
    }

    /// The session is over.
    pub fn close(&mut self, time_ns: u64, out: &mut Records) {
        self.end_stream(out);
        if self.answer.is_open && (self.answer.error.is_some() || self.answer.results > 0) {
            self.answer.tell(Some(time_ns), &self.options, out);
        } else {
            self.cut_short(out);
        }
    }

    fn end_stream(&mut self, out: &mut Records) {
        let Some(stream) = self.stream.take() else { return };
        out.begin(RecordType::Session).stream_offset(stream.offset).time_ns(stream.time_ns).end_time_ns(stream.end_ns);
        out.length(stream.bytes).status(Status::Ok).text(Text::RequestType, "replication stream");
        out.attribute("copied_messages", &stream.messages.to_string()).end();
    }
}

/// Begins the record of a message.
fn begin<'a>(out: &'a mut Records, kind: RecordType, name: &str, message: &Message<'_>) -> &'a mut Records {
    out.begin(kind).stream_offset(message.offset).time_ns(message.time_ns).length(message.total);
    if let Some(end) = message.end_ns {
        out.end_time_ns(end);
    }
    out.text(Text::RequestType, name)
}
