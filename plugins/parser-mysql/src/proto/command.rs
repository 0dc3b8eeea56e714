//! The commands: their names, how they are answered, and how one is recognised in the middle of a stream.

use super::attributes::query_attributes;
use crate::sql;

/// How the server answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not at all.
    None,
    /// OK, EOF or ERR.
    Ok,
    /// One packet of text, or ERR.
    Text,
    /// OK, ERR, a file request, or result sets.
    Results,
    /// A statement id, parameter and column definitions.
    Prepare,
    /// Rows of an open cursor.
    Rows,
    /// Column definitions and their end.
    Fields,
    /// The exchange of a login.
    Auth,
    /// A stream of events.
    Events,
}

/// Name and answer of a command byte.
pub fn name(command: u8) -> Option<(&'static str, Answer)> {
    Some(match command {
        0x00 => ("COM_SLEEP", Answer::Ok),
        0x01 => ("COM_QUIT", Answer::None),
        0x02 => ("COM_INIT_DB", Answer::Ok),
        0x03 => ("COM_QUERY", Answer::Results),
        0x04 => ("COM_FIELD_LIST", Answer::Fields),
        0x05 => ("COM_CREATE_DB", Answer::Ok),
        0x06 => ("COM_DROP_DB", Answer::Ok),
        0x07 => ("COM_REFRESH", Answer::Ok),
        0x08 => ("COM_SHUTDOWN", Answer::Ok),
        0x09 => ("COM_STATISTICS", Answer::Text),
        0x0a => ("COM_PROCESS_INFO", Answer::Results),
        0x0b => ("COM_CONNECT", Answer::Ok),
        0x0c => ("COM_PROCESS_KILL", Answer::Ok),
        0x0d => ("COM_DEBUG", Answer::Ok),
        0x0e => ("COM_PING", Answer::Ok),
        0x0f => ("COM_TIME", Answer::Ok),
        0x10 => ("COM_DELAYED_INSERT", Answer::Ok),
        0x11 => ("COM_CHANGE_USER", Answer::Auth),
        0x12 => ("COM_BINLOG_DUMP", Answer::Events),
        0x13 => ("COM_TABLE_DUMP", Answer::Events),
        0x14 => ("COM_CONNECT_OUT", Answer::Ok),
        0x15 => ("COM_REGISTER_SLAVE", Answer::Ok),
        0x16 => ("COM_STMT_PREPARE", Answer::Prepare),
        0x17 => ("COM_STMT_EXECUTE", Answer::Results),
        0x18 => ("COM_STMT_SEND_LONG_DATA", Answer::None),
        0x19 => ("COM_STMT_CLOSE", Answer::None),
        0x1a => ("COM_STMT_RESET", Answer::Ok),
        0x1b => ("COM_SET_OPTION", Answer::Ok),
        0x1c => ("COM_STMT_FETCH", Answer::Rows),
        0x1d => ("COM_DAEMON", Answer::Ok),
        0x1e => ("COM_BINLOG_DUMP_GTID", Answer::Events),
        0x1f => ("COM_RESET_CONNECTION", Answer::Ok),
        0x20 => ("COM_CLONE", Answer::Events),
        0x21 => ("COM_SUBSCRIBE_GROUP_REPLICATION_STREAM", Answer::Ok),
        0xfa => ("COM_STMT_BULK_EXECUTE", Answer::Results),
        0xfb => ("COM_SLAVE_WORKER", Answer::Ok),
        0xfc => ("COM_SLAVE_IO", Answer::Ok),
        0xfd => ("COM_SLAVE_SQL", Answer::Ok),
        0xfe => ("COM_MULTI", Answer::Results),
        _ => return None,
    })
}

/// What stands at the beginning of some client bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A packet that is a command for sure: text that begins with a word of SQL.
    Statement,
    /// A packet that has the shape of a command.
    Command,
    /// It may be, but the bytes end too early.
    More,
    /// It is not: why, and at which byte that shows.
    No(&'static str, usize),
}

/// Bytes that must be seen of a statement before it is judged.
const STATEMENT_HEAD: usize = 64;

