//! Where to begin in a stream whose beginning or middle was not seen: also the heart of inference.

use crate::proto::{command_at, Found, Login};
use crate::wire::Codec;
use metaflow_parser_sdk::inflate::Inflater;

/// What the client's bytes begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A command (`sure`: text that begins with a word of SQL), maybe in a compressed packet.
    Command {
        /// No other protocol looks like this.
        sure: bool,
        /// The session is compressed.
        codec: Option<Codec>,
    },
    /// A login.
    Login,
    /// More bytes are needed.
    More,
    /// Neither: why, and at which byte that shows.
    No(&'static str, usize),
}

/// Plain bytes that are looked at in a compressed packet.
const PEEK: u64 = 256;

/// Looks at the beginning of the client's bytes.
pub fn entry_at(data: &[u8]) -> Entry {
    match command_at(data) {
        Found::Statement => Entry::Command { sure: true, codec: None },
        Found::Command => Entry::Command { sure: false, codec: None },
        Found::More => Entry::More,
        Found::No(reason, at) => match (login_at(data), compressed_at(data)) {
            (Entry::No(..), Entry::No(..)) => Entry::No(reason, at),
            (Entry::No(..), other) => other,
            (login, _) => login,
        },
    }
}

fn login_at(data: &[u8]) -> Entry {
    const NO: Entry = Entry::No("no login", 0);
    let Some(&[a, b, c, seq]) = data.first_chunk::<4>() else { return NO };
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if !(1..=2).contains(&seq) || !(32..=65536).contains(&length) {
        return NO;
    }
    let payload = &data[4..data.len().min(4 + length)];
    // Capabilities of any client since 4.1: PROTOCOL_41, and 19 bytes of nothing.
    let filler = payload.get(9..payload.len().min(28)).unwrap_or_default();
    if payload.get(1).is_some_and(|flags| flags & 2 == 0) || filler.iter().any(|byte| *byte != 0) {
        return NO;
    }
    if payload.len() < length {
        return Entry::More;
    }
    if Login::read(payload, length as u64).is_some() {
        Entry::Login
    } else {
        NO
    }
}

/// A compressed packet that begins a command.
fn compressed_at(data: &[u8]) -> Entry {
    const NO: Entry = Entry::No("no compressed packet", 0);
    let Some(&[a, b, c, seq, d, e, f]) = data.first_chunk::<7>() else { return NO };
    let packed = u32::from_le_bytes([a, b, c, 0]);
    let plain = u32::from_le_bytes([d, e, f, 0]);
    let body = &data[7..data.len().min(7 + packed as usize)];
    if seq != 0 || packed < 5 {
        return NO;
    }
    let (codec, found) = if plain == 0 {
        (Codec::Zlib, command_at(body))
    } else if body.first() == Some(&0x78) {
        let mut text = Vec::new();
        let fed = Inflater::new().feed(body, PEEK, |part| text.extend_from_slice(part));
        match command_at(&text) {
            Found::More if fed.is_err() => return NO,
            found => (Codec::Zlib, found),
        }
    } else {
        // A zstd frame cannot be looked into; its magic number is sign enough.
        return if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Entry::Command { sure: false, codec: Some(Codec::Zstd) }
        } else {
            NO
        };
    };
    match found {
        Found::Statement => Entry::Command { sure: true, codec: Some(codec) },
        Found::Command => Entry::Command { sure: false, codec: Some(codec) },
        Found::More => Entry::More,
        Found::No(..) => NO,
    }
}
