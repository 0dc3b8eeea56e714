//! The first line of a message (RFC 9112, 3 and 4): strict enough that other protocols of the same look are refused.

use crate::scan;
use metaflow_parser_sdk::http::options::is_token;

/// The methods that need no further proof: RFC 9110, PATCH, WebDAV's and the two link methods.
const VERBS: [&[u8]; 15] = [
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"PATCH",
    b"CONNECT",
    b"TRACE",
    b"LINK",
    b"UNLINK",
    b"COPY",
    b"MOVE",
    b"PROPFIND",
    b"LOCK",
];
/// No registered method is longer than 17 bytes (UPDATEREDIRECTREF).
const LONGEST_METHOD: usize = 24;

/// Why a line is not the first line of an HTTP/1 message, and the byte where it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: &'static str,
    pub offset: usize,
}

const fn refuse<T>(reason: &'static str, offset: usize) -> Result<T, Refusal> {
    Err(Refusal { reason, offset })
}

/// `method SP target SP version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub version: &'static str,
}

/// `version SP code [SP reason]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatusLine<'a> {
    pub version: &'static str,
    pub code: u16,
    pub reason: &'a [u8],
}

/// Either first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartLine<'a> {
    Request(RequestLine<'a>),
    Status(StatusLine<'a>),
}

pub(crate) fn is_verb(method: &[u8]) -> bool {
    VERBS.contains(&method)
}

/// Whether the bytes are the beginning of a request with a common method or of a status line, as far as they go.
pub(crate) fn begins_for_sure(bytes: &[u8]) -> bool {
    const STATUS: &[u8] = b"HTTP/1.";
    let known = bytes.len().min(STATUS.len());
    if bytes[..known] == STATUS[..known] {
        return true;
    }
    VERBS.iter().any(|verb| match bytes.get(verb.len()) {
        Some(behind) => *behind == b' ' && bytes.starts_with(verb),
        None => verb.starts_with(bytes),
    })
}

/// Read a whole line, without its CR LF.
pub(crate) fn read(line: &[u8]) -> Result<StartLine<'_>, Refusal> {
    if line.starts_with(b"HTTP/") {
        status_line(line).map(StartLine::Status)
    } else {
        request_line(line).map(StartLine::Request)
    }
}

/// Read a first line of which the capture kept the beginning: a status line up to its code, a request line up to a part
/// of its target (of a common method only: there is no version to prove it).
pub(crate) fn read_cut(line: &[u8]) -> Option<StartLine<'_>> {
    if line.starts_with(b"HTTP/") {
        return status_line(line).ok().map(StartLine::Status);
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let method = method(line).ok().filter(|method| is_verb(method))?;
    let target = line.get(method.len() + 1..)?;
    // What begins like the version behind a blank is not of the target.
    let blank = target.iter().rposition(|byte| *byte == b' ');
    let version = blank.map_or(&[][..], |blank| &target[blank + 1..]);
    let target = match blank {
        Some(blank) if b"HTTP/1.1".starts_with(version) || b"HTTP/1.0".starts_with(version) => &target[..blank],
        _ => target,
    };
    target.starts_with(b"/").then_some(StartLine::Request(RequestLine { method, target, version: "" }))
}

/// Whether bytes behind a hole, and in front of the next one, begin with a first line as far as they go.
pub(crate) fn begins_cut(bytes: &[u8]) -> bool {
    match scan::line(bytes, 0) {
        None => read_cut(bytes).is_some(),
        Some((line, _)) => match read(line) {
            Ok(StartLine::Request(line)) => is_verb(line.method),
            Ok(StartLine::Status(_)) => true,
            Err(_) => false,
        },
    }
}

/// `HTTP/1.` and a digit.
fn version(text: &[u8], at: usize) -> Result<&'static str, Refusal> {
    match text {
        b"HTTP/1.1" => Ok("1.1"),
        b"HTTP/1.0" => Ok("1.0"),
        b"HTTP/2.0" => refuse("an HTTP/2 preface", at),
        [b'R', b'T', b'S', b'P', b'/', ..] => refuse("RTSP", at),
        [b'S', b'I', b'P', b'/', ..] => refuse("SIP", at),
        [b'H', b'T', b'T', b'P', b'/', ..] => refuse("an HTTP version that is not 1.0 or 1.1", at),
        _ => refuse("no HTTP version where one belongs", at),
    }
}

fn status_line(line: &[u8]) -> Result<StatusLine<'_>, Refusal> {
    let version = version(line.get(..8).unwrap_or(line), 0)?;
    let code = match line.get(8..12) {
        Some([b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']) => {
            u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
        }
        _ => return refuse("no status code of three digits", 8),
    };
    let reason = match line.get(12..) {
        Some([b' ', reason @ ..]) => reason,
        Some([]) => &[],
        _ => return refuse("no space behind the status code", 12),
    };
    Ok(StatusLine { version, code, reason })
}

/// The usual request: a common method, a path, and the version that most speak.
#[inline]
fn usual_request(line: &[u8]) -> Option<RequestLine<'_>> {
    let (rest, b" HTTP/1.1") = line.split_last_chunk::<9>()? else { return None };
    let length = match rest {
        [b'G', b'E', b'T', b' ', b'/', ..] | [b'P', b'U', b'T', b' ', b'/', ..] => 3,
        [b'P', b'O', b'S', b'T', b' ', b'/', ..] | [b'H', b'E', b'A', b'D', b' ', b'/', ..] => 4,
        _ => return None,
    };
    Some(RequestLine { method: &rest[..length], target: &rest[length + 1..], version: "1.1" })
}

