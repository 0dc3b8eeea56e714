//! Following a response packet by packet until it is complete
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html>).

use crate::message::At;
use crate::proto::{caps, status, Answer, Cursor, ErrPacket, OkPacket};
use crate::wire::Packet;

/// Whether EOF packets stand behind column definitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eof {
    /// The login was not seen: it is learned from the first result set.
    #[default]
    Unknown,
    /// They do.
    Legacy,
    /// They do not (`CLIENT_DEPRECATE_EOF`).
    Deprecated,
}

/// What is known of the session when a packet is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agreed {
    /// Capabilities of both sides, 0 when the login was not seen.
    pub caps: u64,
    /// How column definitions end.
    pub eof: Eof,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    First,
    /// So many column definitions to come.
    Columns(u64),
    /// EOF, or a row when there are no EOF packets.
    AfterColumns,
    Rows,
    /// Parameter definitions to come, and columns after them.
    Parameters(u64, u64),
    AfterParameters(u64),
    PreparedColumns(u64),
    AfterPreparedColumns,
}

/// What a packet did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The response goes on.
    More,
    /// The response is complete.
    Done,
    /// The packet fits no response.
    Wrong(&'static str),
}

/// The response that is being read.
#[derive(Debug, Default)]
pub struct Response {
    stage: Stage,
    /// A packet of it was seen.
    pub is_open: bool,
    /// First byte of the first packet.
    pub start: At,
    /// When its last packet so far ended.
    pub end_time_ns: u64,
    /// Bytes so far, frame headers included.
    pub length: u64,
    /// Rows so far, in all result sets.
    pub rows: u64,
    /// Columns of the first result set.
    pub columns: u64,
    /// Result sets so far.
    pub result_sets: u64,
    /// Rows changed, in all results.
    pub affected_rows: u64,
    /// Some OK packet told of changed rows.
    pub has_ok: bool,
    /// Last AUTO_INCREMENT value.
    pub last_insert_id: u64,
    /// Warnings of the last result.
    pub warnings: u64,
    /// Id of a statement that was prepared.
    pub statement_id: Option<u32>,
    /// Parameters of a statement that was prepared.
    pub parameters: u64,
    /// Error number; 0 for none.
    pub code: u16,
    /// SQLSTATE of the error.
    pub sqlstate: Vec<u8>,
    /// Message of the error, information of an OK packet, or the text of COM_STATISTICS.
    pub text: Vec<u8>,
    /// The server asks for this file of the client (LOCAL INFILE).
    pub file: Vec<u8>,
    /// The file is being asked for: the client's next packets are its content.
    pub wants_file: bool,
    /// Bytes of the file that the client sent.
    pub file_bytes: u64,
    /// The default database became this one.
    pub schema: Vec<u8>,
    /// MariaDB's progress reports.
    pub progress: u64,
    /// Authentication plugin that was switched to.
    pub auth_plugin: Vec<u8>,
}

/// Texts of a response are cut to this.
const MAX_TEXT: usize = 512;
/// More columns than a table can have.
const MAX_COLUMNS: u64 = 65535;

impl Response {
    /// Forgets everything, keeps the buffers.
    pub fn reset(&mut self) {
        let (mut text, mut sqlstate) = (std::mem::take(&mut self.text), std::mem::take(&mut self.sqlstate));
        text.clear();
        sqlstate.clear();
        *self = Self { text, sqlstate, ..Self::default() };
    }

