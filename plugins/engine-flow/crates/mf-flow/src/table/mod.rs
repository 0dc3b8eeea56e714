//! The flow table.

mod copies;
mod direction;
mod halves;
mod time;

use std::hash::{BuildHasher, RandomState};

use mf_packet::transport::flags::{ACK, FIN, RST, SYN};
use mf_packet::{Counters, Packet, Tcp, Transport};

use crate::counts::Period;
use crate::flow::Flow;
use crate::index::Index;
use crate::perf::{EchoPerf, Order, Perf, TcpPerf, UdpPerf};
use crate::service::Services;
use crate::timer::{Entry, Wheel};
use crate::{
    Config, Endpoint, FlagClass, FlowSink, FlowView, Hints, Key, ObservationPoint, Segment, State,
    TimeoutClass, Way,
};

use copies::Copies;
pub(crate) use halves::Alias;
use halves::{hash_of, Halves};

pub(crate) const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
/// This many packets in a row that are older than the clock by more than [`STEP_BACK`] mean that time really stepped back
/// (files that were not merged by time, or one packet with a wild timestamp before them).
const STEP_BACK_RUN: u32 = 64;
const STEP_BACK: u64 = MINUTE;

/// Flows by key. `E` is the L7 state kept with each flow.
pub struct FlowTable<E> {
    config: Config,
    seed: u64,
    index: Index,
    halves: Halves,
    copies: Copies,
    source: u32,
    flows: Vec<Flow<E>>,
    free: Vec<u32>,
    wheel: Wheel,
    services_v4: Services,
    services_v6: Services,
    /// Flows with packets in the current second and minute, in order of their first packet there.
    active: Vec<Entry>,
    minute: Vec<Entry>,
    /// The current second (since 1970), none before the first packet.
    second: Option<u64>,
    /// Where it ends, nanoseconds; 0 before the first packet.
    second_ends_ns: u64,
    newest_ns: u64,
    late_run: u32,
    counters: Counters,
}

impl<E: Default> FlowTable<E> {
    /// An empty table.
    pub fn new(config: Config) -> Self {
        let seed = config
            .hash_seed
            .unwrap_or_else(|| RandomState::new().hash_one(0u64));
        Self {
            seed,
            index: Index::new(),
            halves: Halves::new(),
            copies: Copies::new(config.duplicate_ns),
            source: 0,
            flows: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::new(),
            services_v4: Services::new(config.services_v4),
            services_v6: Services::new(config.services_v6),
            active: Vec::new(),
            minute: Vec::new(),
            second: None,
            second_ends_ns: 0,
            newest_ns: 0,
            late_run: 0,
            counters: Counters::new(),
            config,
        }
    }

    /// Flows at this moment (the `flow_load` gauge).
    pub fn len(&self) -> usize {
        self.flows.len() - self.free.len()
    }

    /// True when there is no flow.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was not used as it came, by stage (`flow`) and reason.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The packets that follow were captured by this source (a file, a card).
    pub fn source(&mut self, source: u32) {
        self.source = source;
    }

    /// Whether taking this packet reports flows or turns one round, so that everything that parsers can say of what came
    /// before should be said first. (A flow that must give way in a full table is reported without.)
    #[inline]
    pub fn settles(&self, packet: &Packet<'_>) -> bool {
        let now = packet.time_ns;
        if now >= self.newest_ns {
            if now >= self.second_ends_ns && self.second.is_some() {
                return true;
            }
        } else if self.newest_ns - now > STEP_BACK && self.late_run + 1 >= STEP_BACK_RUN {
            return true;
        }
        match &packet.transport {
            Transport::Tcp(tcp) if tcp.flags & (SYN | RST) == SYN => self.turns(packet, tcp),
            _ => false,
        }
    }

    /// Whether a SYN or SYN-ACK ends the flow that it belongs to, or turns it round.
    #[inline(never)]
    fn turns(&self, packet: &Packet<'_>, tcp: &Tcp) -> bool {
        let (key, side) = Key::of(packet, self.config.key_interface, self.config.key_tunnel_id);
        let Some(slot) = self.find(key.hash(self.seed), &key) else {
            return false;
        };
        if tcp.flags & (SYN | ACK | RST | FIN) == SYN && self.begins_anew(slot, tcp) {
            return true;
        }
        let answer = tcp.flags & ACK != 0;
        let opener = if answer { side ^ 1 } else { side };
        self.flows.get(slot as usize).is_some_and(|flow| {
            (!flow.certain || answer) && usize::from(flow.view.client) != opener
        })
    }

