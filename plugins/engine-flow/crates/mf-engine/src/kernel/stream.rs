//! One stream of a socket: a flow of the L7 side, seen from the process.

use mf_l7::{Call, CallSegment, FlowInfo, L7Engine, L7Flow, Layer};
use mf_packet::{proto, Mixer};
use mf_segment::{flags, Kind, Record, Role};

use crate::output::Output;

/// A jump of the sequence number beyond this is no hole.
const MAX_JUMP: u32 = 1 << 30;
/// Ports from here on belong to clients, as far as one can tell.
const CLIENT_PORTS: u16 = 32768;
/// Signal source of rows.
const EBPF: u8 = 3;

/// Where the streams lead.
#[derive(Debug)]
pub struct Target<'a> {
    /// parsers and rows
    pub l7: &'a mut L7Engine,
    /// documents
    pub out: &'a mut Output,
}

/// One stream of a socket: a flow of the L7 side.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    flow: L7Flow,
    /// the side of the flow that the process is
    local: u8,
    /// the next byte's sequence number by direction (ingress, egress), while it is known
    next_seq: [Option<u32>; 2],
    last_ns: u64,
}

impl Stream {
    /// Opens a stream for a record's bytes.
    ///
    /// `since_ns` is when the flow began: with the socket and its addresses it makes the flow's id.
    pub fn open(record: &Record<'_>, role: Role, layer: Layer, since_ns: u64, to: &mut Target<'_>) -> Stream {
        let local = local_side(record, role);
        let info = flow_info(record, role, local, layer, since_ns, to.out);
        let flow = to.l7.open(&info);
        Stream { flow, local, next_seq: [None; 2], last_ns: record.time_ns }
    }

    /// Hands a record's bytes on, after a gap when its sequence number says that there is one.
    pub fn data(&mut self, record: &Record<'_>, mid_stream: bool, to: &mut Target<'_>) {
        let direction = self.direction(record.egress);
        let plaintext = record.has(flags::PLAINTEXT);
        self.last_ns = self.last_ns.max(record.time_ns);
        if let Some(expected) = self.next_seq.get_mut(usize::from(record.egress)) {
            let known = record.protocol == proto::TCP && !plaintext && record.tcp_seq != 0;
            let missing = expected.map_or(0, |expected| record.tcp_seq.wrapping_sub(expected));
            if known && (1..MAX_JUMP).contains(&missing) {
                to.l7.lose(self.flow, direction, record.time_ns, missing, to.out);
            }
            *expected = known.then(|| record.tcp_seq.wrapping_add(record.wire_len));
        }
        let segment = CallSegment {
            call: Call {
                trace_id: record.trace_id,
                coroutine_id: record.coroutine_id,
                pid: record.pid,
                tid: record.tid,
                cap_seq: record.cap_seq,
                concurrent: record.has(flags::CONCURRENT),
                comm: record.comm,
            },
            time_ns: record.time_ns,
            direction,
            seq: record.tcp_seq,
            plaintext,
            mid_stream,
            payload: record.payload,
            wire_len: record.wire_len,
        };
        to.l7.call(self.flow, &segment, to.out);
    }

    /// Bytes of a direction were not seen; how many is known.
    pub fn lost(&mut self, record: &Record<'_>, to: &mut Target<'_>) {
        self.last_ns = self.last_ns.max(record.time_ns);
        if let Some(Some(expected)) = self.next_seq.get_mut(usize::from(record.egress)) {
            *expected = expected.wrapping_add(record.wire_len);
        }
        to.l7.lose(self.flow, self.direction(record.egress), record.time_ns, record.wire_len, to.out);
    }

    /// Records are missing, nobody knows of which direction and how many bytes: the next sequence number tells of a
    /// direction that has one, else both have a gap of one byte.
    pub fn hole(&mut self, time_ns: u64, to: &mut Target<'_>) {
        for egress in [false, true] {
            if self.next_seq[usize::from(egress)].is_none() {
                to.l7.lose(self.flow, self.direction(egress), time_ns, 1, to.out);
            }
        }
    }

    /// The process turns out to be the client or the server; a parser's word counts more.
    pub fn learn(&mut self, role: Role, to: &mut Target<'_>) {
        let client = u8::from(role == Role::Server) ^ self.local;
        to.l7.set_reversed(self.flow, client == 1);
    }

    /// The end.
    pub fn close(&self, to: &mut Target<'_>) {
        to.l7.close(self.flow, to.out);
    }

    /// The time of the newest record.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    fn direction(&self, egress: bool) -> u8 {
        self.local ^ u8::from(!egress)
    }
}

/// The side of the process: 0, the client's, when that is what it is. Of an unknown one the ports tell: those from
/// 32768 on are clients', of two others the lower one is the server's.
fn local_side(record: &Record<'_>, role: Role) -> u8 {
    let is_client = match role {
        Role::Client => true,
        Role::Server => false,
        Role::Unknown => {
            let (own, other) = (record.local_port, record.remote_port);
            match (own >= CLIENT_PORTS, other >= CLIENT_PORTS) {
                (true, false) => true,
                (false, true) => false,
                _ if own == other => record.kind == Kind::Data && record.egress,
                _ => own > other,
            }
        }
    };
    u8::from(!is_client)
}

fn flow_info(record: &Record<'_>, role: Role, local: u8, layer: Layer, since_ns: u64, out: &mut Output) -> FlowInfo {
    let mut ends = [(record.local, record.local_port), (record.remote, record.remote_port)];
    if local == 1 {
        ends.swap(0, 1);
    }
    let [client, server] = ends;
    let small = u64::from(record.local_port) | u64::from(record.remote_port) << 16 | u64::from(record.protocol) << 32;
    let flow_id = Mixer::new(u64::from_le_bytes(*b"a socket"))
        .word(record.socket_id)
        .word(record.local.hi ^ record.remote.hi.rotate_left(32))
        .word(record.local.lo)
        .word(record.remote.lo)
        .word(small)
        .word(since_ns)
        .finish()
        .max(1);
    let known = role != Role::Unknown;
    let mut info = FlowInfo {
        is_ipv4: record.is_ipv4,
        port: [client.1, server.1],
        direction_certain: known,
        direction_score: if known { u8::MAX } else { 0 },
        layer,
        process_side: Some(local),
        signal_source: EBPF,
        ..FlowInfo::new(flow_id, record.protocol)
    };
    out.open_socket(&mut info, [client.0, server.0]);
    info
}
