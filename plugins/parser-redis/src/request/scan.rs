//! Finding a command in bytes whose beginning was not seen: for inference, and for going on after a gap.

use super::table::{find, MODULES};
use crate::text::parse_number;

/// Longest `*n\r\n$n\r\nNAME\r\n` that is considered.
const MAX_HEAD: usize = 64;

/// What stands at the beginning of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An array whose first element is the name of a known command.
    Command,
    /// It may be, but the bytes end too early.
    More,
    /// It is not: why, and at which byte that shows.
    No(&'static str, usize),
}

/// Looks whether a known command begins at the first byte.
pub fn command_at(data: &[u8]) -> Found {
    let mut at = 0;
    for mark in [b'*', b'$'] {
        match data.get(at) {
            None => return Found::More,
            Some(&byte) if byte != mark => return Found::No("no RESP array of bulk strings", at),
            Some(_) => at += 1,
        }
        let Some(end) = data[at..].iter().take(12).position(|byte| *byte == b'\n') else {
            let wrong = data[at..].iter().take(12).position(|byte| !byte.is_ascii_digit() && *byte != b'\r');
            return match wrong {
                Some(wrong) => Found::No("a RESP length is not a number", at + wrong),
                None if data.len() - at >= 12 => Found::No("a RESP length is too long", at),
                None => Found::More,
            };
        };
        let line = &data[at..at + end];
        let number = line.strip_suffix(b"\r").and_then(parse_number);
        let most = if mark == b'*' { 1024 * 1024 } else { 32 };
        match number {
            Some(number) if (1..=most).contains(&number) => {
                at += end + 1;
                if mark == b'$' {
                    return name_at(data, at, number as usize);
                }
            }
            Some(_) => return Found::No("a RESP length that no command has", at),
            None => return Found::No("a RESP length is not a number", at),
        }
    }
    Found::No("no RESP array of bulk strings", 0)
}

fn name_at(data: &[u8], at: usize, length: usize) -> Found {
    let rest = &data[at..];
    let name = &rest[..rest.len().min(length)];
    if let Some(wrong) = name.iter().position(|byte| !is_name_byte(*byte)) {
        return Found::No("the first word is no name of a command", at + wrong);
    }
    if rest.len() < length + 2 {
        return match b"\r\n".starts_with(&rest[name.len()..]) {
            true => Found::More,
            false => Found::No("the first word does not end with CR LF", at + length),
        };
    }
    if &rest[length..length + 2] != b"\r\n" {
        return Found::No("the first word does not end with CR LF", at + length);
    }
    if is_known(name) || is_of_a_module(name) {
        Found::Command
    } else {
        Found::No("the first word is no known Redis command", at)
    }
}

/// `MODULE.COMMAND`, as every module names its commands: behind two lengths that fit nobody else sends it.
fn is_of_a_module(name: &[u8]) -> bool {
    let dot = name.iter().position(|byte| *byte == b'.');
    dot.is_some_and(|dot| {
        name[..dot].len() >= 2 && name[..dot].iter().all(u8::is_ascii_alphanumeric) && dot + 1 < name.len()
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// True for a command of Redis or of a well-known module, in any case.
pub fn is_known(name: &[u8]) -> bool {
    let mut upper = [0u8; 32];
    let Some(upper) = upper.get_mut(..name.len()) else { return false };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    if find(upper).is_some() {
        return true;
    }
    let dot = upper.iter().position(|byte| *byte == b'.');
    dot.is_some_and(|dot| MODULES.iter().any(|module| module.as_bytes() == &upper[..dot]))
}

/// Looks for the next command in a stream whose place is lost. Keeps at most 64 bytes.
#[derive(Debug, Default)]
pub struct Scan {
    held: Vec<u8>,
}

impl Scan {
    /// Bytes held back from earlier calls.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Forgets what is held.
    pub fn reset(&mut self) {
        self.held.clear();
    }

    /// Takes bytes; `Some(n)` when a command begins `n` bytes into (held ++ data), which are then in `joined`.
    ///
    /// Without a command all of `data` is used and what may be the beginning of one is held.
    pub fn feed(&mut self, data: &[u8], joined: &mut Vec<u8>) -> Option<usize> {
        joined.clear();
        joined.extend_from_slice(&self.held);
        joined.extend_from_slice(data);
        self.held.clear();
        let mut from = 0;
        while let Some(star) = joined[from..].iter().position(|byte| *byte == b'*') {
            let at = from + star;
            match command_at(&joined[at..]) {
                Found::Command => return Some(at),
                Found::More if joined.len() - at < MAX_HEAD => {
                    self.held.extend_from_slice(&joined[at..]);
                    return None;
                }
                _ => from = at + 1,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_and_others_refused() {
        let whole = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        assert_eq!(command_at(whole), Found::Command);
        assert_eq!(command_at(b"*1\r\n$8\r\njson.get\r\n"), Found::Command);
        assert_eq!(command_at(b"*1\r\n$9\r\nMYMOD.RUN\r\n"), Found::Command);
        for cut in 0..13 {
            assert_eq!(command_at(&whole[..cut]), Found::More, "{cut}");
        }
        for (data, at) in [
            (&b"GET / HTTP/1.1\r\n"[..], 0),
            (b"*3\r\n:1\r\n", 4),
            (b"*x\r\n$3\r\nGET\r\n", 1),
            (b"*2\n$3\nGET\n", 1),
            (b"*2\r\n$3\r\nFOO\r\n", 8),
            (b"*2\r\n$4\r\n.FOO\r\n", 8),
            (b"*2\r\n$4\r\nFOO.\r\n", 8),
            (b"*2\r\n$3\r\nGETX\r\n", 11),
            (b"*99999999999999999\r\n", 1),
            (b"*0\r\n", 1),
        ] {
            assert!(matches!(command_at(data), Found::No(_, offset) if offset == at), "{:?}", command_at(data));
        }
    }

    #[test]
    fn a_lost_stream_is_picked_up_at_any_split() {
        let stream = b"ge *9 va*2\r\n$x lue\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
        for split in 0..stream.len() {
            let mut scan = Scan::default();
            let mut joined = Vec::new();
            let found = scan.feed(&stream[..split], &mut joined).map(|at| joined[at..].to_vec());
            let found = found.or_else(|| scan.feed(&stream[split..], &mut joined).map(|at| joined[at..].to_vec()));
            let expected = b"*2\r\n$3\r\nGET\r\n";
            assert!(found.is_some_and(|found| found.starts_with(expected)), "split {split}");
        }
    }
}