    /// Takes the next packet of the response to a command with this kind of answer.
    pub fn take(&mut self, answer: Answer, packet: &Packet<'_>, agreed: &mut Agreed) -> Step {
        if !self.is_open {
            self.is_open = true;
            self.start = packet.start;
        }
        self.length += packet.wire;
        self.end_time_ns = packet.end_time_ns;
        if packet.first() == 0xff && packet.total >= 3 && self.stage != Stage::Columns(0) {
            if let Some(err) = ErrPacket::read(packet.payload) {
                if err.code == ErrPacket::PROGRESS {
                    self.progress += 1;
                    return Step::More;
                }
                self.code = err.code;
                self.sqlstate.extend_from_slice(err.sqlstate);
                self.text.clear();
                self.text.extend_from_slice(&err.message[..err.message.len().min(MAX_TEXT)]);
                return Step::Done;
            }
        }
        match self.stage {
            Stage::First => self.first(answer, packet, agreed),
            Stage::Columns(left) => self.column(left, agreed),
            Stage::AfterColumns => {
                if is_eof(packet) && packet.total <= 5 {
                    agreed.eof = Eof::Legacy;
                    let end = OkPacket::read(packet.payload, packet.total, agreed.caps).unwrap_or_default();
                    if end.status & status::CURSOR_EXISTS != 0 {
                        return Step::Done;
                    }
                    self.stage = Stage::Rows;
                    return Step::More;
                }
                agreed.eof = Eof::Deprecated;
                self.stage = Stage::Rows;
                self.row(packet, agreed)
            }
            Stage::Rows => self.row(packet, agreed),
            Stage::Parameters(left, columns) => {
                if left > 1 {
                    self.stage = Stage::Parameters(left - 1, columns);
                    return Step::More;
                }
                if agreed.eof == Eof::Deprecated {
                    return self.prepared_columns(columns);
                }
                self.stage = Stage::AfterParameters(columns);
                // With no columns and no knowledge, whether an EOF comes is not known: see `Session::swallow_eof`.
                if agreed.eof == Eof::Unknown && columns == 0 {
                    Step::Done
                } else {
                    Step::More
                }
            }
            Stage::AfterParameters(columns) => {
                if is_eof(packet) {
                    agreed.eof = Eof::Legacy;
                    return self.prepared_columns(columns);
                }
                agreed.eof = Eof::Deprecated;
                self.stage = Stage::PreparedColumns(columns);
                self.prepared_column(columns, agreed)
            }
            Stage::PreparedColumns(left) => self.prepared_column(left, agreed),
            Stage::AfterPreparedColumns => Step::Done,
        }
    }

    fn first(&mut self, answer: Answer, packet: &Packet<'_>, agreed: &mut Agreed) -> Step {
        match (answer, packet.first()) {
            (Answer::Auth, 0xfe) => {
                let name = Cursor::new(packet.payload.get(1..).unwrap_or_default()).nul_bytes();
                // The byte alone asks for the oldest; a name that the capture cut is not known.
                let old: &[u8] = if packet.total == 1 { b"mysql_old_password" } else { b"" };
                self.auth_plugin = name.unwrap_or(old).to_vec();
                self.auth_plugin.truncate(64);
                Step::More
            }
            (Answer::Auth, 0x01) => Step::More,
            (Answer::Ok | Answer::Auth, 0x00 | 0xfe) | (Answer::Results, 0x00) => {
                let Some(ok) = OkPacket::read(packet.payload, packet.total, agreed.caps) else {
                    return Step::Wrong("an OK packet that is too short");
                };
                self.ok(&ok);
                self.next_result(ok.status)
            }
            (Answer::Ok | Answer::Auth, _) => Step::Wrong("neither OK nor an error where one of them is expected"),
            (Answer::Text, _) => {
                self.text.extend_from_slice(&packet.payload[..packet.payload.len().min(MAX_TEXT)]);
                Step::Done
            }
            (Answer::Results, 0xfb) => {
                let name = packet.payload.get(1..).unwrap_or_default();
                self.file = name[..name.len().min(MAX_TEXT)].to_vec();
                self.wants_file = true;
                Step::More
            }
            (Answer::Results, _) => self.result_set(packet, agreed),
            (Answer::Prepare, 0x00) => self.prepared(packet, agreed),
            (Answer::Prepare, _) => Step::Wrong("no statement id where one is expected"),
            (Answer::Rows, _) => {
                self.stage = Stage::Rows;
                self.row(packet, agreed)
            }
            (Answer::Fields, _) => {
                if is_eof(packet) {
                    return Step::Done;
                }
                self.columns += 1;
                Step::More
            }
            (Answer::Events | Answer::None, _) => Step::Done,
        }
    }

