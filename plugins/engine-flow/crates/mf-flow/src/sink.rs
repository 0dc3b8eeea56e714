//! The door between flows and what is made of them: streams and parsers, rows and aggregates.

use crate::{FlowReport, FlowView};

/// The direction of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Way {
    /// Client to server.
    C2s = 0,
    /// Server to client.
    S2c = 1,
}

impl Way {
    /// The other one.
    #[must_use]
    pub const fn flip(self) -> Self {
        match self {
            Self::C2s => Self::S2c,
            Self::S2c => Self::C2s,
        }
    }
}

/// A packet's contribution to a flow's streams. TCP: every packet with payload, SYN, FIN or RST, in order of capture, also
/// retransmitted ones. UDP: every datagram with payload. ICMP: echo messages.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Who sent it, as the flow's direction stands now; when the direction turns round later [`FlowSink::on_reverse`] tells.
    pub way: Way,
    /// Capture time, nanoseconds.
    pub time_ns: u64,
    /// TCP: sequence number of the packet (of a SYN: the initial one; payload starts one later). ICMP echo: `id << 16 | seq`.
    pub seq: u32,
    /// TCP: acknowledgement number when the ACK flag is set.
    pub ack: u32,
    /// TCP flags (`mf_packet::transport::flags`), 0 otherwise.
    pub flags: u8,
    /// The payload as captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire.
    pub wire_len: u32,
    /// IP protocol: 6, 17, 1 or 58.
    pub transport: u8,
    /// True when the flow table has seen all of these bytes before.
    pub retransmission: bool,
    /// True when it fills a gap before bytes that the flow table has seen.
    pub out_of_order: bool,
}

impl Segment<'_> {
    /// True when the capture cut the payload.
    pub const fn truncated(&self) -> bool {
        (self.payload.len() as u32) < self.wire_len
    }
}

/// What the L7 side knows about a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// A parser recognised the sender of a request: client and server are as the flow has them now.
    pub confirmed: bool,
    /// A parser recognised that they are the other way round.
    pub reversed: bool,
    /// The last response was free of errors (a client's RST after it is then a normal end).
    pub ok_response: bool,
}

/// Takes what a flow table finds. `Ext` is the L7 state of a flow.
pub trait FlowSink {
    /// State kept with every flow.
    type Ext: Default;

    /// A segment. `flow` has the packet already counted.
    fn on_payload(&mut self, flow: &FlowView, ext: &mut Self::Ext, segment: Segment<'_>) -> Hints;

    /// A report of a second ([`crate::ReportKind::Second`]) or of a natural minute ([`crate::ReportKind::Minute`]).
    fn on_report(&mut self, report: &FlowReport, ext: &mut Self::Ext);

    /// The end of a flow; `report` is its last minute row with the final close type. An `on_report` for the last second
    /// with `closing == true` comes right before.
    fn on_close(&mut self, report: &FlowReport, ext: Self::Ext);

    /// A second is over; `now_ns` is its end. Told before its flows are reported, and for each second of a longer silence while
    /// there are flows.
    fn on_time(&mut self, _now_ns: u64) {}

    /// Asked before each report, for hints that came after `on_payload` returned (parsers that run later). `confirmed` and
    /// `reversed` are acts: say them once. `ok_response` is a fact: say it as it stands. A sink uses this or what
    /// `on_payload` returns.
    fn hints(&mut self, _flow: &FlowView, _ext: &mut Self::Ext) -> Hints {
        Hints::default()
    }

    /// Client and server of a flow have changed places: what was c2s is s2c from now on (`flow` is already turned).
    fn on_reverse(&mut self, _flow: &FlowView, _ext: &mut Self::Ext) {}
}
