//! Inference: whether the first bytes of a flow are MySQL, and who sent them.

use crate::entry::{entry_at, Entry};
use crate::message::Side;
use crate::proto::{ErrPacket, Greeting};

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
        return greeting;
    }
    match entry_at(data) {
        Entry::Login | Entry::Command { sure: true, .. } => Verdict::Request,
        Entry::Command { sure: false, .. } if server_port == MYSQL_PORT => Verdict::Request,
        Entry::Command { sure: false, .. } => {
            Verdict::No("the shape of a MySQL command, but no word of SQL, and not port 3306", 4)
        }
        Entry::More => Verdict::More,
        Entry::No(reason, at) => Verdict::No(reason, at),
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
