//! One socket and its streams: what it says in the clear, its ciphertext beside that, the peers of a datagram socket.

use std::collections::BTreeMap;

use mf_l7::Layer;
use mf_packet::{proto, Addr, Counters};
use mf_segment::{flags, Kind, Record, Role};

use super::order::Order;
use super::stream::{Stream, Target};

/// What all sockets share.
#[derive(Debug)]
pub struct Shared {
    /// streams that may be open at once
    pub most: usize,
    /// streams that are
    pub streams: usize,
    /// a parser wants to see ciphertext
    pub ciphertext: bool,
    /// what happened
    pub counters: Counters,
}

/// One socket.
#[derive(Debug, Default)]
pub struct Socket {
    /// its records, in order
    pub order: Order,
    /// the time of the newest record
    pub last_ns: u64,
    /// the second its timer stands at, 0 none
    pub timer: u64,
    /// whether it is in the list of sockets with holes
    pub listed: bool,
    first_ns: u64,
    role: Role,
    /// the start of the connection was not seen
    mid_stream: bool,
    /// what comes from system calls is ciphertext from here on
    encrypted: bool,
    /// closed for ingress and for egress
    closed: [bool; 2],
    stream: Option<Stream>,
    ciphertext: Option<Stream>,
    /// of a datagram socket, a stream for each peer
    peers: BTreeMap<(Addr, u16), Stream>,
}

/// What is left to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A connection.
    Open,
    /// Datagrams.
    Datagrams,
    /// One direction is closed.
    Closing,
    /// Both are.
    Closed,
}

impl Socket {
    /// See [`Phase`].
    pub fn phase(&self) -> Phase {
        match (self.closed, self.peers.is_empty()) {
            ([true, true], _) => Phase::Closed,
            ([false, false], true) => Phase::Open,
            ([false, false], false) => Phase::Datagrams,
            _ => Phase::Closing,
        }
    }

    fn streams(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.stream.iter_mut().chain(&mut self.ciphertext).chain(self.peers.values_mut())
    }

    /// Acts on a record whose turn it is.
    pub fn act(&mut self, record: &Record<'_>, shared: &mut Shared, to: &mut Target<'_>) {
        if self.first_ns == 0 {
            self.first_ns = record.time_ns;
        }
        self.last_ns = self.last_ns.max(record.time_ns);
        self.mid_stream |= record.has(flags::MID_STREAM);
        if self.role == Role::Unknown && record.role != Role::Unknown {
            self.role = record.role;
            self.streams().for_each(|stream| stream.learn(record.role, to));
        }
        match record.kind {
            Kind::Open => {}
            // It has its place among the socket's records: a reader that left it out would wait for it.
            Kind::Retransmitted => shared.counters.hit("segment", "retransmitted"),
            Kind::Close => self.closed[usize::from(record.egress)] = true,
            Kind::Data | Kind::Lost if record.wire_len == 0 => {}
            Kind::Data | Kind::Lost => self.bytes(record, shared, to),
        }
    }

    /// Bytes, seen or lost, to the stream that they belong to.
    fn bytes(&mut self, record: &Record<'_>, shared: &mut Shared, to: &mut Target<'_>) {
        let (datagram, plaintext) = (record.protocol != proto::TCP, record.has(flags::PLAINTEXT));
        let marked = record.has(flags::CIPHERTEXT) && !plaintext;
        let fresh = self.stream.is_none() && self.ciphertext.is_none();
        // A connection that speaks TLS does not go back to speak in the clear.
        self.encrypted |= !datagram && (plaintext || marked || is_tls(record, fresh));
        let encrypted = !plaintext && (self.encrypted || marked);
        if encrypted && !shared.ciphertext {
            return shared.counters.add("segment", "ciphertext_bytes", u64::from(record.wire_len));
        }
        let peer = (record.remote, record.remote_port);
        let found = match (encrypted, datagram) {
            (true, _) => self.ciphertext.as_mut(),
            (false, true) => self.peers.get_mut(&peer),
            (false, false) => self.stream.as_mut(),
        };
        let lost = record.kind == Kind::Lost;
        if lost {
            shared.counters.add("segment", "lost_bytes", u64::from(record.wire_len));
        }
        let stream = match found {
            Some(stream) => stream,
            // What is lost before the first bytes makes a stream that starts in the middle.
            None if lost => return self.mid_stream = true,
            None if shared.streams >= shared.most => {
                return shared.counters.hit("segment", "records_of_flows_beyond_max_flows");
            }
            None => {
                shared.streams += 1;
                let layer = match (encrypted, plaintext) {
                    (true, _) => Layer::Ciphertext,
                    (_, true) => Layer::Plaintext,
                    _ => Layer::Calls,
                };
                let since_ns = if datagram { record.time_ns } else { self.first_ns };
                let stream = Stream::open(record, self.role, layer, since_ns, to);
                match (encrypted, datagram) {
                    (true, _) => self.ciphertext.insert(stream),
                    (false, true) => self.peers.entry(peer).or_insert(stream),
                    (false, false) => self.stream.insert(stream),
                }
            }
        };
        if lost {
            stream.lost(record, to);
        } else {
            stream.data(record, self.mid_stream, to);
        }
    }

    /// `missing` records will not come. A lost datagram is no hole in the next one.
    pub fn hole(&mut self, missing: u32, now_ns: u64, shared: &mut Shared, to: &mut Target<'_>) {
        if self.first_ns == 0 {
            // It was forgotten, or the collector began to tell of it late.
            self.mid_stream = true;
            return shared.counters.hit("segment", "sockets_seen_late");
        }
        shared.counters.add("segment", "records_missing", u64::from(missing));
        self.mid_stream |= self.stream.is_none() && self.ciphertext.is_none();
        for stream in self.stream.iter_mut().chain(&mut self.ciphertext) {
            stream.hole(now_ns, to);
        }
    }

    /// Ends the streams to peers that were silent since `before_ns`.
    pub fn end_silent_peers(&mut self, before_ns: u64, shared: &mut Shared, to: &mut Target<'_>) {
        self.peers.retain(|_, stream| {
            let stays = stream.last_ns() >= before_ns;
            if !stays {
                shared.streams -= 1;
                stream.close(to);
            }
            stays
        });
    }

    /// Ends everything.
    pub fn end(&mut self, shared: &mut Shared, to: &mut Target<'_>) {
        let peers = std::mem::take(&mut self.peers);
        for stream in self.stream.take().into_iter().chain(self.ciphertext.take()).chain(peers.into_values()) {
            shared.streams -= 1;
            stream.close(to);
        }
    }
}

/// Whether the bytes of a call show that a connection speaks TLS (RFC 8446, 5.1 and 4): a handshake record that begins
/// with a hello which fits into it, or the head of a record alone (libraries read it before the rest). Of a connection
/// that nothing was seen of yet any record will do.
fn is_tls(record: &Record<'_>, fresh: bool) -> bool {
    let Some((&[kind, 3, 0..=4, high, low], rest)) = record.payload.split_first_chunk::<5>() else { return false };
    let length = u32::from(high) << 8 | u32::from(low);
    if length == 0 || length > (1 << 14) + 256 {
        return false;
    }
    match (kind, rest.first_chunk::<4>()) {
        (22, Some(&[1 | 2, a, b, c])) => u32::from_be_bytes([0, a, b, c]) + 4 <= length,
        (22, None) => record.wire_len == 5,
        (20..=23, _) => fresh && (record.wire_len == 5 || length + 5 <= record.wire_len),
        _ => false,
    }
}