/// Looks whether a command begins at the first byte: a frame with sequence number 0 and a payload that fits.
pub fn command_at(data: &[u8]) -> Found {
    let Some(&[a, b, c, seq]) = data.first_chunk::<4>() else {
        return Found::More;
    };
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if seq != 0 {
        return Found::No("a packet that does not begin a command (its sequence number is not 0)", 3);
    }
    if length == 0 {
        return Found::No("an empty packet where a command is expected", 0);
    }
    let Some(&command) = data.get(4) else { return Found::More };
    if name(command).is_none() {
        return Found::No("a command byte that MySQL does not have", 4);
    }
    let body = &data[5..data.len().min(4 + length)];
    let whole = body.len() + 1 == length;
    let exact = |wanted: usize| match length == wanted {
        true if whole || wanted > 4096 => Found::Command,
        true => Found::More,
        false => Found::No("a command whose length does not fit", 0),
    };
    match command {
        0x03 | 0x16 => {
            let text = query_attributes(body).map_or(body, |found| &body[found.text_at..]);
            match sql::is_statement(text) {
                Some(true) => Found::Statement,
                Some(false) if whole || body.len() >= STATEMENT_HEAD => Found::No("no word of SQL in a statement", 5),
                _ if whole => Found::No("no word of SQL in a statement", 5),
                Some(false) | None if body.len() >= 4096 => Found::No("no word of SQL in a statement", 5),
                _ => Found::More,
            }
        }
        0x01 | 0x09 | 0x0a | 0x0d | 0x0e | 0x1f => exact(1),
        0x19 | 0x1a | 0x0c => exact(5),
        0x1b => exact(3),
        0x1c => exact(9),
        0x17 => match body {
            _ if length < 10 => Found::No("a command whose length does not fit", 0),
            [_, _, _, _, flags, 1, 0, 0, 0, ..] if *flags < 16 => Found::Command,
            _ if body.len() < 9 => Found::More,
            _ => Found::No("an execution that is not one (its iteration count is not 1)", 10),
        },
        0x02 => match body.iter().position(|byte| *byte < 0x20) {
            Some(at) => Found::No("a database name with control characters", 5 + at),
            None if length > 257 => Found::No("a database name of more than 256 bytes", 0),
            None if whole => Found::Command,
            None => Found::More,
        },
        0x04 | 0x11 | 0x12 | 0x15 | 0x18 | 0x1e | 0xfa if length >= 7 => Found::Command,
        _ => Found::No("a command that cannot be told from other bytes", 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut packet = (payload.len() as u32).to_le_bytes().to_vec();
        packet.extend_from_slice(payload);
        packet
    }

    #[test]
    fn commands_are_recognised() {
        for (payload, found) in [
            (&b"\x03select 1"[..], Found::Statement),
            (b"\x03\x00\x01SELECT 1", Found::Statement),
            (b"\x03 /* x */ ( select 1)", Found::Statement),
            (b"\x16insert into t values (?)", Found::Statement),
            (b"\x0e", Found::Command),
            (b"\x19\x01\0\0\0", Found::Command),
            (b"\x17\x01\0\0\0\0\x01\0\0\0", Found::Command),
            (b"\x02shop", Found::Command),
        ] {
            let packet = packet(payload);
            assert_eq!(command_at(&packet), found, "{payload:?}");
            for cut in 0..packet.len().min(9) {
                assert!(!matches!(command_at(&packet[..cut]), Found::No(..)), "{payload:?} {cut}");
            }
        }
    }

    #[test]
    fn others_are_refused() {
        for (data, at) in [
            (&b"GET / HTTP/1.1\r\n"[..], 3),
            (b"\x05\0\0\x01\x03sel", 3),
            (b"\x05\0\0\0\x7fabcd", 4),
            (b"\x05\0\0\0\x03abcd", 5),
            (b"\0\0\0\0", 0),
            (b"\x02\0\0\0\x0ea", 0),
            (b"\x16\x03\x01\x02\x00\x01", 3),
        ] {
            assert!(matches!(command_at(data), Found::No(_, offset) if offset == at), "{:?}", command_at(data));
        }
    }
}
