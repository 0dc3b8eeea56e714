//! The first bytes of a body, for those who refine messages by them (see "Refiners" in docs/explanation/data-plane.md).
//!
//! Off unless the option `body_bytes` says how many bytes. Only bodies of text that names operations are kept, and only when they
//! are neither compressed nor in an unknown coding.

use crate::chunked::{self, ChunkLine};
use crate::pending::Asked;
use crate::scan;
use metaflow_parser_sdk::http::bodies::{self, names_operations};
use std::borrow::Cow;

/// What there is of a body that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peek<'a> {
    /// It is not wanted, or there is none.
    No,
    /// It is wanted, and more of it is to come.
    More,
    /// Its first bytes.
    Bytes(Cow<'a, [u8]>),
}

/// Look at the body behind the head of `length` bytes.
///
/// `asked`: the request that a response answers. `most`: bytes that are wanted. `is_last`: no more bytes will come, so what is there has to do.
pub(crate) fn peek(bytes: &[u8], asked: Asked, length: usize, most: usize, is_last: bool) -> Peek<'_> {
    if most == 0 || is_bodiless(bytes, asked) {
        return Peek::No;
    }
    let (Some(head), Some(body)) = (bytes.get(..length), bytes.get(length..)) else { return Peek::No };
    let framing = Framing::read(head);
    if !framing.is_wanted {
        return Peek::No;
    }
    if framing.is_chunked {
        return chunks(body, most, is_last);
    }
    let Some(size @ 1..) = framing.length else { return Peek::No };
    let wanted = most.min(usize::try_from(size).unwrap_or(most));
    if body.len() < wanted && !is_last {
        return Peek::More;
    }
    match &body[..wanted.min(body.len())] {
        [] => Peek::No,
        found => Peek::Bytes(Cow::Borrowed(found)),
    }
}

/// The first bytes of a body in chunks, put together: events of a stream come in one each.
fn chunks(body: &[u8], most: usize, is_last: bool) -> Peek<'_> {
    let mut found = Cow::Borrowed(&[][..]);
    let mut at = 0;
    let is_whole = loop {
        let (line, size) = match chunked::size(&body[at..]) {
            ChunkLine::More => break is_last,
            ChunkLine::Wrong | ChunkLine::Size(_, 0) => break true,
            ChunkLine::Size(line, size) => (line, usize::try_from(size).unwrap_or(usize::MAX)),
        };
        at += line;
        let there = &body[at..];
        let part = &there[..there.len().min(size).min(most - found.len())];
        if found.is_empty() {
            found = Cow::Borrowed(part);
        } else {
            found.to_mut().extend_from_slice(part);
        }
        if found.len() >= most {
            break true;
        }
        if there.len() <= size {
            break is_last;
        }
        at += size;
        match chunked::end(&body[at..]) {
            Some(0) => break true,
            Some(end) => at += end,
            None => break is_last,
        }
    };
    match (found.is_empty(), is_whole) {
        (_, false) => Peek::More,
        (true, true) => Peek::No,
        (false, true) => Peek::Bytes(found),
    }
}

/// No body follows, whatever the fields say (RFC 9112, 6.3): an answer to HEAD, one with certain codes, a CONNECT.
fn is_bodiless(bytes: &[u8], asked: Asked) -> bool {
    match bytes.strip_prefix(b"HTTP/") {
        None => bytes.starts_with(b"CONNECT "),
        Some(rest) => {
            let code = rest.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
            asked != Asked::Plain || matches!(code, [b'1', ..] | b"204" | b"304")
        }
    }
}

/// The media type of a head, without its parameters.
pub(crate) fn media_type(head: &[u8]) -> &[u8] {
    fields(head)
        .find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"))
        .map_or(&[], |(_, value)| bodies::media_type(value))
}

struct Framing {
    is_wanted: bool,
    is_chunked: bool,
    length: Option<u64>,
}

