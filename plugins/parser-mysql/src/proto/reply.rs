//! OK, EOF and ERR packets.

use super::cursor::Cursor;
use super::handshake::caps;

/// Status flags of the server.
pub mod status {
    /// Another result set follows.
    pub const MORE_RESULTS: u64 = 8;
    /// A cursor is open: rows come with COM_STMT_FETCH.
    pub const CURSOR_EXISTS: u64 = 0x40;
    /// The session's state changed.
    pub const STATE_CHANGED: u64 = 0x4000;
}

/// An OK packet, or the EOF packet that it replaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OkPacket<'a> {
    /// Rows changed.
    pub affected_rows: u64,
    /// Last value of AUTO_INCREMENT.
    pub last_insert_id: u64,
    /// Status flags.
    pub status: u64,
    /// Warnings.
    pub warnings: u64,
    /// Human-readable information.
    pub info: &'a [u8],
    /// The database that became the default.
    pub schema: &'a [u8],
}

impl<'a> OkPacket<'a> {
    /// Reads an OK packet (header 0x00 or 0xfe), or an EOF packet of 5 bytes.
    pub fn read(payload: &'a [u8], total: u64, capabilities: u64) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let header = cursor.int(1)?;
        if header == 0xfe && total <= 5 {
            let warnings = cursor.int(2).unwrap_or(0);
            return Some(Self { warnings, status: cursor.int(2).unwrap_or(0), ..Self::default() });
        }
        let mut ok = Self {
            affected_rows: cursor.lenenc()?,
            last_insert_id: cursor.lenenc()?,
            status: cursor.int(2)?,
            warnings: cursor.int(2).unwrap_or(0),
            ..Self::default()
        };
        // Where the login was not seen, a change of state that is told tells of the capability.
        let is_unknown = capabilities == 0;
        if capabilities & caps::SESSION_TRACK == 0 && !(is_unknown && ok.status & status::STATE_CHANGED != 0) {
            // The documents say: the rest is text. The servers write its length in front of it nevertheless.
            ok.info = match { cursor }.lenenc_bytes() {
                Some(text) if text.len() + 1 == cursor.rest().len() => text,
                // The capture cut the text, or what looks like one.
                _ if (payload.len() as u64) < total => b"",
                _ => cursor.rest(),
            };
            if is_unknown && ok.info.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) {
                ok.info = b"";
            }
            return Some(ok);
        }
        if let Some(info) = cursor.lenenc_bytes() {
            ok.info = info;
            if ok.status & status::STATE_CHANGED != 0 {
                let mut changes = Cursor::new(cursor.lenenc_bytes().unwrap_or_default());
                while let (Some(kind), Some(change)) = (changes.int(1), changes.lenenc_bytes()) {
                    if kind == 1 {
                        ok.schema = Cursor::new(change).lenenc_bytes().unwrap_or_default();
                    }
                }
            }
        }
        Some(ok)
    }
}

/// An ERR packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrPacket<'a> {
    /// Error number.
    pub code: u16,
    /// SQLSTATE, empty before the login.
    pub sqlstate: &'a [u8],
    /// Message for people.
    pub message: &'a [u8],
}

impl<'a> ErrPacket<'a> {
    /// Number of MariaDB's progress reports, which are no errors.
    pub const PROGRESS: u16 = 0xffff;

    /// Reads an ERR packet (header 0xff).
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload.strip_prefix(&[0xff])?);
        let code = cursor.int(2)? as u16;
        let mut err = Self { code, sqlstate: b"", message: cursor.rest() };
        if let Some((b"#", _)) = err.message.split_at_checked(1) {
            cursor.bytes(1)?;
            err.sqlstate = cursor.bytes(5)?;
            err.message = cursor.rest();
        }
        Some(err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_eof_and_err_are_read() {
        let ok = OkPacket::read(&[0, 3, 7, 2, 0, 1, 0, 2, b'h', b'i'], 10, 0).unwrap();
        assert_eq!((ok.affected_rows, ok.last_insert_id, ok.status, ok.warnings, ok.info), (3, 7, 2, 1, &b"hi"[..]));
        let eof = OkPacket::read(&[0xfe, 1, 0, 8, 0], 5, 0).unwrap();
        assert_eq!((eof.warnings, eof.status), (1, status::MORE_RESULTS));
        let track = [0, 0, 0, 0, 0x40, 0, 0, 0, 5, 1, 3, 2, b'd', b'b'];
        assert_eq!(OkPacket::read(&track, 14, caps::SESSION_TRACK).unwrap().schema, b"db");
        let err = ErrPacket::read(b"\xff\x7a\x04#42S02no table").unwrap();
        assert_eq!((err.code, err.sqlstate, err.message), (1146, &b"42S02"[..], &b"no table"[..]));
        assert_eq!(ErrPacket::read(b"\xff\x10\x04Too many").unwrap().message, b"Too many");
        // Where the login was not seen.
        assert_eq!(OkPacket::read(&track, 14, 0).unwrap().schema, b"db");
        assert_eq!(OkPacket::read(&[0, 0, 0, 2, 0, 0, 0, 0, 3, 1], 10, 0).unwrap().info, b"");
        assert!(OkPacket::read(&[0], 1, 0).is_none() && ErrPacket::read(&[0xff]).is_none());
    }
}
