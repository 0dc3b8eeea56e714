//! What the caller hands in: flows, segments, and the handle that names a flow.

/// TCP's number in the IP header.
pub const TCP: u8 = 6;
/// UDP's number in the IP header.
pub const UDP: u8 = 17;
/// ICMP's number in the IP header.
pub const ICMP: u8 = 1;
/// ICMPv6's number in the IP header; shown to parsers as [`ICMP`].
pub const ICMP6: u8 = 58;

/// TCP header flag bits (RFC 9293 section 3.1), as they stand in byte 13.
pub mod tcp_flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

/// How the bytes of a flow came to be seen. What is learned of an endpoint holds for one layer: the packets of a TLS
/// server are unreadable, the calls of its process are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// In packets.
    #[default]
    Packets,
    /// In calls of a process, in the clear.
    Calls,
    /// In calls of a process to its TLS library.
    Plaintext,
    /// In calls of a process, encrypted: only for parsers that ask for it.
    Ciphertext,
}

/// A flow as the L4 side knows it when the L7 side first hears of it. Side 0 is the client as far as is known then.
/// Written to rows as it stands; the two ends are swapped when a parser finds them the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowInfo {
    /// 64-bit id made from content (see data-plane.md); the same in every table.
    pub flow_id: u64,
    /// IP protocol number: 6, 17, 1 or 58.
    pub transport: u8,
    /// Whether the addresses are IPv4 (then the first four bytes of each hold it, the rest is zero).
    pub is_ipv4: bool,
    /// Addresses of side 0 and side 1, network order.
    pub ip: [[u8; 16]; 2],
    /// Ports of side 0 and side 1 (0 for ICMP).
    pub port: [u16; 2],
    /// True when the handshake was seen, so that a parser's verdict must not turn the direction round.
    pub direction_certain: bool,
    /// Score of the server side, 0 to 255 (deepflow-model.md section 3.6).
    pub direction_score: u8,
    /// Where the packets were seen: `c`, `s`, `rest`, ... (section 3.7).
    pub observation_point: &'static str,
    /// How the bytes came to be seen.
    pub layer: Layer,
    /// The side whose process made the calls that the bytes come from; none for packets. Rows then say `c-p` or `s-p`,
    /// whichever the side turns out to be.
    pub process_side: Option<u8>,
    /// 0 packet, 1 xFlow, 3 eBPF, 4 OTel.
    pub signal_source: u8,
    /// 0 none, 1 VXLAN, 2 IPIP, 3 GRE, 4 Geneve, 5 VXLAN-NSH.
    pub tunnel_type: u8,
    /// Lower four bytes of the capture interface's MAC address, or its index.
    pub capture_nic: u32,
    /// 0 local NIC, ... (section 1.7).
    pub capture_nic_type: u8,
    /// 3 = cloud.
    pub capture_network_type_id: u8,
    /// 0 none, 2 VIP, 4 RTOA, 6 TOA.
    pub nat_source: u8,
    /// The agent that captured.
    pub agent_id: u16,
    /// Anything of the caller's (its own flow slot); handed back in every sink call.
    pub tag: u64,
}

impl FlowInfo {
    /// An empty flow of one transport; the caller sets what it knows.
    pub fn new(flow_id: u64, transport: u8) -> Self {
        FlowInfo {
            flow_id,
            transport,
            is_ipv4: true,
            ip: [[0; 16]; 2],
            port: [0; 2],
            direction_certain: false,
            direction_score: 0,
            observation_point: "rest",
            layer: Layer::Packets,
            process_side: None,
            signal_source: 0,
            tunnel_type: 0,
            capture_nic: 0,
            capture_nic_type: 0,
            capture_network_type_id: 3,
            nat_source: 0,
            agent_id: 0,
            tag: 0,
        }
    }

    /// Where it was seen, once it is known whether the ends are the other way round.
    pub fn seen_at(&self, reversed: bool) -> &'static str {
        match self.process_side {
            Some(side) if (side & 1 == 1) == reversed => "c-p",
            Some(_) => "s-p",
            None => self.observation_point,
        }
    }
}

/// One packet's transport payload, as decoded.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Capture time, nanoseconds since the epoch.
    pub time_ns: u64,
    /// Which end sent it: 0 = side 0 of the flow's [`FlowInfo`] as given to `open`, 1 = side 1. Never changes its
    /// meaning during a flow, even when the flow is found to be reversed.
    pub direction: u8,
    /// TCP sequence number of the first payload byte (of the SYN when SYN is set); 0 for others.
    pub seq: u32,
    /// TCP acknowledgement number; looked at only when ACK is set.
    pub ack: u32,
    /// TCP flags; 0 for others.
    pub flags: u8,
    /// The captured payload bytes.
    pub payload: &'a [u8],
    /// Payload bytes on the wire; more than `payload.len()` when the snap length cut the packet.
    pub wire_len: u32,
}

/// Who made a call, as a kernel collector saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Links what a thread received to what it then sent; 0 none.
    pub trace_id: u64,
    /// 0 none.
    pub coroutine_id: u64,
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// Order among the calls on the socket.
    pub cap_seq: u32,
    /// The thread serves several requests at once: its trace id proves nothing.
    pub concurrent: bool,
    /// Name of the thread, NUL-padded.
    pub comm: [u8; 16],
}

/// The bytes of one call on a socket: they are in order already.
#[derive(Clone, Copy, Debug)]
pub struct CallSegment<'a> {
    /// Who made it.
    pub call: Call,
    /// When, nanoseconds since the epoch.
    pub time_ns: u64,
    /// Which end sent the bytes, as in [`Segment::direction`].
    pub direction: u8,
    /// Sequence number on the wire of the first byte.
    pub seq: u32,
    /// The bytes are plaintext of TLS, which has a length of its own on the wire.
    pub plaintext: bool,
    /// The start of the connection was not seen.
    pub mid_stream: bool,
    /// The captured bytes.
    pub payload: &'a [u8],
    /// Bytes of the call; what was not captured is missing behind `payload`.
    pub wire_len: u32,
}

/// Names an open flow; cheap to copy and to keep in the caller's flow slot. A stale handle does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct L7Flow {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl L7Flow {
    /// The handle of no flow: every call with it does nothing.
    pub const NONE: L7Flow = L7Flow { index: u32::MAX, generation: 0 };

    /// The number parsers know the flow by (`session_id` of the batch format); unique in an engine.
    pub fn session_id(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }
}