    /// The flow of a key, under its own key or the one of its other half.
    #[inline]
    fn find(&self, hash: u64, key: &Key) -> Option<u32> {
        let flows = &self.flows;
        self.index.find(hash, |cell| {
            flows.get(cell.slot as usize).is_some_and(|flow| {
                if cell.alias {
                    let alias = flow.alias.as_ref();
                    alias.is_some_and(|alias| alias.key.same(key))
                } else {
                    flow.key.same(key)
                }
            })
        })
    }

    /// Takes a packet.
    pub fn push<S: FlowSink<Ext = E>>(&mut self, packet: &Packet<'_>, sink: &mut S) {
        self.clock(packet.time_ns, sink);
        let (key, side) = Key::of(packet, self.config.key_interface, self.config.key_tunnel_id);
        if self.copies.has(self.source, &key, side, packet) {
            self.counters
                .add("flow", "duplicate_packet", packet.frames.into());
            return;
        }
        let hash = key.hash(self.seed);
        let mut slot = self.find(hash, &key);
        if let (Some(at), Transport::Tcp(tcp)) = (slot, &packet.transport) {
            if tcp.flags & (SYN | ACK | RST | FIN) == SYN && self.begins_anew(at, tcp) {
                self.close(at, false, sink);
                slot = None;
            }
        }
        let slot = match slot {
            Some(slot) => slot,
            None => match self.begin(&key, hash, side, packet, sink) {
                Some(slot) => slot,
                None => return,
            },
        };
        self.account(slot, side, packet, sink);
    }

    /// The flow of a packet whose way is not known.
    #[inline(never)]
    fn begin<S: FlowSink<Ext = E>>(
        &mut self,
        key: &Key,
        hash: u64,
        side: usize,
        packet: &Packet<'_>,
        sink: &mut S,
    ) -> Option<u32> {
        self.join(key, hash, side, packet)
            .or_else(|| self.open(*key, hash, side, packet, sink))
    }

    /// Tells the time when no packet does: seconds and minutes are reported and flows time out.
    pub fn tick<S: FlowSink<Ext = E>>(&mut self, now_ns: u64, sink: &mut S) {
        if self.second.is_some() && now_ns > self.newest_ns {
            self.newest_ns = now_ns;
            self.advance(now_ns / SECOND, sink);
        }
    }

    /// The end of the input: everything is reported and closed, flows in the order in which they began. An established TCP
    /// flow is still alive, so its close type is forced report; every other state says how it would have ended.
    pub fn finish<S: FlowSink<Ext = E>>(&mut self, sink: &mut S) {
        let Some(second) = self.second else { return };
        self.flush_second(second, sink);
        let mut alive: Vec<(u64, u64, u32)> = (0u32..)
            .zip(&self.flows)
            .filter(|(_, flow)| flow.alive)
            .map(|(slot, flow)| (flow.view.start_ns, flow.view.flow_id, slot))
            .collect();
        alive.sort_unstable();
        for (_, _, slot) in alive {
            self.close_at(slot, second, true, sink);
        }
        self.minute.clear();
        self.second = None;
        self.second_ends_ns = 0;
        self.newest_ns = 0;
    }

    /// A SYN on a connection that is over, with another initial sequence number, begins a new flow.
    fn begins_anew(&self, slot: u32, tcp: &Tcp) -> bool {
        self.flows.get(slot as usize).is_some_and(|flow| {
            flow.ended() && !matches!(&flow.perf, Perf::Tcp(perf) if perf.syn_seq == tcp.seq)
        })
    }