fn request_line(line: &[u8]) -> Result<RequestLine<'_>, Refusal> {
    if let Some(usual) = usual_request(line) {
        return Ok(usual);
    }
    let method = method(line)?;
    let target_at = method.len() + 1;
    let Some(space) = line.iter().rposition(|byte| *byte == b' ').filter(|space| *space >= target_at) else {
        return refuse("no version behind the target", line.len());
    };
    let target = &line[target_at..space];
    // The version first: it names the protocol that this is instead.
    let version = version(&line[space + 1..], space + 1)?;
    if !is_target(target) {
        return refuse("no request target", target_at);
    }
    Ok(RequestLine { method, target, version })
}

/// The method at the start of a line, up to its space.
fn method(line: &[u8]) -> Result<&[u8], Refusal> {
    let end = line
        .iter()
        .take(LONGEST_METHOD + 1)
        .position(|byte| !is_token(*byte))
        .unwrap_or(line.len().min(LONGEST_METHOD + 1));
    match line.get(end) {
        _ if end > LONGEST_METHOD => refuse("a first word too long for a method", LONGEST_METHOD),
        Some(b' ') if end > 0 && line[0].is_ascii_alphabetic() => Ok(&line[..end]),
        _ if end > 0 && !line[0].is_ascii_alphabetic() => refuse("no method", 0),
        _ => refuse("no method", end),
    }
}

/// Origin-form, absolute-form, authority-form or asterisk-form (RFC 9112, 3.2).
fn is_target(target: &[u8]) -> bool {
    match target {
        [] => false,
        [b'/', ..] | b"*" => true,
        // As strict as `could_begin`, so that a first line gets the same verdict whole and in parts.
        [first, ..] if !first.is_ascii_alphanumeric() && *first != b'[' => false,
        _ => {
            let end = target.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-._~[]:".contains(byte)));
            match end {
                None => target.contains(&b':'),
                Some(end) => target[..end].ends_with(b":") && target[end..].starts_with(b"//"),
            }
        }
    }
}

/// Whether bytes that do not hold a whole line yet may still become a first line.
pub(crate) fn could_begin(bytes: &[u8]) -> Result<(), Refusal> {
    let known = bytes.len().min(5);
    if bytes[..known] == b"HTTP/"[..known] {
        let shape = b"HTTP/1.d ddd";
        for (at, (byte, wanted)) in bytes.iter().zip(shape).enumerate() {
            let fits = if *wanted == b'd' { byte.is_ascii_digit() } else { byte == wanted };
            if !fits {
                return refuse(
                    if at < 8 { "an HTTP version that is not 1.0 or 1.1" } else { "no status code of three digits" },
                    at,
                );
            }
        }
        return Ok(());
    }
    let end = bytes.iter().take(LONGEST_METHOD + 1).position(|byte| !is_token(*byte));
    match end {
        None if bytes.len() <= LONGEST_METHOD && bytes[0].is_ascii_alphabetic() => Ok(()),
        _ => {
            let method = method(bytes)?;
            match bytes.get(method.len() + 1) {
                None => Ok(()),
                Some(b'/' | b'*' | b'[') => Ok(()),
                Some(byte) if byte.is_ascii_alphanumeric() => Ok(()),
                Some(_) => refuse("no request target", method.len() + 1),
            }
        }
    }
}

/// Whether the bytes behind a first line go on as a head does: an empty line, or a field name and a colon.
pub(crate) fn head_goes_on(bytes: &[u8]) -> Option<bool> {
    const LONGEST_NAME: usize = 128;
    match bytes {
        [] | [b'\r'] => None,
        [b'\n', ..] | [b'\r', b'\n', ..] => Some(true),
        _ => match bytes.iter().take(LONGEST_NAME).position(|byte| !is_token(*byte)) {
            Some(end) => Some(end > 0 && bytes[end] == b':'),
            None if bytes.len() >= LONGEST_NAME => Some(false),
            None => None,
        },
    }
}

/// The first line that may start inside `line`, behind a body that had no line end: its offset.
pub(crate) fn inside(line: &[u8]) -> Option<usize> {
    let response = (0..line.len().saturating_sub(11))
        .find(|at| line[*at] == b'H' && line[*at..].starts_with(b"HTTP/1.") && status_line(&line[*at..]).is_ok());
    if response.is_some() {
        return response;
    }
    if !matches!(line.last_chunk::<9>(), Some(b" HTTP/1.1" | b" HTTP/1.0")) {
        return None;
    }
    if request_line(line).is_ok_and(|read| is_verb(read.method) || line.len() < 256) {
        return Some(0);
    }
    (1..line.len()).rev().find(|at| {
        let rest = &line[*at..];
        rest[0].is_ascii_uppercase()
            && VERBS.iter().any(|verb| rest.starts_with(verb) && rest.get(verb.len()) == Some(&b' '))
            && request_line(rest).is_ok()
            && !line[at - 1].is_ascii_uppercase()
    })
}

/// The first line of `bytes` as a verdict needs it: `None` while the line is not complete.
pub(crate) fn first(bytes: &[u8]) -> Option<(Result<StartLine<'_>, Refusal>, usize)> {
    let (line, next) = scan::line(bytes, 0)?;
    Some((read(line), next))
}

#[cfg(test)]
#[path = "start_line_tests.rs"]
mod tests;
