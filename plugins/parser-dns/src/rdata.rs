//! The data of a record as text, the way zone files write it.

use crate::name;
use crate::types;
use crate::wire::{fault, u16_at, u32_at, Fault};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Append the data of a record at `start..end` of the message. Types without a short form give their name.
///
/// # Errors
/// A fault when the data does not have the form of its type.
pub(crate) fn write(message: &[u8], kind: u16, start: usize, end: usize, out: &mut String) -> Result<(), Fault> {
    // Names may point back into the whole message, but must not read beyond their record.
    let message = message.get(..end).unwrap_or(message);
    let data = message.get(start..).unwrap_or_default();
    if data.is_empty() {
        // Updates name types without data (RFC 2136, 2.4).
        out.push_str(&types::name(kind));
        return Ok(());
    }
    match kind {
        1 => match <[u8; 4]>::try_from(data) {
            Ok(address) => put(out, format_args!("{}", Ipv4Addr::from(address))),
            Err(_) => return fault("an A record that is not 4 bytes long", start),
        },
        28 => match <[u8; 16]>::try_from(data) {
            Ok(address) => put(out, format_args!("{}", Ipv6Addr::from(address))),
            Err(_) => return fault("an AAAA record that is not 16 bytes long", start),
        },
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
        2..=5 | 7..=9 | 12 | 39 => drop(name::read(message, start, out)?),
        // MX, AFSDB, RT, KX: a preference and a name
        15 | 18 | 21 | 36 => {
            put(out, format_args!("{} ", u16_at(message, start)?));
            name::read(message, start + 2, out)?;
        }
        16 | 99 => texts(data, out),
        6 => soa(message, start, out)?,
        33 => {
            let number = |at| u16_at(message, start + at);
            put(out, format_args!("{} {} {} ", number(0)?, number(2)?, number(4)?));
            name::read(message, start + 6, out)?;
        }
        64 | 65 => {
            put(out, format_args!("{} ", u16_at(message, start)?));
            name::read(message, start + 2, out)?;
        }
        256 => {
            put(out, format_args!("{} {} ", u16_at(message, start)?, u16_at(message, start + 2)?));
            quoted(data.get(4..).unwrap_or_default(), out);
        }
        257 => caa(data, out),
        _ => out.push_str(&types::name(kind)),
    }
    Ok(())
}

/// Writing to a String cannot fail.
fn put(out: &mut String, arguments: std::fmt::Arguments) {
    let _ = out.write_fmt(arguments);
}

fn soa(message: &[u8], start: usize, out: &mut String) -> Result<(), Fault> {
    let rname = name::read(message, start, out)?;
    out.push(' ');
    let mut at = name::read(message, rname, out)?;
    for _ in 0..5 {
        put(out, format_args!(" {}", u32_at(message, at)?));
        at += 4;
    }
    Ok(())
}

/// Character strings, each behind its length.
fn texts(mut data: &[u8], out: &mut String) {
    let mut first = true;
    while let Some((length, rest)) = data.split_first() {
        let (text, behind) = rest.split_at(usize::from(*length).min(rest.len()));
        if !first {
            out.push(' ');
        }
        first = false;
        quoted(text, out);
        data = behind;
    }
}

fn caa(data: &[u8], out: &mut String) {
    if let [flags, length, rest @ ..] = data {
        let (tag, value) = rest.split_at(usize::from(*length).min(rest.len()));
        put(out, format_args!("{flags} {} ", String::from_utf8_lossy(tag)));
        quoted(value, out);
    }
}

fn quoted(text: &[u8], out: &mut String) {
    out.push('"');
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => put(out, format_args!("\\{:03}", u32::from(control))),
            plain => out.push(plain),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::write;

    fn text(kind: u16, data: &[u8]) -> Result<String, &'static str> {
        let mut out = String::new();
        write(data, kind, 0, data.len(), &mut out).map(|()| out).map_err(|fault| fault.reason)
    }

    #[test]
    fn the_common_types() {
        for (kind, data, expected) in [
            (1, &b"\x7f\x00\x00\x01"[..], "127.0.0.1"),
            (28, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", "::1"),
            (5, b"\x01a\x01b\x00", "a.b"),
            (15, b"\x00\x0a\x01m\x00", "10 m"),
            (16, b"\x02hi\x04a\"b\x07", "\"hi\" \"a\\\"b\\007\""),
            (33, b"\x00\x01\x00\x02\x00\x50\x01s\x00", "1 2 80 s"),
            (6, b"\x01n\x00\x01r\x00\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05", "n r 1 2 3 4 5"),
            (65, b"\x00\x01\x00\x00\x01\x00\x03\x02h2", "1 ."),
            (257, b"\x00\x05issueca.example", "0 issue \"ca.example\""),
            (46, b"anything", "RRSIG"),
            (999, b"", "TYPE999"),
        ] {
            assert_eq!(text(kind, data).as_deref(), Ok(expected), "type {kind}");
        }
    }

    #[test]
    fn data_of_the_wrong_form_is_a_fault() {
        for (kind, data) in [
            (1, &b"\x7f\x00\x00"[..]),
            (28, b"\x00"),
            (5, b"\x05a"),
            (15, b"\x00"),
            (33, b"\x00"),
            (6, b"\x00\x00\x00"),
        ] {
            assert!(text(kind, data).is_err(), "type {kind}");
        }
        assert_eq!(text(16, b"\xffshort").as_deref(), Ok("\"short\""));
    }
}