    fn ok(&mut self, ok: &OkPacket<'_>) {
        self.has_ok = true;
        self.affected_rows = self.affected_rows.saturating_add(ok.affected_rows);
        if ok.last_insert_id > 0 {
            self.last_insert_id = ok.last_insert_id;
        }
        self.warnings = ok.warnings;
        self.text.clear();
        self.text.extend_from_slice(&ok.info[..ok.info.len().min(MAX_TEXT)]);
        if !ok.schema.is_empty() {
            self.schema = ok.schema[..ok.schema.len().min(MAX_TEXT)].to_vec();
        }
    }

    fn next_result(&mut self, flags: u64) -> Step {
        if flags & status::MORE_RESULTS == 0 {
            return Step::Done;
        }
        self.stage = Stage::First;
        Step::More
    }

    fn result_set(&mut self, packet: &Packet<'_>, agreed: &Agreed) -> Step {
        let mut cursor = Cursor::new(packet.payload);
        // MySQL may put the flag in front of the count (never 0 columns, so that the two differ), MariaDB behind it.
        let flag_first = agreed.caps & caps::OPTIONAL_METADATA != 0 && packet.total > 1;
        let before = if flag_first { cursor.int(1) } else { None };
        let Some(columns) = cursor.lenenc() else { return Step::Wrong("no column count where one is expected") };
        // Where the login was not seen, a byte behind the count can be nothing else.
        let may_follow =
            agreed.caps & caps::CACHE_METADATA != 0 || (agreed.caps == 0 && matches!(cursor.rest(), [0 | 1]));
        let after = if may_follow { cursor.int(1) } else { None };
        if columns == 0 || columns > MAX_COLUMNS || !cursor.rest().is_empty() {
            return Step::Wrong("no column count where one is expected");
        }
        self.result_sets += 1;
        if self.result_sets == 1 {
            self.columns = columns;
        }
        let described = before != Some(0) && after != Some(0);
        if described {
            self.stage = Stage::Columns(columns);
            return Step::More;
        }
        self.column(1, agreed)
    }

    /// A column definition was read, `left` of them were to come.
    fn column(&mut self, left: u64, agreed: &Agreed) -> Step {
        self.stage = match (left, agreed.eof) {
            (2.., _) => Stage::Columns(left - 1),
            (_, Eof::Deprecated) => Stage::Rows,
            _ => Stage::AfterColumns,
        };
        Step::More
    }

    fn row(&mut self, packet: &Packet<'_>, agreed: &Agreed) -> Step {
        if !is_eof(packet) {
            self.rows += 1;
            return Step::More;
        }
        let end = OkPacket::read(packet.payload, packet.total, agreed.caps).unwrap_or_default();
        self.warnings = end.warnings;
        self.next_result(end.status)
    }

    fn prepared(&mut self, packet: &Packet<'_>, agreed: &Agreed) -> Step {
        let mut cursor = Cursor::new(packet.payload.get(1..).unwrap_or_default());
        let (Some(id), Some(columns), Some(parameters)) = (cursor.int(4), cursor.int(2), cursor.int(2)) else {
            return Step::Wrong("an answer to COM_STMT_PREPARE that is too short");
        };
        self.statement_id = Some(id as u32);
        self.columns = columns;
        self.parameters = parameters;
        self.warnings = cursor.bytes(1).and_then(|_| cursor.int(2)).unwrap_or(0);
        let described = agreed.caps & caps::OPTIONAL_METADATA == 0 || cursor.int(1) != Some(0);
        if described && parameters > 0 {
            self.stage = Stage::Parameters(parameters, columns);
            return Step::More;
        }
        self.prepared_columns(if described { columns } else { 0 })
    }

    fn prepared_columns(&mut self, columns: u64) -> Step {
        self.stage = Stage::PreparedColumns(columns);
        if columns == 0 {
            Step::Done
        } else {
            Step::More
        }
    }

    fn prepared_column(&mut self, left: u64, agreed: &Agreed) -> Step {
        if left > 1 {
            self.stage = Stage::PreparedColumns(left - 1);
            return Step::More;
        }
        self.stage = Stage::AfterPreparedColumns;
        if agreed.eof == Eof::Legacy {
            Step::More
        } else {
            Step::Done
        }
    }
}

/// An EOF packet or the OK packet that replaces it: a row that begins with 0xfe has at least 16 MiB.
pub fn is_eof(packet: &Packet<'_>) -> bool {
    packet.first() == 0xfe && packet.total < 0xff_ffff
}
