//! Reports of a flow.

use crate::{CloseType, Counts, Endpoint, FlowStatus, ObservationPoint, State};

/// What a report covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// One second of capture time (input of the network metrics).
    Second,
    /// A natural minute of a flow that goes on (a row of `l4_flow_log`, close type forced report).
    Minute,
    /// The last, possibly partial, minute of a flow that ended (a row of `l4_flow_log`).
    Close,
}

/// A flow in a second or minute. Everything is seen from the client.
#[derive(Clone, Debug)]
pub struct FlowReport {
    /// What it covers.
    pub kind: ReportKind,
    /// The flow's id.
    pub flow_id: u64,
    /// First packet of the flow, nanoseconds.
    pub flow_start_ns: u64,
    /// Start of the period: the natural second or minute, nanoseconds.
    pub period_ns: u64,
    /// First packet in the period (of the flow, when it began here), nanoseconds.
    pub start_ns: u64,
    /// Last packet so far, nanoseconds.
    pub end_ns: u64,
    /// True in the first report of this kind.
    pub is_new_flow: bool,
    /// True in the last `Second` and in `Close`.
    pub closing: bool,
    /// How the flow ended, or forced report.
    pub close_type: CloseType,
    /// Derived from the close type.
    pub status: FlowStatus,
    /// State of the flow.
    pub state: State,
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// IP protocol, 0 for frames without IP.
    pub protocol: u8,
    /// Ethernet type.
    pub eth_type: u16,
    /// Inner VLAN id.
    pub vlan: u16,
    /// Interface of the first packet.
    pub interface: u16,
    /// IPv4 identification of the first packet.
    pub init_ipid: u16,
    /// Where the capture stands.
    pub observation_point: ObservationPoint,
    /// Score of the server; 255 is certain.
    pub direction_score: u8,
    /// TCP: the start of the connection was not captured.
    pub mid_stream: bool,
    /// Sequence number of the first SYN, 0 when not seen.
    pub syn_seq: u32,
    /// Sequence number of the first SYN-ACK, 0 when not seen.
    pub syn_ack_seq: u32,
    /// Sequence number of the last keep-alive, 0 without one.
    pub last_keepalive_seq: u32,
    /// Its acknowledgement number.
    pub last_keepalive_ack: u32,
    /// Counters of the period.
    pub counts: Counts,
    /// Packets of the client since the flow began.
    pub total_packet_tx: u64,
    /// Packets of the server since the flow began.
    pub total_packet_rx: u64,
    /// Bytes of the client since the flow began.
    pub total_byte_tx: u64,
    /// Bytes of the server since the flow began.
    pub total_byte_rx: u64,
}

impl FlowReport {
    /// Last packet minus first packet of the flow, microseconds.
    pub const fn duration_us(&self) -> u64 {
        self.end_ns.saturating_sub(self.flow_start_ns) / 1000
    }
}
