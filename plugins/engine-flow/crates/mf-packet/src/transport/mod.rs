//! Transport headers.

mod icmp;
mod tcp;
mod udp;

pub use icmp::Icmp;
pub use tcp::{flags, Tcp, TcpOptions};
pub use udp::Udp;

pub(crate) use tcp::of as tcp_of;

use crate::packet::proto;
use crate::{ethertype, View};

/// The decoded transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Another protocol, or none.
    None,
    /// TCP (RFC 9293).
    Tcp(Tcp),
    /// UDP (RFC 768).
    Udp(Udp),
    /// ICMP (RFC 792) or ICMPv6 (RFC 4443).
    Icmp(Icmp),
}

/// Decodes the transport header at `view`; gives it with the payload, or the reason why not. A protocol without a decoder
/// gives [`Transport::None`] and everything as payload.
#[inline]
pub fn parse<'a>(
    eth_type: u16,
    protocol: u8,
    view: View<'a>,
) -> Result<(Transport, View<'a>), &'static str> {
    match protocol {
        proto::TCP => tcp::parse(view).map(|(tcp, rest)| (Transport::Tcp(tcp), rest)),
        proto::UDP => udp::parse(view).map(|(udp, rest)| (Transport::Udp(udp), rest)),
        proto::ICMP if eth_type == ethertype::IPV4 => {
            icmp::parse(view, false).map(|(icmp, rest)| (Transport::Icmp(icmp), rest))
        }
        proto::ICMPV6 if eth_type == ethertype::IPV6 => {
            icmp::parse(view, true).map(|(icmp, rest)| (Transport::Icmp(icmp), rest))
        }
        _ => Ok((Transport::None, view)),
    }
}
