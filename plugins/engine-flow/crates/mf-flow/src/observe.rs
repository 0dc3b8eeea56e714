//! Where the capture stands on the way from client to server (reference 3.7).

use std::collections::{HashMap, HashSet};

use mf_packet::{Addr, Direction, Packet, TunnelKind};

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
    /// A container node or sidecar that sees its own interfaces and those of its pods.
    #[default]
    Pod,
    /// A physical or cloud host whose own traffic is captured.
    Workload,
    /// A virtual machine.
    Vm,
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

/// What is known of one end of a packet.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// Captured at this end's own interface.
    l2: bool,
    /// The address really lives behind this MAC.
    l3: bool,
    local_mac: bool,
    local_ip: bool,
}

/// A place on one end's half of the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Own,
    Node,
    Hypervisor,
    GatewayHypervisor,
    Gateway,
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
    pub fn point(&self, packet: &Packet<'_>) -> ObservationPoint {
        if self.is_empty() {
            return ObservationPoint::Rest;
        }
        if packet.src_mac == packet.dst_mac
            && matches!(
                self.agent,
                AgentKind::Pod | AgentKind::Workload | AgentKind::Vm
            )
        {
            return ObservationPoint::Local;
        }
        let tap = self.tap_macs.get(&packet.interface).copied();
        let (src, dst) = packet.addresses();
        let src = self.end(tap, packet.src_mac, src, packet.direction == Direction::Out);
        let dst = self.end(tap, packet.dst_mac, dst, packet.direction == Direction::In);
        let tunnel = packet.tunnel.kind;
        let unicast = packet.dst_mac >> 40 & 1 == 0;
        let client = self.place(src, tunnel, unicast);
        let server = self.place(dst, tunnel, unicast);
        match (client, server) {
            (None, None) => ObservationPoint::Rest,
            (Some(place), None) => client_point(place),
            (None, Some(place)) => client_point(place).mirrored(),
            (Some(ours), Some(theirs)) => {
                // Both claim it: an end before a place on the way, then the interface's owner, then the host's own MAC.
                let rank = |place: Place, end: End| (place == Place::Own, end.l2, end.local_mac);
                if rank(ours, src) >= rank(theirs, dst) {
                    client_point(ours)
                } else {
                    client_point(theirs).mirrored()
                }
            }
        }
    }

    /// `passed` says that the capture named this end's interface as the one the frame went through (a cooked capture has no
    /// destination MAC to compare).
    fn end(&self, tap: Option<u64>, mac: u64, addr: Addr, passed: bool) -> End {
        let (local_mac, local_ip) = (self.macs.contains(&mac), self.ips.contains(&addr));
        let l2 = if mac != 0 && tap.is_some() {
            tap == Some(mac)
        } else {
            passed
        };
        let l3 = addr.is_loopback()
            || self.endpoints.contains(&(mac, addr))
            || (local_ip && (local_mac || (mac == 0 && l2)));
        End {
            l2,
            l3,
            local_mac,
            local_ip,
        }
    }

    /// Where the capture stands on this end's half of the way, none when it is not there.
    fn place(&self, end: End, tunnel: TunnelKind, unicast: bool) -> Option<Place> {
        let tunneled = tunnel != TunnelKind::None;
        let own = end.l2 && end.l3;
        match self.agent {
            AgentKind::Pod => match (end.l2, end.l3) {
                (true, true) if !tunneled => Some(Place::Own),
                (true, true) => Some(Place::Node),
                (true, false) => (end.local_ip || tunneled).then_some(Place::Node),
                (false, true) => end.local_mac.then_some(Place::Node),
                (false, false) => {
                    (end.local_mac && (end.local_ip || tunneled)).then_some(Place::Node)
                }
            },
            AgentKind::Process => match (end.l2, end.l3) {
                (true, true) if !tunneled => Some(Place::Own),
                (true, _) if end.local_ip && tunneled => Some(Place::Hypervisor),
                (true, true) => None,
                (true, false) if end.local_ip => Some(Place::Gateway),
                (true, false) if end.local_mac => Some(match tunnel {
                    TunnelKind::None => Place::Gateway,
                    TunnelKind::Ipip => Place::Hypervisor,
                    _ => Place::GatewayHypervisor,
                }),
                (true, false) => (tunnel == TunnelKind::Gre).then_some(Place::Hypervisor),
                (false, true) => end.local_mac.then_some(Place::Hypervisor),
                (false, false) if !end.local_mac => None,
                (false, false) if end.local_ip || tunneled => Some(Place::Hypervisor),
                (false, false) => Some(Place::GatewayHypervisor),
            },
            AgentKind::Workload if own => Some(Place::Own),
            AgentKind::Workload => (end.l2 && unicast).then_some(Place::Gateway),
            AgentKind::Vm => (own && !tunneled).then_some(Place::Own),
            AgentKind::Dedicated => end.l2.then_some(Place::Own),
        }
    }
}

