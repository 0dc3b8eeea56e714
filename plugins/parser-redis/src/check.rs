//! Inference: whether the first bytes of a flow are Redis, and who sent them.

use crate::message::Side;
use crate::reply::{Progress, ReplyReader, KINDS};
use crate::request::{command_at, is_known, Found};

/// The usual ports of servers and sentinels: here words that other text protocols share are taken for Redis.
const REDIS_PORTS: [u16; 4] = [6379, 6380, 16379, 26379];
/// Bytes of such words on another port, after which the server's answer is no longer waited for.
const MAX_SHARED: usize = 512;

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not Redis: why, and at which byte that shows.
    No(&'static str, usize),
    /// More bytes are needed.
    More,
    /// A command: this side is the client.
    Request,
    /// A reply: this side is the server.
    Response,
}

/// Judges everything one direction has sent so far.
pub fn check(side: Side, server_port: u16, data: &[u8]) -> Verdict {
    match data.first() {
        None => Verdict::More,
        Some(b'*') => match command_at(data) {
            Found::Command => Verdict::Request,
            Found::More => Verdict::More,
            // A server that was met in the middle of its work answers with an array.
            Found::No(reason, at) if side == Side::Server => reply(server_port, data, reason, at),
            Found::No(reason, at) => Verdict::No(reason, at),
        },
        Some(first) if side == Side::Server && KINDS.contains(first) => {
            reply(server_port, data, "no whole RESP value", 0)
        }
        Some(first) if first.is_ascii_alphabetic() && side == Side::Client => inline(server_port, data),
        Some(_) => Verdict::No("neither a RESP array nor an inline command", 0),
    }
}

