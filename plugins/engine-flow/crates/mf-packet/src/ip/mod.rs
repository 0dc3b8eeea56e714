//! IPv4 and IPv6 headers, and fragments.

pub mod fragment;
mod v4;
mod v6;

use crate::{ethertype, Addr, View};
use fragment::Piece;

/// What an IP header says.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// The protocol after all extension headers.
    pub protocol: u8,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification.
    pub id: u16,
    /// Bytes after the (fixed) IP header on the wire.
    pub payload_len: u32,
    /// What follows the header and its extensions.
    pub payload: View<'a>,
    /// Set when this is a part of a datagram.
    pub fragment: Option<Piece>,
    /// A flaw that did not stop the decoding, to be counted.
    pub remark: Option<&'static str>,
}

/// Parses the header at `view`; the reason when it cannot be used.
#[inline]
pub fn parse<'a>(eth_type: u16, view: View<'a>) -> Result<Header<'a>, &'static str> {
    if eth_type == ethertype::IPV4 {
        v4::parse(view)
    } else {
        v6::parse(view)
    }
}

pub(crate) use v6::resume;
