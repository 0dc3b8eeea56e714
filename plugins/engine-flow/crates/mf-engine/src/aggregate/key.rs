//! What a document is about: one end of a path, or both.

use mf_packet::{Addr, Mixer};

/// Whose end of the path a one-ended document describes (deepflow-model 1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// the end that asked
    Client = 0,
    /// the end that answered
    Server = 1,
}

/// Both ends of a path and the place where it was seen: the tags of the `_map` tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// server's address first: the order of the tables' primary key
    pub server: Addr,
    /// client's address
    pub client: Addr,
    /// whether the addresses are IPv4
    pub is_ipv4: bool,
    /// 0 without ports
    pub server_port: u16,
    /// the port is certainly a service (direction score 255)
    pub is_key_service: bool,
    /// IP protocol number
    pub protocol: u8,
    /// where the packets were seen (deepflow-model 3.7)
    pub observation_point: &'static str,
    /// lower four bytes of the capture interface's MAC address, or its index
    pub capture_nic: u32,
    /// kind of the capture interface
    pub capture_nic_type: u8,
    /// 3 = cloud
    pub capture_network_type_id: u8,
    /// outermost tunnel (deepflow-model 1.3)
    pub tunnel_type: u8,
    /// 0 none, 2 VIP, 4 RTOA, 6 TOA
    pub nat_source: u8,
    /// the agent that captured
    pub agent_id: u16,
    /// 0 packet, 1 xFlow, 3 eBPF, 4 OTel
    pub signal_source: u16,
}

/// One end of a path: the tags of the one-ended tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// this end's address
    pub ip: Addr,
    /// whether it is IPv4
    pub is_ipv4: bool,
    /// the *server's* port, whichever end this is
    pub server_port: u16,
    /// the port is certainly a service (direction score 255)
    pub is_key_service: bool,
    /// IP protocol number
    pub protocol: u8,
    /// which end it is
    pub role: Role,
    /// 3 = cloud
    pub capture_network_type_id: u8,
    /// the agent that captured
    pub agent_id: u16,
    /// 0 packet, 1 xFlow, 3 eBPF, 4 OTel
    pub signal_source: u16,
}

impl Path {
    /// The path's hash, begun with a seed.
    pub fn hash(&self, seed: u64) -> u64 {
        let small = u64::from(self.server_port)
            | u64::from(self.protocol) << 16
            | u64::from(self.is_ipv4) << 24
            | u64::from(self.is_key_service) << 25
            | u64::from(self.capture_nic) << 32;
        let rest = u64::from(self.agent_id)
            | u64::from(self.tunnel_type) << 16
            | u64::from(self.nat_source) << 24
            | u64::from(self.signal_source) << 32
            | u64::from(self.capture_nic_type) << 40
            | u64::from(self.capture_network_type_id) << 48
            | (self.observation_point.len() as u64) << 56;
        let first = self.observation_point.bytes().next().unwrap_or(0);
        Mixer::new(seed)
            .word(self.server.hi ^ self.client.hi.rotate_left(32))
            .word(self.server.lo)
            .word(self.client.lo)
            .word(small)
            .word(rest ^ u64::from(first) << 56)
            .finish()
    }

    /// The ends that this path describes. A path seen at one end describes that end alone (the other host's agent tells
    /// of the other); seen anywhere else it describes both.
    pub fn ends(&self) -> [Option<End>; 2] {
        let [client, server] = match self.observation_point {
            "c" | "c-p" | "c-app" => [true, false],
            "s" | "s-p" | "s-app" => [false, true],
            "local" | "rest" | "app" => [true, true],
            // A gateway, hypervisor or node in between tells of the path, not of its ends.
            _ => [false, false],
        };
        [client.then(|| self.end(Role::Client, self.client)), server.then(|| self.end(Role::Server, self.server))]
    }

    fn end(&self, role: Role, ip: Addr) -> End {
        End {
            ip,
            is_ipv4: self.is_ipv4,
            server_port: self.server_port,
            is_key_service: self.is_key_service,
            protocol: self.protocol,
            role,
            capture_network_type_id: self.capture_network_type_id,
            agent_id: self.agent_id,
            signal_source: self.signal_source,
        }
    }
}

impl End {
    /// The end's hash, begun with a seed.
    pub fn hash(&self, seed: u64) -> u64 {
        let small = u64::from(self.server_port)
            | u64::from(self.protocol) << 16
            | u64::from(self.role as u8) << 24
            | u64::from(self.agent_id) << 32
            | u64::from(self.capture_network_type_id) << 48
            | u64::from(self.signal_source) << 56;
        Mixer::new(seed)
            .word(self.ip.hi)
            .word(self.ip.lo)
            .word(small ^ u64::from(self.is_ipv4) << 31 ^ u64::from(self.is_key_service) << 30)
            .finish()
    }
}
