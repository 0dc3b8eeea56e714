//! Options of a flow table.

use crate::observe::LocalSide;

/// Timeouts of the flow states, nanoseconds. The defaults are those of the reference (3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Handshake not finished; also a non-TCP flow that has seen one direction only.
    pub opening: u64,
    /// TCP with the handshake done (or assumed).
    pub established: u64,
    /// One side has closed; also a non-TCP flow that has seen both directions.
    pub closing: u64,
    /// RST on an established connection.
    pub established_rst: u64,
    /// Packets that fit no state.
    pub exception: u64,
    /// Both sides have closed.
    pub closed_fin: u64,
    /// Packets in one direction only.
    pub single_direction: u64,
    /// RST by the client right after the SYN-ACK.
    pub opening_rst: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            opening: 5 * SECOND,
            established: 300 * SECOND,
            closing: 5 * SECOND,
            established_rst: 35 * SECOND,
            exception: 5 * SECOND,
            closed_fin: 2 * SECOND,
            single_direction: 5 * SECOND,
            opening_rst: SECOND,
        }
    }
}

/// Options of a flow table.
#[derive(Clone, Debug)]
pub struct Config {
    /// Most flows at once. When a new flow comes to a full table the flow that would time out soonest gives way (half-open
    /// and closing flows go first, established ones by least recent use); each is counted as `flow/evicted_table_full`.
    pub max_flows: usize,
    /// State timeouts.
    pub timeouts: Timeouts,
    /// Tells equal addresses on two interfaces of a source apart. Off: a flow seen at two interfaces is one flow.
    pub key_interface: bool,
    /// Tells equal addresses in two tunnels (VNI, GRE key) apart.
    pub key_tunnel_id: bool,
    /// Ports that are servers by configuration (score 253), ascending.
    pub server_ports: Vec<u16>,
    /// Services remembered for the direction score: IPv4 and IPv6 (3.6).
    pub services_v4: usize,
    /// See `services_v4`.
    pub services_v6: usize,
    /// Packets older than the newest by more than this are counted as `flow/late_packet` (they are used all the same).
    pub late_ns: u64,
    /// The same packet again within this time is left out and counted as `flow/duplicate_packet`, whatever VLAN or tunnel it comes
    /// in; 0: only what another interface or source sees of the same flow is a copy, the rest was sent again.
    pub duplicate_ns: u64,
    /// Which addresses belong to the capturing host, for the observation point.
    pub local: LocalSide,
    /// Seed of the table's hash; none takes a random one. It never changes what is reported.
    pub hash_seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_flows: 131_072,
            timeouts: Timeouts::default(),
            key_interface: false,
            key_tunnel_id: true,
            server_ports: Vec::new(),
            services_v4: 2048,
            services_v6: 256,
            late_ns: SECOND,
            duplicate_ns: 0,
            local: LocalSide::default(),
            hash_seed: None,
        }
    }
}
