//! Inference: whether the first bytes of a flow are MySQL, and who sent them.

use crate::entry::{entry_at, Entry};
use crate::message::Side;
use crate::proto::{Cursor, ErrPacket, Greeting};

/// The usual port: here a packet that only has the shape of a command is taken for one.
const MYSQL_PORT: u16 = 3306;

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not MySQL: why, and at which byte that shows.
    No(&'static str, usize),
    /// More bytes are needed.
    More,
    /// A login or a command: this side is the client.
    Request,
    /// A greeting, or an error in its place: this side is the server.
    Response,
}

/// Judges everything one direction has sent so far.
pub fn check(side: Side, server_port: u16, data: &[u8]) -> Verdict {
    // The server speaks first, so that who greets is the server, whoever it was taken for.
    let greeting = greeting(data);
    match greeting {
        Verdict::Response | Verdict::More if side == Side::Server || data.len() >= 6 => return greeting,
        _ => {}
    }
    if side == Side::Server {
        return match answer(data) {
            Verdict::No(..) => greeting,
            answer => answer,
        };
    }
    match entry_at(data) {
        Entry::Login | Entry::Command { sure: true, .. } => Verdict::Request,
        Entry::Command { sure: false, .. } if server_port == MYSQL_PORT || is_prepared(data) => Verdict::Request,
        // The server's answer tells; who asks for nothing is not waited for.
        Entry::Command { sure: false, .. } if is_short(data) => Verdict::More,
        Entry::Command { sure: false, .. } => {
            Verdict::No("the shape of a MySQL command, but no word of SQL, and not port 3306", 4)
        }
        Entry::More => Verdict::More,
        Entry::No(reason, at) => Verdict::No(reason, at),
    }
}

/// COM_STMT_EXECUTE and COM_STMT_FETCH as whole packets of a segment: the numbers in fixed places are proof.
fn is_prepared(data: &[u8]) -> bool {
    let ends_here = data.first_chunk::<3>().is_some_and(|length| {
        let length = u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize;
        data.len() == length.saturating_add(4)
    });
    let id = |from: usize| match data.get(from..from + 4) {
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    };
    // A server counts its statements from 1 on; -1 is the one prepared last (MariaDB).
    let is_id = |id: u32| id == u32::MAX || (1..1 << 24).contains(&id);
    match data.get(4) {
        Some(0x17) => ends_here && is_id(id(5)) && data.len() >= 14,
        Some(0x1c) => ends_here && is_id(id(5)) && id(9) > 0,
        _ => false,
    }
}

/// A command without text that fills its segment.
fn is_short(data: &[u8]) -> bool {
    matches!((data.len(), data.get(4)), (5, Some(0x09 | 0x0d | 0x0e | 0x1f)) | (9, Some(0x1a)) | (7, Some(0x1b)))
}

/// The beginning of a response to a command that was not seen: what no other protocol says.
fn answer(data: &[u8]) -> Verdict {
    const NO: Verdict = Verdict::No("no response of MySQL", 3);
    let Some(&[a, b, c, 1]) = data.first_chunk::<4>() else { return NO };
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    let Some(payload) = data.get(4..4 + length).filter(|payload| !payload.is_empty()) else { return NO };
    let rest = &data[4 + length..];
    match payload {
        // OK: rows changed, the last id, status flags that exist, warnings. Alone in its segment.
        [0, tail @ ..] if rest.is_empty() => {
            let mut cursor = Cursor::new(tail);
            let counts = (cursor.lenenc(), cursor.lenenc());
            let (status, warnings) = (cursor.int(2), cursor.int(2));
            match (counts, status, warnings) {
                ((Some(_), Some(_)), Some(1..0x8000), Some(..0x1000)) if length < 128 => Verdict::Response,
                _ => NO,
            }
        }
        [0xff, _, _, b'#', ..] => match ErrPacket::read(payload) {
            Some(err) if (1000..5000).contains(&err.code) && err.message.is_ascii() => Verdict::Response,
            _ => NO,
        },
        // A result set: the number of columns (MariaDB says behind it that they follow), then the first of them, of the
        // catalog "def".
        [count] | [count, 1] if *count > 0 => match rest {
            [_, _, 0, 2, 3, b'd', b'e', b'f', ..] => Verdict::Response,
            _ => NO,
        },
        _ => NO,
    }
}

fn greeting(data: &[u8]) -> Verdict {
    let Some(&[a, b, c, seq]) = data.first_chunk::<4>() else { return Verdict::More };
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if seq != 0 || !(9..=1024).contains(&length) {
        return Verdict::No("no greeting: its sequence number is 0 and its length 9 to 1024", 3);
    }
    let payload = &data[4..data.len().min(4 + length)];
    match payload.first() {
        None => return Verdict::More,
        Some(9 | 10) => {}
        Some(0xff) => {
            return match ErrPacket::read(payload) {
                None if payload.len() < length => Verdict::More,
                Some(err) if (1000..5000).contains(&err.code) && err.message.is_ascii() => Verdict::Response,
                _ => Verdict::No("no error of MySQL", 5),
            };
        }
        Some(_) => return Verdict::No("no greeting: its protocol version is 9 or 10", 4),
    }
    if Greeting::read(payload).is_some() {
        return Verdict::Response;
    }
    let version = &payload[1..];
    let end = version.iter().position(|byte| *byte == 0).unwrap_or(version.len());
    if let Some(at) = version[..end].iter().position(|byte| !(0x20..0x7f).contains(byte)) {
        return Verdict::No("the server's version is no text", 5 + at);
    }
    if payload.len() < length {
        Verdict::More
    } else {
        Verdict::No("a greeting that is too short", 4 + payload.len())
    }
}
