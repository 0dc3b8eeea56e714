//! What shares the format of DNS: mDNS (RFC 6762), LLMNR (RFC 4795) and the name service of NetBIOS (RFC 1002, 4.2).

use crate::wire::{fault, u16_at, Fault};
use metaflow_parser_sdk::Segment;
use std::fmt::Write;
use std::net::Ipv4Addr;

const MDNS: u16 = 5353;
const LLMNR: u16 = 5355;
const NBNS: u16 = 137;
/// NetBIOS names on the wire: 16 bytes, each as two letters from A to P.
const NETBIOS_LABEL: usize = 32;

/// Whose message it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Variant {
    #[default]
    Dns,
    Mdns,
    Llmnr,
    Nbns,
}

impl Variant {
    /// What the ports say. A DNS server may stand at mDNS' port: one end there is a sign, both are proof.
    pub fn of(segment: &Segment) -> Variant {
        let ports = [segment.server_port, segment.client_port];
        if ports.contains(&53) {
            Variant::Dns
        } else if ports.contains(&MDNS) {
            Variant::Mdns
        } else if ports.contains(&LLMNR) {
            Variant::Llmnr
        } else if ports.contains(&NBNS) {
            Variant::Nbns
        } else {
            Variant::Dns
        }
    }

    /// The word of the attribute, "" for DNS itself.
    pub fn word(self) -> &'static str {
        match self {
            Variant::Dns => "",
            Variant::Mdns => "mdns",
            Variant::Llmnr => "llmnr",
            Variant::Nbns => "nbns",
        }
    }

    /// Names of types, where they are other ones than those of DNS.
    pub fn type_name(self, number: u16) -> Option<&'static str> {
        match (self, number) {
            (Variant::Nbns, 32) => Some("NB"),
            (Variant::Nbns, 33) => Some("NBSTAT"),
            _ => None,
        }
    }

    /// Names of operations, where they are other ones; `Some("")` where the number has none.
    pub fn opcode(self, number: u8) -> Option<&'static str> {
        (self == Variant::Nbns).then_some(match number {
            0 => "QUERY",
            5 => "REGISTRATION",
            6 => "RELEASE",
            7 => "WACK",
            8 | 9 => "REFRESH",
            15 => "MULTIHOMED_REGISTRATION",
            _ => "",
        })
    }

    /// Names of response codes, where they are other ones.
    pub fn rcode(self, number: u16) -> Option<&'static str> {
        match (self, number) {
            (Variant::Nbns, 1) => Some("FMT_ERR"),
            (Variant::Nbns, 2) => Some("SRV_ERR"),
            (Variant::Nbns, 3) => Some("NAM_ERR"),
            (Variant::Nbns, 4) => Some("IMP_ERR"),
            (Variant::Nbns, 5) => Some("RFS_ERR"),
            (Variant::Nbns, 6) => Some("ACT_ERR"),
            (Variant::Nbns, 7) => Some("CFT_ERR"),
            _ => None,
        }
    }

    /// Appends record data that only this variant has; false where it is written as in DNS.
    pub fn write_data(self, kind: u16, data: &[u8], out: &mut String) -> Result<bool, Fault> {
        match (self, kind) {
            (Variant::Nbns, 32) => addresses(data, out),
            (Variant::Nbns, 33) => own_names(data, out)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Turns a name as it stands on the wire into what people call it: `FILESRV<20>` of NetBIOS' letters.
    pub fn readable(self, name: &mut String, from: usize) {
        if self != Variant::Nbns {
            return;
        }
        let (label, scope) = match name[from..].split_once('.') {
            Some((label, scope)) => (label, scope),
            None => (&name[from..], ""),
        };
        if label.len() != NETBIOS_LABEL || !label.bytes().all(|byte| (b'A'..=b'P').contains(&byte)) {
            return;
        }
        let letters = label.as_bytes();
        let bytes: Vec<u8> = letters.chunks_exact(2).map(|pair| (pair[0] - b'A') << 4 | (pair[1] - b'A')).collect();
        let mut text = String::new();
        netbios(&bytes, &mut text);
        if !scope.is_empty() {
            text.push('.');
            text.push_str(scope);
        }
        name.truncate(from);
        name.push_str(&text);
    }
}

/// Writing to a String cannot fail.
fn put(out: &mut String, arguments: std::fmt::Arguments) {
    let _ = out.write_fmt(arguments);
}

/// 15 bytes of a name, padded with blanks or zeros, and the kind of service.
fn netbios(bytes: &[u8], out: &mut String) {
    let (name, kind) = bytes.split_at(bytes.len().min(15));
    let end = name.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    for byte in &name[..end] {
        match byte {
            0x20..=0x7e => out.push(char::from(*byte)),
            _ => put(out, format_args!("\\{byte:03}")),
        }
    }
    for byte in kind {
        put(out, format_args!("<{byte:02x}>"));
    }
}

/// Flags and an address each (RFC 1002, 4.2.13).
fn addresses(data: &[u8], out: &mut String) {
    for (index, entry) in data.chunks_exact(6).enumerate() {
        if index > 0 {
            out.push(' ');
        }
        put(out, format_args!("{}", Ipv4Addr::new(entry[2], entry[3], entry[4], entry[5])));
    }
}

/// The names of a node: their number, then 16 bytes and flags each (RFC 1002, 4.2.18).
fn own_names(data: &[u8], out: &mut String) -> Result<(), Fault> {
    let Some((&count, rest)) = data.split_first() else { return fault("a node status without names", 0) };
    for index in 0..usize::from(count) {
        let Some(entry) = rest.get(18 * index..18 * index + 18) else {
            return fault("a node status with fewer names than it says", 0);
        };
        u16_at(entry, 16)?;
        if index > 0 {
            out.push(' ');
        }
        netbios(&entry[..16], out);
    }
    Ok(())
}
