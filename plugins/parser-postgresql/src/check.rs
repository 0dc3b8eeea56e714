//! Inference: whether the first bytes of a flow are PostgreSQL, and who sent them.

use crate::frame::{header, Framed, HEADER};
use crate::resync::{has_shape, is_message};
use crate::startup::{self, Read};
use metaflow_parser_sdk::{Check, Direction, Segment};

/// Where PostgreSQL and what speaks its protocol listen: here a query needs no word of SQL.
const PORTS: &[u16] = &[5432, 5433, 6432, 26257, 5439];

/// Judges everything one direction has sent so far.
pub(crate) fn check(segment: &Segment) -> Check {
    let bytes = segment.payload;
    let is_usual = PORTS.contains(&segment.server_port);
    let as_client = client(bytes, is_usual);
    if matches!(as_client, Check::Request) {
        return as_client;
    }
    match server(bytes) {
        Check::Response => Check::Response,
        Check::More => Check::More,
        other if segment.direction == Direction::ServerToClient && !matches!(as_client, Check::More) => other,
        _ => as_client,
    }
}

fn client(bytes: &[u8], is_usual: bool) -> Check {
    match bytes.first() {
        None => return Check::More,
        Some(0) => {
            return match startup::read(bytes) {
                Read::More => Check::More,
                Read::Whole(..) => Check::Request,
                Read::No(reason, at) => Check::no(reason, at),
            }
        }
        _ => {}
    }
    let found = match header(Direction::ClientToServer, bytes) {
        Framed::More => return Check::More,
        Framed::No(reason) => return Check::no(reason, usize::from(bytes.len() >= HEADER)),
        Framed::Header(found) => found,
    };
    match (found.kind, is_message(Direction::ClientToServer, bytes)) {
        // Five fixed bytes alone are weak, but on the port they are what a pool sends.
        (b'S' | b'X', _) if !is_usual => {
            return Check::no("the shape of Sync or Terminate, but not a port of PostgreSQL", 0)
        }
        (b'S' | b'X', None) => return Check::Request,
        (_, Some(true)) => return Check::Request,
        (_, None) => return Check::More,
        _ => {}
    }
    if !is_usual {
        return Check::no("no statement, no Bind, and not a port of PostgreSQL", HEADER);
    }
    match has_shape(found.kind, found.total, bytes) {
        Some(true) => Check::Request,
        Some(false) => Check::no("no query in text, no Execute, Describe or Close", HEADER),
        None => Check::More,
    }
}

fn server(bytes: &[u8]) -> Check {
    let found = match header(Direction::ServerToClient, bytes) {
        Framed::More => return Check::no("too few bytes of a server", 0),
        Framed::No(reason) => return Check::no(reason, usize::from(bytes.len() >= HEADER)),
        Framed::Header(found) => found,
    };
    if let (b'R', Some(kind)) = (found.kind, bytes.get(HEADER..HEADER + 4)) {
        let kind = u32::from_be_bytes([kind[0], kind[1], kind[2], kind[3]]);
        return match (kind, found.total) {
            (0 | 2 | 7 | 9, 9) | (3, 9) | (5, 13) | (8 | 10..=12, 10..) => Check::Response,
            _ => Check::no("no request of authentication", HEADER),
        };
    }
    match is_message(Direction::ServerToClient, bytes) {
        Some(true) => Check::Response,
        None if matches!(found.kind, b'T' | b'C' | b'1' | b'2' | b'3' | b'Z') && found.total <= 4096 => Check::More,
        None if matches!(found.kind, b'E' | b'N') => Check::More,
        _ => Check::no("no message that a server's answer begins with", 0),
    }
}
