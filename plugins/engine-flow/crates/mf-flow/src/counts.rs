//! Counters of a report.

/// A set of latency samples, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Sum of the samples.
    pub sum: u64,
    /// Number of samples.
    pub count: u32,
    /// The largest.
    pub max: u32,
}

impl Latency {
    /// Adds a sample given in nanoseconds (truncated to microseconds).
    #[inline]
    pub fn add_ns(&mut self, ns: u64) {
        let us = ns / 1000;
        self.sum = self.sum.saturating_add(us);
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(u32::try_from(us).unwrap_or(u32::MAX));
    }

    /// Adds all samples of `other`.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
    }

    /// The mean in microseconds, 0 without samples: the single value that `l4_flow_log` shows for rtt, rtt_client, rtt_server.
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / f64::from(self.count)
        }
    }
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets (fragments of a datagram count one each).
    pub packets: u64,
    /// Bytes of the frames on the wire.
    pub bytes: u64,
    /// Bytes behind the IP header.
    pub l3_bytes: u64,
    /// Bytes of transport payload.
    pub l4_bytes: u64,
    /// Retransmitted segments, SYN and SYN-ACK included.
    pub retrans: u32,
    /// Segments that advertised a zero window.
    pub zero_win: u32,
    /// Segments that arrived after a later one, for the first time.
    pub ooo: u32,
    /// All TCP flags seen, or-ed.
    pub tcp_flags: u8,
}

impl Traffic {
    /// Adds `other`.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.l3_bytes = self.l3_bytes.saturating_add(other.l3_bytes);
        self.l4_bytes = self.l4_bytes.saturating_add(other.l4_bytes);
        self.retrans = self.retrans.saturating_add(other.retrans);
        self.zero_win = self.zero_win.saturating_add(other.zero_win);
        self.ooo = self.ooo.saturating_add(other.ooo);
        self.tcp_flags |= other.tcp_flags;
    }
}

/// What a flow did in a second or minute, seen from its client: tx is client to server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent by the client.
    pub tx: Traffic,
    /// Sent by the server.
    pub rx: Traffic,
    /// SYN packets.
    pub syn: u32,
    /// SYN-ACK packets.
    pub synack: u32,
    /// Packets with FIN.
    pub fin: u32,
    /// SYN packets after the first.
    pub retrans_syn: u32,
    /// SYN-ACK packets after the first.
    pub retrans_synack: u32,
    /// First SYN to the ACK that completes the handshake; at most one sample in a flow's life.
    pub rtt: Latency,
    /// First SYN-ACK to that ACK: the way between the capture and the client.
    pub rtt_client: Latency,
    /// First SYN to each SYN-ACK: the way between the capture and the server.
    pub rtt_server: Latency,
    /// Data of the client to the server's pure ACK; of ICMP echo: request to reply.
    pub srt: Latency,
    /// Data of the client to the first data of the server; of UDP: request to response.
    pub art: Latency,
    /// End of the handshake or of the server's data to the client's next data.
    pub cit: Latency,
}

/// The same by side, as kept in the flow: which side is the client may change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SideCounts {
    pub traffic: Traffic,
    pub srt: Latency,
    pub art: Latency,
    pub cit: Latency,
}

/// Counters of one period of one flow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Period {
    pub sides: [SideCounts; 2],
    pub syn: u32,
    pub synack: u32,
    pub fin: u32,
    pub retrans_syn: u32,
    pub retrans_synack: u32,
    pub rtt: Latency,
    pub rtt_client: Latency,
    pub rtt_server: Latency,
}

impl Period {
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.sides.iter_mut().zip(&other.sides) {
            mine.traffic.merge(&theirs.traffic);
            mine.srt.merge(&theirs.srt);
            mine.art.merge(&theirs.art);
            mine.cit.merge(&theirs.cit);
        }
        self.syn = self.syn.saturating_add(other.syn);
        self.synack = self.synack.saturating_add(other.synack);
        self.fin = self.fin.saturating_add(other.fin);
        self.retrans_syn = self.retrans_syn.saturating_add(other.retrans_syn);
        self.retrans_synack = self.retrans_synack.saturating_add(other.retrans_synack);
        self.rtt.merge(&other.rtt);
        self.rtt_client.merge(&other.rtt_client);
        self.rtt_server.merge(&other.rtt_server);
    }

    /// Seen from the client (`client` is a side, 0 or 1): only the server's srt and art and the client's cit count.
    pub fn oriented(&self, client: usize) -> Counts {
        let [a, b] = &self.sides;
        let (client, server) = if client == 0 { (a, b) } else { (b, a) };
        Counts {
            tx: client.traffic,
            rx: server.traffic,
            syn: self.syn,
            synack: self.synack,
            fin: self.fin,
            retrans_syn: self.retrans_syn,
            retrans_synack: self.retrans_synack,
            rtt: self.rtt,
            rtt_client: self.rtt_client,
            rtt_server: self.rtt_server,
            srt: server.srt,
            art: server.art,
            cit: client.cit,
        }
    }
}
