//! One flow as the table keeps it.

use mf_packet::transport::flags::{ACK, FIN, PSH, RST, SYN};

use crate::counts::Period;
use crate::perf::Perf;
use crate::table::{Alias, SECOND};
use crate::{CloseType, FlowReport, FlowView, Key, ReportKind, State};

/// The order of the fields is that of their use: with many flows each packet finds its flow in no cache, and what a packet
/// touches should lie in few lines.
#[repr(C)]
pub(crate) struct Flow<E> {
    pub key: Key,
    /// Counts up when the slot gets a new flow, so that old timer and list entries are recognised.
    pub generation: u32,
    pub alive: bool,
    pub state: State,
    pub in_tick: bool,
    pub in_minute: bool,
    /// This flow's own handshake told who the server is.
    pub certain: bool,
    /// The last response was good: as returned with a segment, and as last asked for.
    pub ok_response: bool,
    pub ok_later: bool,
    /// All flags of each side, or-ed.
    pub flags: [u8; 2],
    pub timeout_ns: u64,
    pub last_ns: u64,
    /// When its newest packet came, where the packet was older than the clock by then: silence is counted from here.
    pub came_ns: u64,
    /// The second its timer entry is in.
    pub timer_at: u64,
    pub tick_start_ns: u64,
    pub total_packets: [u64; 2],
    pub total_bytes: [u64; 2],
    pub tick: Period,
    pub perf: Perf,
    pub view: FlowView,
    pub ext: E,
    pub hash: u64,
    /// The side that sent the first RST.
    pub first_rst: Option<u8>,
    pub second_reported: bool,
    pub minute_reported: bool,
    pub minute_start_ns: u64,
    pub minute: Period,
    /// The key of what its second side sends, where VLAN or tunnel differ.
    pub alias: Option<Box<Alias>>,
}

impl<E> Flow<E> {
    pub fn is_tcp(&self) -> bool {
        matches!(self.perf, Perf::Tcp(_))
    }

    /// When its patience ends, nanoseconds.
    #[inline]
    pub fn deadline_ns(&self) -> u64 {
        self.last_ns
            .max(self.came_ns)
            .saturating_add(self.timeout_ns)
    }

    /// The second in which its patience ends.
    #[inline]
    pub fn deadline(&self) -> u64 {
        self.deadline_ns().div_ceil(SECOND)
    }

    /// The connection is over: reset, or closed by both sides.
    pub fn ended(&self) -> bool {
        (self.flags[0] | self.flags[1]) & RST != 0 || self.flags[0] & self.flags[1] & FIN != 0
    }

    /// The close type (3.4). `cut` says that the input ended, not the flow's patience.
    pub fn close_type(&self, cut: bool) -> CloseType {
        let client = usize::from(self.view.client & 1);
        let server = client ^ 1;
        let server_rst = self.flags[server] & RST != 0;
        let rst_first_by_server = self.first_rst == Some(server as u8);
        if self.is_tcp() && self.flags[client] & RST != 0 && !server_rst {
            let health_check = self.flags[client] & (SYN | RST) == SYN | RST
                && self.flags[server] & (SYN | ACK) == SYN | ACK
                && (self.flags[0] | self.flags[1]) & PSH == 0;
            if health_check || self.ok_response || self.ok_later {
                return CloseType::TcpFinClientRst;
            }
        }
        match self.state {
            State::Raw | State::Exception => CloseType::Unknown,
            State::ClosingTx2 | State::ClosingRx2 | State::Closed => CloseType::Finish,
            State::Established if !self.is_tcp() => CloseType::Finish,
            State::Established if cut => CloseType::ForcedReport,
            State::Established => CloseType::Timeout,
            State::Reset if server_rst => CloseType::TcpServerRst,
            State::Reset => CloseType::TcpClientRst,
            State::ServerCandidateQueueLack if self.total_packets[server] <= 3 => {
                CloseType::TcpClientRst
            }
            State::SynAck1 | State::ServerCandidateQueueLack => CloseType::ServerQueueLack,
            State::Opening1 => CloseType::ClientSynRepeat,
            State::ClosingTx1 => CloseType::ServerHalfClose,
            State::Opening2 => CloseType::ServerSynAckRepeat,
            State::ClosingRx1 => CloseType::ClientHalfClose,
            State::Syn1 | State::ClientL4PortReuse => CloseType::ClientSourcePortReuse,
            State::ServerReset => CloseType::ServerReset,
            State::EstablishReset | State::OpeningRst if rst_first_by_server => {
                CloseType::ServerEstablishReset
            }
            State::EstablishReset | State::OpeningRst => CloseType::ClientEstablishReset,
        }
    }

    /// A report of `period`.
    pub fn report(
        &self,
        kind: ReportKind,
        period: &Period,
        period_ns: u64,
        close_type: CloseType,
    ) -> FlowReport {
        let client = usize::from(self.view.client & 1);
        let server = client ^ 1;
        let (syn_seq, syn_ack_seq, last_keepalive_seq, last_keepalive_ack) = match &self.perf {
            Perf::Tcp(tcp) => (
                tcp.syn_seq,
                tcp.syn_ack_seq,
                tcp.keepalive_seq,
                tcp.keepalive_ack,
            ),
            _ => (0, 0, 0, 0),
        };
        let second = kind == ReportKind::Second;
        let start_ns = if second {
            self.tick_start_ns
        } else {
            self.minute_start_ns
        };
        FlowReport {
            kind,
            flow_id: self.view.flow_id,
            flow_start_ns: self.view.start_ns,
            period_ns,
            start_ns,
            end_ns: self.last_ns,
            is_new_flow: if second {
                !self.second_reported
            } else {
                !self.minute_reported
            },
            closing: kind == ReportKind::Close,
            close_type,
            status: close_type.status(self.is_tcp()),
            state: self.state,
            client: *self.view.client(),
            server: *self.view.server(),
            protocol: self.view.protocol,
            eth_type: self.view.eth_type,
            vlan: self.view.vlan,
            interface: self.view.interface,
            init_ipid: self.view.init_ipid,
            observation_point: self.view.observation_point,
            direction_score: self.view.direction_score,
            mid_stream: self.view.mid_stream,
            syn_seq,
            syn_ack_seq,
            last_keepalive_seq,
            last_keepalive_ack,
            counts: period.oriented(client),
            total_packet_tx: self.total_packets[client],
            total_packet_rx: self.total_packets[server],
            total_byte_tx: self.total_bytes[client],
            total_byte_rx: self.total_bytes[server],
        }
    }
}