    fn open<S: FlowSink<Ext = E>>(
        &mut self,
        key: Key,
        hash: u64,
        side: usize,
        packet: &Packet<'_>,
        sink: &mut S,
    ) -> Option<u32> {
        if self.len() >= self.config.max_flows && !self.make_room(sink) {
            self.counters.hit("flow", "refused_table_full");
            return None;
        }
        let (src, dst) = packet.addresses();
        let (src_port, dst_port) = packet.ports();
        let sender = Endpoint {
            addr: src,
            port: src_port,
            mac: packet.src_mac,
            tunnel: packet.tunnel,
        };
        let receiver = Endpoint {
            addr: dst,
            port: dst_port,
            mac: packet.dst_mac,
            tunnel: Default::default(),
        };
        let (perf, mid_stream) = match &packet.transport {
            Transport::Tcp(tcp) => (Perf::Tcp(TcpPerf::default()), tcp.flags & SYN == 0),
            Transport::Udp(_) => (Perf::Udp(UdpPerf::default()), false),
            Transport::Icmp(_) => (Perf::Echo(EchoPerf::default()), false),
            Transport::None => (Perf::None, false),
        };
        let view = FlowView {
            flow_id: key.flow_id(packet.time_ns),
            start_ns: packet.time_ns,
            ends: if side == 0 {
                [sender, receiver]
            } else {
                [receiver, sender]
            },
            client: side as u8,
            protocol: packet.protocol,
            direction_score: 0,
            mid_stream,
            eth_type: packet.eth_type,
            vlan: packet.vlan,
            interface: packet.interface,
            init_ipid: packet.ip_id,
            observation_point: if self.config.local.is_empty() {
                ObservationPoint::Rest
            } else {
                self.config.local.point(packet)
            },
        };
        let reused = self.free.pop();
        let slot = reused.unwrap_or(self.flows.len() as u32);
        let generation = self
            .flows
            .get(slot as usize)
            .map_or(0, |flow| flow.generation);
        let flow = Flow {
            key,
            hash,
            generation,
            alive: true,
            state: State::Raw,
            in_tick: false,
            in_minute: false,
            second_reported: false,
            minute_reported: false,
            certain: false,
            ok_response: false,
            ok_later: false,
            flags: [0; 2],
            first_rst: None,
            timeout_ns: 0,
            last_ns: packet.time_ns,
            came_ns: 0,
            timer_at: u64::MAX,
            view,
            tick: Period::default(),
            perf,
            tick_start_ns: packet.time_ns,
            minute_start_ns: packet.time_ns,
            total_packets: [0; 2],
            total_bytes: [0; 2],
            minute: Period::default(),
            alias: None,
            ext: E::default(),
        };
        self.halves
            .began(flow.key.loose_hash(self.seed), (slot, generation));
        match self.flows.get_mut(slot as usize) {
            Some(place) => *place = flow,
            None => self.flows.push(flow),
        }
        let flows = &self.flows;
        self.index.insert(hash, slot, |cell| hash_of(flows, cell));
        self.first_packet(slot, packet);
        Some(slot)
    }