impl Framing {
    fn read(head: &[u8]) -> Framing {
        let mut found = Framing { is_wanted: names_operations(media_type(head)), is_chunked: false, length: None };
        for (name, value) in fields(head) {
            if name.eq_ignore_ascii_case(b"content-encoding") {
                found.is_wanted &= value.is_empty() || value.eq_ignore_ascii_case(b"identity");
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                found.is_chunked = value.eq_ignore_ascii_case(b"chunked");
                found.is_wanted &= found.is_chunked;
            } else if name.eq_ignore_ascii_case(b"content-length") {
                found.length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
        }
        found
    }
}

/// The fields of a head, behind its first line.
fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = scan::line(head, 0).map_or(head.len(), |(_, next)| next);
    std::iter::from_fn(move || {
        let (line, next) = scan::line(head, at)?;
        at = next;
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_bodiless, media_type, peek, Asked, Peek};

    const HEAD: &[u8] =
        b"POST /rpc HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 10\r\n\r\n";

    fn with(body: &[u8]) -> Vec<u8> {
        [HEAD, body].concat()
    }

    #[test]
    fn waits_for_what_is_wanted_and_no_longer() {
        assert_eq!(media_type(HEAD), b"application/json");
        assert_eq!(peek(&with(b"01234"), Asked::Plain, HEAD.len(), 8, false), Peek::More);
        assert_eq!(peek(&with(b"01234567"), Asked::Plain, HEAD.len(), 8, false), Peek::Bytes(b"01234567".into()));
        assert_eq!(
            peek(&with(b"0123456789rest"), Asked::Plain, HEAD.len(), 100, false),
            Peek::Bytes(b"0123456789".into())
        );
        assert_eq!(peek(&with(b"012"), Asked::Plain, HEAD.len(), 8, true), Peek::Bytes(b"012".into()));
        assert_eq!(peek(&with(b""), Asked::Plain, HEAD.len(), 8, true), Peek::No);
        assert_eq!(peek(&with(b"012"), Asked::Plain, HEAD.len(), 0, false), Peek::No);
    }

    #[test]
    fn answers_that_have_no_body() {
        for (head, asked, expected) in [
            ("HTTP/1.1 200 OK", Asked::Plain, false),
            ("HTTP/1.1 200 OK", Asked::Head, true),
            ("HTTP/1.1 204 No Content", Asked::Plain, true),
            ("HTTP/1.1 100 Continue", Asked::Plain, true),
            ("CONNECT a:1 HTTP/1.1", Asked::Plain, true),
            ("POST / HTTP/1.1", Asked::Head, false),
        ] {
            assert_eq!(is_bodiless(head.as_bytes(), asked), expected, "{head}");
        }
    }

    #[test]
    fn chunks_are_put_together() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ncontent-type: application/problem+json\r\n\r\n";
        let stream = |body: &[u8]| [head.as_slice(), body].concat();
        assert_eq!(peek(&stream(b""), Asked::Plain, head.len(), 8, false), Peek::More);
        assert_eq!(peek(&stream(b"5\r\nhel"), Asked::Plain, head.len(), 8, false), Peek::More);
        let said = |body: &[u8], is_last: bool| match peek(&stream(body), Asked::Plain, head.len(), 8, is_last) {
            Peek::Bytes(found) => String::from_utf8_lossy(&found).into_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(said(b"5\r\nhello\r\n", false), "More");
        assert_eq!(said(b"5\r\nhello\r\n", true), "hello");
        assert_eq!(said(b"5\r\nhello\r\n0\r\n\r\n", false), "hello");
        assert_eq!(said(b"5\r\nhello\r\n4\r\n wor", false), "hello wo");
        assert_eq!(said(b"5\r\nhello\r\n1\r\n!\r\nrest", true), "hello!");
        assert_eq!(peek(&stream(b"zz\r\n"), Asked::Plain, head.len(), 8, false), Peek::No);
    }

    #[test]
    fn what_is_packed_or_of_another_type_is_left_alone() {
        for field in ["Content-Encoding: gzip", "Transfer-Encoding: gzip, chunked", "Content-Type: image/png"] {
            let head =
                format!("POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n{field}\r\n\r\n");
            let head = head.replacen("Content-Type: application/json\r\n", "", usize::from(field.contains("image")));
            assert_eq!(peek(format!("{head}{{}}").as_bytes(), Asked::Plain, head.len(), 8, false), Peek::No, "{field}");
        }
    }
}
