//! The answer to a request, message by message until it is complete, and its record.

use crate::error::{blame, Fields};
use crate::frame::Message;
use metaflow_parser_sdk::sql::Options;
use metaflow_parser_sdk::{RecordType, Records, Status, Text};

/// Texts of an answer are cut to this.
const MAX_TEXT: usize = 512;

/// What an error or a notice says.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub severity: Vec<u8>,
    pub sqlstate: Vec<u8>,
    message: Vec<u8>,
    detail: Vec<u8>,
    hint: Vec<u8>,
    position: Vec<u8>,
    table: Vec<u8>,
    constraint: Vec<u8>,
}

impl Said {
    pub fn take(&mut self, fields: &Fields<'_>) {
        for (to, from) in [
            (&mut self.severity, fields.severity),
            (&mut self.sqlstate, fields.sqlstate),
            (&mut self.message, fields.message),
            (&mut self.detail, fields.detail),
            (&mut self.hint, fields.hint),
            (&mut self.position, fields.position),
            (&mut self.table, fields.table),
            (&mut self.constraint, fields.constraint),
        ] {
            to.clear();
            to.extend_from_slice(&from[..from.len().min(MAX_TEXT)]);
        }
    }

    /// Code, message and where it is; the detail may quote data.
    pub fn write(&self, options: &Options, out: &mut Records) {
        out.text_bytes(Text::Result, &self.sqlstate).text_bytes(Text::Exception, &self.message);
        let detail = if options.obfuscate { &[][..] } else { &self.detail[..] };
        for (key, value) in [
            ("severity", &self.severity[..]),
            ("detail", detail),
            ("hint", &self.hint),
            ("position", &self.position),
            ("table", &self.table),
            ("constraint", &self.constraint),
        ] {
            if !value.is_empty() {
                out.attribute_bytes(key, value);
            }
        }
    }
}

/// What has come of an answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Something has come.
    pub is_open: bool,
    offset: u64,
    time_ns: u64,
    length: u64,
    pub rows: u64,
    pub columns: u64,
    pub parameters: u64,
    /// Results that were completed.
    pub results: u64,
    /// Rows that the server counted.
    counted: Option<u64>,
    /// Tag of the last command.
    tag: Vec<u8>,
    pub error: Option<Box<Said>>,
    notices: u64,
    notice: Vec<u8>,
    /// `in`, `out` or `both`.
    pub copy: &'static str,
    pub copied_messages: u64,
    pub copied_bytes: u64,
    pub is_suspended: bool,
    /// Bytes of it were lost.
    pub is_damaged: bool,
    /// `S` or `N` on a request of encryption.
    pub choice: &'static str,
    pub auth: &'static str,
    pub process: u32,
    pub version: Vec<u8>,
    /// Transaction status of ReadyForQuery.
    pub transaction: u8,
}

impl Answer {
    /// Counts a message of the answer.
    pub fn touch(&mut self, message: &Message<'_>) {
        if !self.is_open {
            self.is_open = true;
            self.offset = message.offset;
            self.time_ns = message.time_ns;
        }
        self.length += message.total;
    }

    /// A command is complete.
    pub fn complete(&mut self, tag: &[u8]) {
        self.results += 1;
        self.tag.clear();
        self.tag.extend_from_slice(&tag[..tag.len().min(64)]);
        let last = tag.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        if let Some(rows) = std::str::from_utf8(last).ok().and_then(|text| text.parse::<u64>().ok()) {
            self.counted = Some(self.counted.unwrap_or(0).saturating_add(rows));
        }
    }

    pub fn notice(&mut self, fields: &Fields<'_>) {
        self.notices += 1;
        if self.notices == 1 {
            self.notice.extend_from_slice(&fields.message[..fields.message.len().min(MAX_TEXT)]);
        }
    }

    /// Tells the answer, which is complete at this time, and begins another.
    pub fn tell(&mut self, end_ns: Option<u64>, options: &Options, out: &mut Records) {
        out.begin(RecordType::Response).stream_offset(self.offset).time_ns(self.time_ns).length(self.length);
        if let Some(end) = end_ns {
            out.end_time_ns(end);
        }
        if let Some(rows) = self.counted {
            out.affected_rows(rows);
        }
        match &self.error {
            Some(error) => {
                // Without its code the capture cut the error: whose fault it is is not known.
                let is_cut = error.sqlstate.is_empty() && error.message.is_empty();
                out.status(if is_cut { Status::Unknown } else { blame(&error.sqlstate) });
                error.write(options, out);
            }
            None if self.is_damaged && self.results == 0 => {
                out.status(Status::Unknown).text(Text::Exception, crate::core::LOST);
            }
            None => {
                out.status(Status::Ok).text(Text::Result, self.choice);
            }
        }
        out.text_bytes(Text::Version, &self.version);
        self.attributes(out);
        out.end();
        *self = Self::default();
    }

    fn attributes(&self, out: &mut Records) {
        let numbers = [
            ("rows", self.rows),
            ("columns", self.columns),
            ("parameters", self.parameters),
            ("results", if self.results > 1 { self.results } else { 0 }),
            ("copied_messages", self.copied_messages),
            ("copied_bytes", self.copied_bytes),
            ("notices", self.notices),
            ("process_id", self.process.into()),
        ];
        let transaction = match self.transaction {
            b'T' => "open",
            b'E' => "failed",
            _ => "",
        };
        if !self.tag.is_empty() {
            out.attribute_bytes("command_tag", &self.tag);
        }
        for (key, value) in numbers {
            if value > 0 {
                out.attribute(key, &value.to_string());
            }
        }
        if !self.notice.is_empty() {
            out.attribute_bytes("notice", &self.notice);
        }
        let suspended = if self.is_suspended { "true" } else { "" };
        for (key, value) in
            [("copy", self.copy), ("auth", self.auth), ("suspended", suspended), ("transaction", transaction)]
        {
            if !value.is_empty() {
                out.attribute(key, value);
            }
        }
    }
}