    /// Counts a packet, moves the state and the timer, and hands its segment on.
    fn account<S: FlowSink<Ext = E>>(
        &mut self,
        slot: u32,
        side: usize,
        packet: &Packet<'_>,
        sink: &mut S,
    ) {
        if let Transport::Tcp(tcp) = &packet.transport {
            if tcp.flags & (SYN | RST) == SYN {
                self.handshake(slot, side, tcp.flags & ACK != 0, sink);
            }
        }
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return;
        };
        let now = packet.time_ns;
        if !flow.in_tick {
            flow.in_tick = true;
            flow.tick_start_ns = now;
            self.active.push((slot, flow.generation));
            if !flow.in_minute {
                flow.in_minute = true;
                flow.minute_start_ns = now;
                self.minute.push((slot, flow.generation));
            }
        }
        let side = side & 1;
        let end = &mut flow.view.ends[side];
        if flow.total_packets[side] == 0 {
            end.tunnel = packet.tunnel;
            end.mac = packet.src_mac;
        }
        let traffic = &mut flow.tick.sides[side].traffic;
        traffic.packets += u64::from(packet.frames);
        traffic.bytes += u64::from(packet.wire_len);
        traffic.l3_bytes += u64::from(packet.l3_len);
        traffic.l4_bytes += u64::from(packet.payload_wire);
        flow.total_packets[side] += u64::from(packet.frames);
        flow.total_bytes[side] += u64::from(packet.wire_len);
        // A packet older than the flow's newest (queues of a card, merged files) must not make negative times.
        let in_time = now >= flow.last_ns;
        if !in_time {
            self.counters.hit("flow", "older_than_the_packet_before");
        }
        let mut order = Order::Next;
        let class = match (&packet.transport, &mut flow.perf) {
            (Transport::Tcp(tcp), Perf::Tcp(perf)) => {
                // A FIN sent again because the last ACK was lost moves nothing (in the table of 3.3 it would be an exception).
                let again = flow.state == State::Closed && tcp.flags & flow.flags[side] & FIN != 0;
                traffic.tcp_flags |= tcp.flags;
                flow.flags[side] |= tcp.flags;
                if tcp.flags & RST != 0 && flow.first_rst.is_none() {
                    flow.first_rst = Some(side as u8);
                }
                if in_time {
                    order = perf.packet(&mut flow.tick, side, tcp, packet.payload_wire, now);
                }
                Some(if again {
                    FlagClass::Ack
                } else {
                    FlagClass::of(tcp.flags)
                })
            }
            (Transport::Udp(_), Perf::Udp(perf)) => {
                if in_time {
                    perf.packet(&mut flow.tick, side, now);
                }
                None
            }
            (Transport::Icmp(icmp), Perf::Echo(perf)) => {
                if in_time {
                    perf.packet(&mut flow.tick, side, icmp, now);
                }
                None
            }
            _ => None,
        };
        flow.last_ns = flow.last_ns.max(now);
        let both = flow.total_packets[0] != 0 && flow.total_packets[1] != 0;
        let timeouts = &self.config.timeouts;
        let way = flow.view.way(side);
        match class {
            // Nearly every packet: an open connection goes on.
            Some(FlagClass::Ack | FlagClass::PshAck)
                if both && flow.state == State::Established =>
            {
                flow.timeout_ns = timeouts.established;
            }
            Some(class) => {
                let (state, timeout) = flow.state.next(class, way);
                flow.state = state;
                flow.timeout_ns = timeouts.of(timeout);
                if !both {
                    flow.timeout_ns = flow.timeout_ns.min(timeouts.single_direction);
                }
            }
            None => {
                flow.state = State::Established;
                flow.timeout_ns = timeouts.of(if both {
                    TimeoutClass::Closing
                } else {
                    TimeoutClass::Opening
                });
            }
        }
        if now < self.newest_ns {
            // Of a packet that is long late the deadline would have passed before it came.
            flow.came_ns = self.second.unwrap_or(0).saturating_mul(SECOND);
        }
        // Mostly the deadline moves on, behind the entry of the timer that there is: seconds are not needed to see that.
        if flow.deadline_ns() <= flow.timer_at.saturating_sub(1).saturating_mul(SECOND) {
            let due = self.wheel.slot_for(flow.deadline());
            if due != flow.timer_at {
                flow.timer_at = due;
                self.wheel.enter(due, (slot, flow.generation));
            }
        }
        let Some(segment) = segment(packet, way, order) else {
            return;
        };
        let hints = sink.on_payload(&flow.view, &mut flow.ext, segment);
        if hints != Hints::default() {
            flow.ok_response = hints.ok_response;
            self.apply(slot, hints, sink);
        }
    }
}

/// The segment of a packet, none when it has nothing for a stream.
#[inline]
fn segment<'a>(packet: &'a Packet<'_>, way: Way, order: Order) -> Option<Segment<'a>> {
    let (seq, ack, flags) = match &packet.transport {
        Transport::Tcp(tcp) => {
            if packet.payload_wire == 0 && tcp.flags & (SYN | FIN | RST) == 0 {
                return None;
            }
            (tcp.seq, tcp.ack, tcp.flags)
        }
        Transport::Udp(_) if packet.payload_wire != 0 => (0, 0, 0),
        Transport::Icmp(icmp) if icmp.is_echo_request() || icmp.is_echo_reply() => {
            (u32::from(icmp.id) << 16 | u32::from(icmp.seq), 0, 0)
        }
        _ => return None,
    };
    Some(Segment {
        way,
        time_ns: packet.time_ns,
        seq,
        ack,
        flags,
        payload: packet.payload,
        wire_len: packet.payload_wire,
        transport: packet.protocol,
        retransmission: order == Order::Retransmission,
        out_of_order: order == Order::Late,
    })
}
