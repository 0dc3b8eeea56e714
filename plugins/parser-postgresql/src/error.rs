//! ErrorResponse and NoticeResponse, and who is to blame for an SQLSTATE
//! (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use metaflow_parser_sdk::{Cursor, Status};

/// The fields that are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    /// ERROR, FATAL, WARNING, ... never translated where the server says it (since 9.6).
    pub severity: &'a [u8],
    pub sqlstate: &'a [u8],
    pub message: &'a [u8],
    pub detail: &'a [u8],
    pub hint: &'a [u8],
    pub position: &'a [u8],
    pub table: &'a [u8],
    pub constraint: &'a [u8],
}

impl<'a> Fields<'a> {
    /// What the bytes hold, which may be cut.
    pub fn read(body: &'a [u8]) -> Fields<'a> {
        let mut found = Fields::default();
        let mut cursor = Cursor::new(body);
        while let Some(kind) = cursor.u8().filter(|kind| *kind != 0) {
            let value = cursor.until_nul_or_end();
            match kind {
                b'S' if found.severity.is_empty() => found.severity = value,
                b'V' => found.severity = value,
                b'C' => found.sqlstate = value,
                b'M' => found.message = value,
                b'D' => found.detail = value,
                b'H' => found.hint = value,
                b'P' => found.position = value,
                b't' => found.table = value,
                b'n' => found.constraint = value,
                _ => {}
            }
        }
        found
    }

    /// The session ends with this error.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity, b"FATAL" | b"PANIC")
    }

    /// Whether the bytes have the shape of these fields: `None` when more are needed.
    pub fn are_here(body: &[u8]) -> Option<bool> {
        const SEVERITIES: &[&[u8]] =
            &[b"ERROR\0", b"FATAL\0", b"PANIC\0", b"WARNING\0", b"NOTICE\0", b"DEBUG\0", b"INFO\0", b"LOG\0"];
        let (&kind, rest) = body.split_first()?;
        if kind != b'S' {
            return Some(false);
        }
        if SEVERITIES.iter().any(|known| rest.starts_with(known)) {
            return Some(true);
        }
        // A translated severity: the next field is the plain one.
        let Some(end) = rest.iter().take(32).position(|byte| *byte == 0) else {
            return if rest.len() < 32 { None } else { Some(false) };
        };
        match &rest[end + 1..] {
            [b'V', plain @ ..] if SEVERITIES.iter().any(|known| plain.starts_with(known)) => Some(true),
            [b'V', plain @ ..] if SEVERITIES.iter().any(|known| known.starts_with(plain)) => None,
            [b'C', ..] => Some(true),
            [] => None,
            _ => Some(false),
        }
    }
}

/// Whose fault an SQLSTATE is, by its class.
pub(crate) fn blame(sqlstate: &[u8]) -> Status {
    match sqlstate.get(..2) {
        Some(b"00" | b"01" | b"02") => Status::Ok,
        // What the client asked for cannot be: wrong SQL, wrong data, broken constraints, no rights, the wrong order.
        Some(
            b"03" | b"0A" | b"0B" | b"0F" | b"0L" | b"0P" | b"0Z" | b"20" | b"21" | b"22" | b"23" | b"24" | b"25"
            | b"26" | b"27" | b"28" | b"2B" | b"2D" | b"34" | b"3B" | b"3D" | b"3F" | b"42" | b"44",
        ) => Status::ClientError,
        _ => Status::ServerError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_blamed() {
        let found = Fields::read(b"SFEHLER\0VERROR\0C42P01\0Mno such table\0P15\0ttbl\0\0");
        assert_eq!((found.severity, found.sqlstate, found.table), (&b"ERROR"[..], &b"42P01"[..], &b"tbl"[..]));
        assert!(!found.is_fatal());
        assert_eq!(blame(b"42P01"), Status::ClientError);
        assert_eq!(blame(b"40001"), Status::ServerError);
        assert_eq!(blame(b""), Status::ServerError);
        assert_eq!(Fields::are_here(b"SFEHLER\0VERR"), None);
        assert_eq!(Fields::are_here(b"SFEHLER\0VERROR\0"), Some(true));
        assert_eq!(Fields::are_here(b"SERROR\0"), Some(true));
        assert_eq!(Fields::are_here(b"portal\0"), Some(false));
    }
}
