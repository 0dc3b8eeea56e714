//! TCP measurements (reference 3.5). Each side is measured both as client and as server; the report takes what fits.

use mf_packet::transport::flags::{ACK, FIN, PSH, RST, SYN, URG};
use mf_packet::Tcp;

use super::ranges::{Seen, SeqRanges};
use super::Order;
use crate::counts::Period;

const SECOND: u64 = 1_000_000_000;
const MAX_RTT: u64 = 30 * SECOND;
const MAX_SRT: u64 = 10 * SECOND;
const MAX_ART: u64 = 30 * SECOND;

/// How far the handshake is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Handshake {
    #[default]
    Nothing,
    Syn,
    /// The client's ACK of a SYN-ACK is waited for.
    SynAck,
    /// It came; the server may not have got it and send its SYN-ACK again.
    Acked,
    /// The server sent a pure ACK: no ACK of the client completes a handshake any more.
    Done,
}

/// One side's sending.
#[derive(Debug, Default)]
struct Side {
    ranges: SeqRanges,
    /// Time of the last packet, and of the last with more than one byte of payload.
    last_ns: u64,
    data_ns: u64,
    /// The last packet was the ACK that completed the handshake.
    after_handshake: bool,
    /// The last acknowledgement number, when an ACK was seen.
    last_ack: Option<u32>,
    /// The peer pushed data at this time (0: none): the acknowledgement number that would answer it.
    owes_ack_ns: u64,
    owes_ack: u32,
    /// The peer pushed data at this time (0: none) and this side has not sent any since: what the push acknowledged.
    owes_data: u32,
    owes_data_ns: u64,
}

/// A connection's measurements.
#[derive(Debug, Default)]
pub(crate) struct TcpPerf {
    sides: [Side; 2],
    handshake: Handshake,
    /// The side that sent the SYN.
    opener: usize,
    /// The first SYN, if it came before any SYN-ACK; the first SYN-ACK.
    syn_ns: Option<u64>,
    synack_ns: Option<u64>,
    /// Bits of the sides that sent a SYN, a SYN-ACK.
    syns: u8,
    synacks: u8,
    /// The one round trip of a connection was taken.
    timed: bool,
    pub syn_seq: u32,
    pub syn_ack_seq: u32,
    pub keepalive_seq: u32,
    pub keepalive_ack: u32,
}

/// Flags that no honest stack sends: SYN with RST, none of SYN, ACK and RST, PSH or URG without ACK.
#[inline]
const fn abnormal(flags: u8) -> bool {
    flags & (SYN | RST) == SYN | RST
        || flags & (SYN | ACK | RST) == 0
        || (flags & (PSH | URG) != 0 && flags & ACK == 0)
}

