//! What a client sends before messages have types.

use metaflow_parser_sdk::Cursor;

/// Longest startup packet; the server refuses longer ones.
const MAX: usize = 10_000;

/// A packet without a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Startup<'a> {
    /// SSLRequest.
    Tls,
    /// GSSENCRequest.
    Gss,
    /// CancelRequest: the process whose statement is to be stopped.
    Cancel(u32),
    /// StartupMessage.
    Begin(Parameters<'a>),
}

/// What a session begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters<'a> {
    pub minor: u16,
    pub user: &'a [u8],
    pub database: &'a [u8],
    pub application: &'a [u8],
    pub replication: &'a [u8],
    pub encoding: &'a [u8],
}

/// What the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    More,
    /// The packet and its length.
    Whole(Startup<'a>, usize),
    /// Why they are no startup packet, and where that shows.
    No(&'static str, usize),
}

/// Reads the packet that begins here.
pub(crate) fn read(bytes: &[u8]) -> Read<'_> {
    if let Some(at) = bytes.iter().take(2).position(|byte| *byte != 0) {
        return Read::No("no startup packet: its length is 8 to 10,000", at);
    }
    let mut cursor = Cursor::new(bytes);
    let Some(length) = cursor.u32() else { return Read::More };
    let length = length as usize;
    if !(8..=MAX).contains(&length) {
        return Read::No("no startup packet: its length is 8 to 10,000", 2);
    }
    let (Some(major), Some(minor)) = (cursor.u16(), cursor.u16()) else { return Read::More };
    match (major, minor, length) {
        (1234, 5679, 8) => return Read::Whole(Startup::Tls, 8),
        (1234, 5680, 8) => return Read::Whole(Startup::Gss, 8),
        // The secret key is 4 bytes, since 3.2 up to 256.
        (1234, 5678, 16..=272) => {
            let Some(process) = cursor.u32() else { return Read::More };
            return if bytes.len() < length { Read::More } else { Read::Whole(Startup::Cancel(process), length) };
        }
        (3, 0..=99, _) => {}
        _ => return Read::No("no startup packet: neither protocol 3 nor a request of encryption or to cancel", 4),
    }
    let has = &bytes[8..bytes.len().min(length)];
    if let Some(at) = has.iter().position(|byte| (1..0x20).contains(byte)) {
        return Read::No("parameters of a startup packet that are no text", 8 + at);
    }
    if bytes.len() < length {
        return Read::More;
    }
    let mut found = Parameters { minor, ..Parameters::default() };
    let mut cursor = Cursor::new(has);
    loop {
        let Some(name) = cursor.until_nul() else {
            return Read::No("a startup packet that does not end with a NUL", length);
        };
        if name.is_empty() {
            return Read::Whole(Startup::Begin(found), length);
        }
        let Some(value) = cursor.until_nul() else { return Read::No("a parameter without a value", length) };
        match name {
            b"user" => found.user = value,
            b"database" => found.database = value,
            b"application_name" => found.application = value,
            b"replication" => found.replication = value,
            b"client_encoding" => found.encoding = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_without_a_type_are_told_apart() {
        assert_eq!(read(b"\0\0\0\x08\x04\xd2\x16\x2f"), Read::Whole(Startup::Tls, 8));
        assert_eq!(read(b"\0\0\0\x08\x04\xd2\x16\x30Q"), Read::Whole(Startup::Gss, 8));
        assert_eq!(read(b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x07abcd"), Read::Whole(Startup::Cancel(7), 16));
        let begin = b"\0\0\0\x1c\0\x03\0\0user\0bob\0database\0\0\0";
        assert!(matches!(read(begin), Read::Whole(Startup::Begin(found), 28) if found.user == b"bob"));
        for end in 0..begin.len() {
            assert_eq!(read(&begin[..end]), Read::More, "{end}");
        }
        for wrong in [
            &b"GET "[..],
            b"\0\0\0\x07\0\x03\0\0",
            b"\0\0\0\x09\0\x03\0\0a",
            b"\0\0\0\x10\0\x02\0\0",
            b"\0\0\0\x0b\0\x03\0\0a\0b",
        ] {
            assert!(matches!(read(wrong), Read::No(..)), "{wrong:?}");
        }
    }
}
