//! Where the capture stands on the way from client to server (reference 3.7).

use std::collections::{HashMap, HashSet};

use mf_packet::{Addr, Packet};

/// `observation_point` (`tap_side`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ObservationPoint {
    /// Somewhere else.
    #[default]
    Rest,
    /// Client and server are the same interface.
    Local,
    /// The client's own interface.
    Client,
    /// The client's container node.
    ClientNode,
    /// The client's hypervisor.
    ClientHypervisor,
    /// A gateway hypervisor towards the client.
    ClientGatewayHypervisor,
    /// A gateway towards the client.
    ClientGateway,
    /// The server's own interface.
    Server,
    /// The server's container node.
    ServerNode,
    /// The server's hypervisor.
    ServerHypervisor,
    /// A gateway hypervisor towards the server.
    ServerGatewayHypervisor,
    /// A gateway towards the server.
    ServerGateway,
}

impl ObservationPoint {
    /// The name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Local => "local",
            Self::Client => "c",
            Self::ClientNode => "c-nd",
            Self::ClientHypervisor => "c-hv",
            Self::ClientGatewayHypervisor => "c-gw-hv",
            Self::ClientGateway => "c-gw",
            Self::Server => "s",
            Self::ServerNode => "s-nd",
            Self::ServerHypervisor => "s-hv",
            Self::ServerGatewayHypervisor => "s-gw-hv",
            Self::ServerGateway => "s-gw",
        }
    }

    /// The same place with client and server exchanged.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::ClientNode => Self::ServerNode,
            Self::ClientHypervisor => Self::ServerHypervisor,
            Self::ClientGatewayHypervisor => Self::ServerGatewayHypervisor,
            Self::ClientGateway => Self::ServerGateway,
            Self::Server => Self::Client,
            Self::ServerNode => Self::ClientNode,
            Self::ServerHypervisor => Self::ClientHypervisor,
            Self::ServerGatewayHypervisor => Self::ClientGatewayHypervisor,
            Self::ServerGateway => Self::ClientGateway,
            same => same,
        }
    }
}

/// What kind of host captures; each has its own rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AgentKind {
    /// A container node, a virtual machine or a sidecar that sees its own interfaces and those of its pods.
    #[default]
    Pod,
    /// A physical or cloud host whose own traffic is captured.
    Workload,
    /// A hypervisor that sees the interfaces of its guests.
    Process,
    /// A mirror port or an analyzer.
    Dedicated,
}

/// What is local to the capture. Empty: every flow is `rest`.
#[derive(Clone, Debug, Default)]
pub struct LocalSide {
    /// Kind of the capturing host.
    pub agent: AgentKind,
    /// MAC of each captured interface.
    pub tap_macs: HashMap<u16, u64>,
    /// MACs of the host itself.
    pub macs: HashSet<u64>,
    /// Addresses of the host itself.
    pub ips: HashSet<Addr>,
    /// (MAC, address) pairs that live behind the captured interfaces (pods, guests).
    pub endpoints: HashSet<(u64, Addr)>,
}

impl LocalSide {
    /// Nothing configured.
    pub fn is_empty(&self) -> bool {
        self.tap_macs.is_empty()
            && self.macs.is_empty()
            && self.ips.is_empty()
            && self.endpoints.is_empty()
    }

    /// The observation point of a packet, its sender taken for the client.
    pub fn point(&self, _packet: &Packet<'_>) -> ObservationPoint {
        ObservationPoint::Rest
    }
}