impl TcpPerf {
    /// Takes a packet of `side`; tells how its payload fits what was seen before.
    #[inline]
    pub fn packet(
        &mut self,
        period: &mut Period,
        side: usize,
        tcp: &Tcp,
        payload: u32,
        now: u64,
    ) -> Order {
        let flags = tcp.flags & 0x3f;
        if flags & FIN != 0 {
            period.fin = period.fin.saturating_add(1);
        }
        if flags & RST != 0 || abnormal(flags) {
            return Order::Next;
        }
        let side = side & 1;
        if flags & SYN != 0 {
            return self.handshake(period, side, tcp, now);
        }
        let mine = &mut period.sides[side];
        if tcp.window == 0 {
            mine.traffic.zero_win = mine.traffic.zero_win.saturating_add(1);
        }
        let [a, b] = &mut self.sides;
        let (me, peer) = if side == 0 { (a, b) } else { (b, a) };
        if payload <= 1 && flags & FIN == 0 && peer.last_ack == Some(tcp.seq.wrapping_add(1)) {
            self.keepalive_seq = tcp.seq;
            self.keepalive_ack = tcp.ack;
        }
        let data = payload > 1;
        let pure_ack = flags == ACK && payload == 0;
        let pushed = flags == PSH | ACK && data;
        let expected = me.ranges.next();
        let mut order = Order::Next;
        if data {
            match me.ranges.insert(tcp.seq, payload) {
                Seen::Retransmission => {
                    mine.traffic.retrans = mine.traffic.retrans.saturating_add(1);
                    order = Order::Retransmission;
                }
                Seen::OutOfOrder => {
                    mine.traffic.ooo = mine.traffic.ooo.saturating_add(1);
                    order = Order::Late;
                }
                Seen::New | Seen::Overlap | Seen::Jump => {}
            }
        } else if payload == 1 && expected == Some(tcp.seq) {
            // A byte of its own is data when it continues the stream (a keep-alive repeats one).
            me.ranges.insert(tcp.seq, 1);
        }

        let retransmission = order == Order::Retransmission;
        // This side as the server: its ACK and its data after the peer's push.
        let since = std::mem::take(&mut me.owes_ack_ns);
        if since != 0 && pure_ack && tcp.ack == me.owes_ack && now - since <= MAX_SRT {
            mine.srt.add_ns(now - since);
        }
        if !pure_ack {
            let since = std::mem::take(&mut me.owes_data_ns);
            if since != 0 {
                // The first packet of a side that was not seen before continues what the peer acknowledged.
                if data
                    && !retransmission
                    && tcp.seq == expected.unwrap_or(me.owes_data)
                    && now - since <= MAX_ART
                {
                    mine.art.add_ns(now - since);
                }
            }
        }
        // This side as the client: how long it kept the connection idle before this push.
        if pushed && !retransmission {
            if me.after_handshake {
                mine.cit
                    .add_ns(now.saturating_sub(me.last_ns.max(peer.last_ns)));
            } else if peer.data_ns > me.data_ns {
                mine.cit.add_ns(now.saturating_sub(peer.data_ns));
            }
        }
        if data {
            // Only the last push can be answered; after a retransmission nobody knows which copy is (Karn's rule).
            peer.owes_ack_ns = if pushed && !retransmission { now } else { 0 };
            peer.owes_ack = tcp.seq.wrapping_add(payload);
            if retransmission {
                peer.owes_data_ns = 0;
            } else if pushed {
                (peer.owes_data_ns, peer.owes_data) = (now, tcp.ack);
            }
            me.data_ns = now;
        }
        me.after_handshake = false;
        if pure_ack && matches!(self.handshake, Handshake::SynAck | Handshake::Acked) {
            if side != self.opener {
                self.handshake = Handshake::Done;
            } else if self.handshake == Handshake::SynAck
                && tcp.ack == self.syn_ack_seq.wrapping_add(1)
            {
                self.handshake = Handshake::Acked;
                me.after_handshake = true;
                let first = !std::mem::replace(&mut self.timed, true);
                if let Some(syn_ns) = self
                    .syn_ns
                    .filter(|&syn_ns| first && now - syn_ns <= MAX_RTT)
                {
                    period.rtt.add_ns(now - syn_ns);
                }
                if let Some(since) = self.synack_ns.filter(|&since| now - since <= MAX_RTT) {
                    period.rtt_client.add_ns(now - since);
                }
            }
        }
        me.last_ns = now;
        if flags & ACK != 0 {
            me.last_ack = Some(tcp.ack);
        }
        order
    }

    /// SYN and SYN-ACK.
    fn handshake(&mut self, period: &mut Period, side: usize, tcp: &Tcp, now: u64) -> Order {
        let mine = &mut period.sides[side];
        let bit = 1 << side;
        let again;
        if tcp.flags & ACK == 0 {
            period.syn = period.syn.saturating_add(1);
            again = self.syns & bit != 0;
            if again {
                period.retrans_syn = period.retrans_syn.saturating_add(1);
            } else if self.syns == 0 {
                self.syn_seq = tcp.seq;
                if self.handshake == Handshake::Nothing {
                    self.syn_ns = Some(now);
                    self.opener = side;
                    self.handshake = Handshake::Syn;
                    self.sides[side].ranges.start(tcp.seq.wrapping_add(1));
                }
            }
            self.syns |= bit;
        } else {
            period.synack = period.synack.saturating_add(1);
            again = self.synacks & bit != 0;
            if again {
                period.retrans_synack = period.retrans_synack.saturating_add(1);
            }
            if self.synacks == 0 {
                self.synack_ns = Some(now);
                self.syn_ack_seq = tcp.seq;
                self.opener = side ^ 1;
                self.handshake = Handshake::SynAck;
                self.sides[side].ranges.start(tcp.seq.wrapping_add(1));
            } else if self.handshake == Handshake::Acked && side != self.opener {
                // The ACK was lost behind the capture: the next one is the handshake's again.
                self.handshake = Handshake::SynAck;
            }
            self.synacks |= bit;
            if let Some(syn_ns) = self.syn_ns.filter(|&syn_ns| now - syn_ns <= MAX_RTT) {
                period.rtt_server.add_ns(now - syn_ns);
            }
            self.sides[side].last_ack = Some(tcp.ack);
        }
        if again {
            mine.traffic.retrans = mine.traffic.retrans.saturating_add(1);
        }
        self.sides[side].last_ns = now;
        if again {
            Order::Retransmission
        } else {
            Order::Next
        }
    }
}