/// The point of a place on the client's half. A gateway on the client's half is the one through which the server is reached,
/// so it belongs to the server's side of the way (the reference exchanges 0 and 1 there).
const fn client_point(place: Place) -> ObservationPoint {
    match place {
        Place::Own => ObservationPoint::Client,
        Place::Node => ObservationPoint::ClientNode,
        Place::Hypervisor => ObservationPoint::ClientHypervisor,
        Place::GatewayHypervisor => ObservationPoint::ServerGatewayHypervisor,
        Place::Gateway => ObservationPoint::ServerGateway,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mf_packet::{ethertype, Frame};

    const TAP: u64 = 0x0200_0000_0001;
    const OTHER: u64 = 0x0200_0000_0002;
    const OWN: Addr = Addr::v4(0x0a00_0001);
    const FAR: Addr = Addr::v4(0x0a00_0002);

    fn packet(from_tap: bool, tunnel: TunnelKind) -> Packet<'static> {
        let frame = Frame {
            time_ns: 0,
            wire_len: 60,
            link_type: 1,
            interface: 3,
            direction: Direction::Unknown,
            vlan_tci: None,
            data: &[],
        };
        let mut packet = Packet::new(&frame);
        packet.eth_type = ethertype::IPV4;
        packet.tunnel.kind = tunnel;
        (packet.src_mac, packet.dst_mac, packet.src, packet.dst) = if from_tap {
            (TAP, OTHER, OWN, FAR)
        } else {
            (OTHER, TAP, FAR, OWN)
        };
        packet
    }

    fn local(agent: AgentKind, host_mac: bool, host_ip: bool, endpoint: bool) -> LocalSide {
        LocalSide {
            agent,
            tap_macs: HashMap::from([(3, TAP)]),
            macs: if host_mac {
                HashSet::from([TAP])
            } else {
                HashSet::new()
            },
            ips: if host_ip {
                HashSet::from([OWN])
            } else {
                HashSet::new()
            },
            endpoints: if endpoint {
                HashSet::from([(TAP, OWN)])
            } else {
                HashSet::new()
            },
        }
    }

    #[test]
    fn nothing_configured_is_rest() {
        assert_eq!(
            LocalSide::default().point(&packet(true, TunnelKind::None)),
            ObservationPoint::Rest
        );
    }

    #[test]
    fn rules_of_each_kind_of_host() {
        use AgentKind::{Dedicated, Pod, Process, Vm, Workload};
        use TunnelKind::{Gre, Ipip, None, Vxlan};
        // agent, host MAC, host IP, endpoint known, tunnel -> as the client, as the server
        let rules = [
            (Pod, false, false, true, None, "c", "s"),
            (Pod, true, true, false, None, "c", "s"),
            (Pod, false, false, true, Vxlan, "c-nd", "s-nd"),
            (Pod, false, true, false, None, "c-nd", "s-nd"),
            (Pod, false, false, false, None, "rest", "rest"),
            (Process, false, false, true, None, "c", "s"),
            (Process, false, true, true, Vxlan, "c-hv", "s-hv"),
            (Process, false, true, false, Vxlan, "c-hv", "s-hv"),
            (Process, false, true, false, None, "s-gw", "c-gw"),
            (Process, true, false, false, None, "s-gw", "c-gw"),
            (Process, true, false, false, Vxlan, "s-gw-hv", "c-gw-hv"),
            (Process, true, false, false, Ipip, "c-hv", "s-hv"),
            (Process, false, false, false, Gre, "c-hv", "s-hv"),
            (Workload, true, true, false, None, "c", "s"),
            (Workload, true, false, false, None, "s-gw", "c-gw"),
            (Vm, true, true, false, None, "c", "s"),
            (Vm, true, true, false, Vxlan, "rest", "rest"),
            (Dedicated, false, false, false, None, "c", "s"),
        ];
        for (agent, mac, ip, endpoint, tunnel, as_client, as_server) in rules {
            let side = local(agent, mac, ip, endpoint);
            let got = (
                side.point(&packet(true, tunnel)).name(),
                side.point(&packet(false, tunnel)).name(),
            );
            assert_eq!(
                got,
                (as_client, as_server),
                "{agent:?} mac {mac} ip {ip} endpoint {endpoint} {tunnel:?}"
            );
        }
    }

    #[test]
    fn an_end_wins_over_a_place_on_the_way_and_equal_macs_are_local() {
        let mut side = local(AgentKind::Pod, true, true, false);
        side.macs.insert(OTHER);
        side.ips.insert(FAR);
        side.tap_macs.insert(3, OTHER);
        // Both ends are the host's own; the interface is the receiver's.
        assert_eq!(
            side.point(&packet(true, TunnelKind::None)),
            ObservationPoint::Server
        );
        let mut same = packet(true, TunnelKind::None);
        same.dst_mac = TAP;
        assert_eq!(side.point(&same), ObservationPoint::Local);
    }
}
