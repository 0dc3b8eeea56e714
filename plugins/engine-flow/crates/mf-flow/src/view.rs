//! What identifies a flow.

use mf_packet::{Addr, Tunnel};

use crate::{ObservationPoint, Way};

/// One end of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// IP address (a MAC address for flows without IP).
    pub addr: Addr,
    /// Port, 0 where the protocol has none.
    pub port: u16,
    /// MAC address as 48 bits, 0 when unknown.
    pub mac: u64,
    /// The outermost tunnel of what this end sends; `kind` None without one or when it has not sent yet.
    pub tunnel: Tunnel,
}

/// A flow's identity. Sides 0 and 1 are fixed; which of them is the client may change while the direction is learnt.
#[derive(Clone, Debug)]
pub struct FlowView {
    /// A 64-bit hash of what makes the flow: the key and the time of the first packet. Never 0.
    pub flow_id: u64,
    /// Time of the first packet, nanoseconds.
    pub start_ns: u64,
    pub(crate) ends: [Endpoint; 2],
    /// The side that is the client.
    pub(crate) client: u8,
    /// IP protocol, 0 for frames without IP.
    pub protocol: u8,
    /// Score of the server (3.6): 255 is certain.
    pub direction_score: u8,
    /// TCP: the start of the connection was not captured.
    pub mid_stream: bool,
    /// Ethernet type.
    pub eth_type: u16,
    /// Inner VLAN id, 0 without a tag.
    pub vlan: u16,
    /// Interface of the first packet.
    pub interface: u16,
    /// IPv4 identification of the first packet.
    pub init_ipid: u16,
    /// Where the capture stands on the way from client to server.
    pub observation_point: ObservationPoint,
}

impl FlowView {
    /// The client.
    #[inline]
    pub fn client(&self) -> &Endpoint {
        &self.ends[usize::from(self.client & 1)]
    }

    /// The server.
    #[inline]
    pub fn server(&self) -> &Endpoint {
        &self.ends[usize::from(self.client & 1 ^ 1)]
    }

    /// The direction of what `side` sends.
    #[inline]
    pub(crate) fn way(&self, side: usize) -> Way {
        if side == usize::from(self.client) {
            Way::C2s
        } else {
            Way::S2c
        }
    }
}