/// A flow that begins with a reply: only what no other protocol says, except on Redis' own port.
fn reply(server_port: u16, data: &[u8], reason: &'static str, at: usize) -> Verdict {
    let mut reader = ReplyReader::new(64);
    match reader.feed(data) {
        Progress::Bad(reason) => Verdict::No(reason, 0),
        Progress::More if data.len() < 4096 => Verdict::More,
        Progress::More => Verdict::No(reason, at),
        Progress::Value(_) => {
            // POP3 greets with +OK, so that a line of text proves nothing.
            let weak = matches!(reader.reply.kind, b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(');
            if weak && !REDIS_PORTS.contains(&server_port) && !is_redis_line(data) {
                Verdict::No("a line that other text protocols send too", 0)
            } else {
                Verdict::Response
            }
        }
    }
}

/// Lines that only Redis sends.
fn is_redis_line(data: &[u8]) -> bool {
    const LINES: [&[u8]; 10] = [
        b"+PONG\r\n",
        b"-NOAUTH ",
        b"-WRONGTYPE ",
        b"-MOVED ",
        b"-ASK ",
        b"-WRONGPASS ",
        b"-LOADING ",
        b"-DENIED ",
        b"-NOSCRIPT ",
        b"-READONLY ",
    ];
    LINES.iter().any(|line| data.starts_with(line))
}

/// An inline command: a line whose first word is a command, and which is nothing else.
fn inline(server_port: u16, data: &[u8]) -> Verdict {
    let end = data.iter().position(|byte| *byte == b'\n');
    let line = &data[..end.unwrap_or(data.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(at) = line.iter().position(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
        return Verdict::No("control characters in what could be an inline command", at);
    }
    let word_end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let word = &line[..word_end.unwrap_or(line.len())];
    let word_is_whole = word_end.is_some() || end.is_some();
    if word.len() > 32 || (word_is_whole && !is_known(word)) {
        return Verdict::No("the first word is no known Redis command", 0);
    }
    if end.is_none() {
        return if data.len() < 4096 {
            Verdict::More
        } else {
            Verdict::No("a line of 4096 bytes without an end", 4096)
        };
    }
    if let Some(at) = line.windows(6).position(|part| part == b" HTTP/") {
        return Verdict::No("a request line of HTTP", at + 1);
    }
    if !REDIS_PORTS.contains(&server_port) && shared(word) && !is_redis_form(line) {
        // The server's answer tells: only Redis answers +PONG or with a length.
        return match data.len() {
            0..MAX_SHARED => Verdict::More,
            _ => Verdict::No("an inline command that memcached, NATS, SMTP, FTP or POP3 know too", 0),
        };
    }
    Verdict::Request
}

/// Words that memcached has too, with other numbers of arguments: `SET k v` is Redis, `set k 0 0 1` is not.
fn is_redis_form(line: &[u8]) -> bool {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let word = words.next().unwrap_or_default();
    let arguments = words.count();
    let is = |name: &[u8]| name.eq_ignore_ascii_case(word);
    match arguments {
        1 => is(b"INCR") || is(b"DECR"),
        2 => is(b"SET") || is(b"APPEND") || is(b"PUBLISH") || is(b"COPY") || is(b"MOVE"),
        _ => false,
    }
}

/// Commands that other text protocols have too.
fn shared(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 18] = [
        b"GET",
        b"SET",
        b"INCR",
        b"DECR",
        b"APPEND",
        b"TOUCH",
        b"QUIT",
        b"PING",
        b"INFO",
        b"AUTH",
        b"TYPE",
        b"COPY",
        b"MOVE",
        b"SUBSCRIBE",
        b"PUBLISH",
        b"RESET",
        b"SAVE",
        b"HELLO",
    ];
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_is_recognised() {
        for (side, port, data, verdict) in [
            (Side::Client, 1, &b"*1\r\n$4\r\nPING\r\n"[..], Verdict::Request),
            (Side::Client, 1, b"*2\r\n$3\r\nge", Verdict::More),
            (Side::Client, 1, b"LPUSH l 1\r\n", Verdict::Request),
            (Side::Client, 6379, b"PING\r\n", Verdict::Request),
            (Side::Client, 6379, b"PI", Verdict::More),
            (Side::Server, 1, b"$3\r\nabc\r\n", Verdict::Response),
            (Side::Server, 1, b"*2\r\n$3\r\nabc\r\n:1\r\n", Verdict::Response),
            (Side::Server, 1, b"-NOAUTH Authentication required.\r\n", Verdict::Response),
            (Side::Server, 6379, b"+OK\r\n", Verdict::Response),
            (Side::Server, 1, b"+PONG\r\n", Verdict::Response),
            (Side::Client, 11211, b"get key\r\n", Verdict::More),
            (Side::Client, 11211, b"set key 0 0 1\r\nx\r\n", Verdict::More),
            (Side::Client, 11211, b"incr key 1\r\n", Verdict::More),
            (Side::Client, 1, b"SET key x\r\n", Verdict::Request),
            (Side::Client, 1, b"INCR key\r\n", Verdict::Request),
            (Side::Client, 4222, b"PING\r\n", Verdict::More),
            (Side::Server, 1, b"%1\r\n+a\r\n", Verdict::More),
            (Side::Server, 1, b"*1\r\n$4\r\nPING\r\n", Verdict::Request),
        ] {
            assert_eq!(check(side, port, data), verdict, "{:?}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn look_alikes_are_refused_with_the_place() {
        for (side, port, data, at) in [
            (Side::Client, 6379, &b"GET /index.html HTTP/1.1\r\n"[..], 16),
            (Side::Client, 11211, b"gets key\r\n", 0),
            (Side::Client, 80, b"POST / HTTP/1.1\r\n", 0),
            (Side::Server, 4222, b"+OK\r\n", 0),
            (Side::Server, 4222, b"PONG\r\n", 0),
            (Side::Server, 11211, b"VALUE key 0 1\r\n", 0),
            (Side::Client, 1, b"*2\r\n$3\r\nFOO\r\n", 8),
            (Side::Client, 1, b"*2\n$3\nGET\n", 1),
            (Side::Client, 1, b"*1\r\n:5\r\n", 4),
            (Side::Client, 1, b"\x16\x03\x01\x02\x00", 0),
            (Side::Client, 1, b"info\x00", 4),
            (Side::Server, 110, b"+OK POP3 ready\r\n", 0),
            (Side::Server, 110, b"-ERR no such message\r\n", 0),
            (Side::Server, 1, b"$3\r\nabcd\r\n", 0),
            (Side::Server, 1, b"220 smtp\r\n", 0),
        ] {
            let verdict = check(side, port, data);
            assert!(matches!(verdict, Verdict::No(_, offset) if offset == at), "{data:?}: {verdict:?}");
        }
    }
}
