//! Packets on their way to the flow table, and where they stop for parsers that the host runs.
//!
//! A report of a flow says what its parsers found until then. Parsers inside the engine are asked right before it; those that the
//! host runs can only be asked when the engine has returned. So the packet that would bring the report is kept, and is the first
//! one when the host comes again.

use std::collections::VecDeque;

use mf_flow::FlowTable;
use mf_packet::Packet;

use crate::wiring::{FlowExt, Wiring};

const SECOND: u64 = 1_000_000_000;

/// The newest packet's time, and the second up to which flows of other shards' packets were told it.
#[derive(Debug, Default)]
pub struct Clock {
    /// nanoseconds
    pub now_ns: u64,
    told: u64,
}

/// Packets by what became of them.
#[derive(Debug, Default)]
pub struct PacketCounts {
    /// all
    pub packets: u64,
    /// those that another shard keeps
    pub other_shards: u64,
}

/// A packet that waits for the host, with its payload and its source.
#[derive(Debug)]
struct Held {
    packet: Packet<'static>,
    payload: Vec<u8>,
    source: u32,
}

/// Where packets go in.
pub struct Intake {
    shards: u64,
    shard: u64,
    flows: FlowTable<FlowExt>,
    held: VecDeque<Held>,
    source: u32,
    /// stop where the host has to be asked
    stops: bool,
    /// time
    pub clock: Clock,
    /// counts
    pub counts: PacketCounts,
}

impl Intake {
    /// Nothing taken yet; `shard` of `shards`.
    pub fn new(flows: FlowTable<FlowExt>, shards: u64, shard: u64) -> Self {
        Intake {
            shards,
            shard,
            flows,
            held: VecDeque::new(),
            source: 0,
            stops: false,
            clock: Clock::default(),
            counts: PacketCounts::default(),
        }
    }

    /// The flow table.
    pub fn flows(&self) -> &FlowTable<FlowExt> {
        &self.flows
    }

    /// The packets that follow were captured by this source; whether they may be kept for the host.
    pub fn begin(&mut self, source: u32, stops: bool) {
        self.source = source;
        self.flows.source(source);
        self.stops = stops;
    }

    /// Whether a packet waits for the host.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes a packet, or keeps it while the host has to be asked.
    #[inline]
    pub fn offer(&mut self, packet: &Packet<'_>, wiring: &mut Wiring) {
        if self.is_stopped() || (self.flows.settles(packet) && wiring.l7.settle(&mut wiring.out) && self.stops) {
            return self.hold(packet);
        }
        self.take(packet, wiring);
    }

    #[cold]
    fn hold(&mut self, packet: &Packet<'_>) {
        let source = self.source;
        self.held.push_back(Held { packet: packet.detached(), payload: packet.payload.to_vec(), source });
    }

    /// Takes what was kept; the host was asked. `stops` as for [`Intake::begin`], but the first one is taken whatever the host did.
    pub fn resume(&mut self, stops: bool, wiring: &mut Wiring) {
        let mut first = true;
        for Held { packet, payload, source } in std::mem::take(&mut self.held) {
            let mut packet = packet;
            packet.payload = &payload;
            self.begin(source, stops && !first);
            self.offer(&packet, wiring);
            first = false;
        }
        self.stops = stops;
    }

    fn take(&mut self, packet: &Packet<'_>, wiring: &mut Wiring) {
        self.clock.now_ns = self.clock.now_ns.max(packet.time_ns);
        self.counts.packets += 1;
        if self.shards > 1 && packet.symmetric_hash() % self.shards != self.shard {
            self.counts.other_shards += 1;
            // All shards report and time out at the same packet.
            let second = packet.time_ns / SECOND;
            if second > self.clock.told {
                self.clock.told = second;
                self.flows.tick(packet.time_ns, wiring);
            }
            return;
        }
        self.flows.push(packet, wiring);
    }

    /// Time goes on without packets.
    pub fn tick(&mut self, now_ns: u64, wiring: &mut Wiring) {
        self.clock.now_ns = self.clock.now_ns.max(now_ns);
        self.flows.tick(now_ns, wiring);
    }

    /// The end of the input: every flow is reported and closed.
    pub fn finish(&mut self, wiring: &mut Wiring) {
        self.flows.finish(wiring);
        self.clock = Clock::default();
    }
}
