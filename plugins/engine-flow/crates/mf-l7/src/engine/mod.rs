//! The engine: flows in, rows and events out.

mod calls;
mod core;
mod count;
mod decide;
mod deliver;
mod emit;
mod flush;
mod infer;
mod life;
mod pairing;
mod records;
mod streams;

use mf_column::Table;

use self::core::Core;
use crate::counters::Count;
use crate::flow::{FlowInfo, L7Flow, Segment, TCP};
use crate::options::L7Options;
use crate::parser::{ParserDescription, Runtime, Slot, Work, MAX_PARSERS};
use crate::session::State;
use crate::sink::{L7Sink, L7Stats};
use crate::stream::{Conversation, Limits, Store};

/// The tables of the L7 side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L7Table {
    /// `l7_message`.
    Message,
    /// `l7_flow_log`.
    FlowLog,
    /// `explain`.
    Explain,
}

/// Packet time between looks at the holes of flows that went quiet.
const HOLE_CHECK_NS: u64 = 100_000_000;

/// The L7 side of one engine shard. Used by one thread at a time.
///
/// Every call that takes a sink may run native parsers and tell what they found.
#[derive(Debug)]
pub struct L7Engine {
    core: Core,
    streams: Vec<Conversation>,
    /// Sessions with a hole in a stream, so that time can fill it.
    waiting: Vec<L7Flow>,
    /// When they are looked at next.
    next_holes: u64,
    limits: Limits,
    /// Memory for out-of-order segments; payload that waits for a verdict has the same again.
    store: Store,
}

impl L7Engine {
    /// An engine without parsers.
    pub fn new(options: L7Options) -> Self {
        let limits = Limits {
            bytes: options.stream_bytes,
            segments: options.stream_segments,
            wait_ns: options.hole_wait_ns,
            acked_wait_ns: options.acked_hole_wait_ns,
            max_jump: options.max_jump.min(1 << 30),
        };
        let store = Store::new(options.total_bytes / 2);
        L7Engine { core: Core::new(options), streams: Vec::new(), waiting: Vec::new(), next_holes: 0, limits, store }
    }

    /// Adds a parser; flows opened from now on are offered to it. Returns its index.
    ///
    /// # Errors
    /// When there are too many parsers, or the name is taken.
    pub fn add_parser(&mut self, description: ParserDescription, runtime: Runtime) -> Result<u16, String> {
        let parsers = &mut self.core.parsers;
        if parsers.len() >= MAX_PARSERS {
            return Err(format!("parser {}: an engine has room for {MAX_PARSERS} parsers", description.name));
        }
        if parsers.iter().any(|slot| slot.description.name == description.name) {
            return Err(format!("parser {}: there is one of that name already", description.name));
        }
        parsers.push(Slot::new(description, runtime));
        Ok((parsers.len() - 1) as u16)
    }

    /// Takes up a flow. Call it before the flow's first segment with TCP flags or payload.
    pub fn open(&mut self, info: &FlowInfo) -> L7Flow {
        let flow = self.core.sessions.open(info);
        let index = flow.index as usize;
        if index >= self.streams.len() {
            self.streams.resize_with(index + 1, Default::default);
        }
        flow
    }

    /// Brings what is known of the flow up to date (score, observation point, tag). Addresses, ports and their order
    /// must stay as they were.
    pub fn update(&mut self, flow: L7Flow, info: &FlowInfo) {
        if let Some(session) = self.core.sessions.find(flow) {
            let (ip, port) = (session.info.ip, session.info.port);
            session.info = FlowInfo { ip, port, ..*info };
        }
    }

    /// The L4 side found that side 1 is the client. Counts until a parser says otherwise.
    pub fn set_reversed(&mut self, flow: L7Flow, reversed: bool) {
        if let Some(session) = self.core.sessions.find(flow) {
            if session.state == State::Inferring {
                session.reversed = reversed;
            }
        }
    }

    /// Takes a packet of the flow: payload, or only its TCP flags and acknowledgement.
    #[inline]
    pub fn payload(&mut self, flow: L7Flow, segment: &Segment<'_>, sink: &mut dyn L7Sink) {
        self.arrive(segment.time_ns, sink);
        let core = &mut self.core;
        let len = segment.payload.len();
        let Some(session) = core.sessions.find(flow) else {
            return;
        };
        if session.closing {
            core.counters.add(Count::AfterClose, u64::from(len > 0));
            return;
        }
        if len > 0 {
            core.counters.add(Count::Segments, 1);
            core.counters.add(Count::Bytes, len as u64);
        }
        if session.info.transport == TCP {
            self.tcp(flow, segment, sink);
        } else if len > 0 || segment.wire_len > 0 {
            self.datagram(flow, segment, sink);
        }
    }

    /// Something was captured at this time: what waited long enough is told.
    #[inline]
    fn arrive(&mut self, time_ns: u64, sink: &mut dyn L7Sink) {
        let core = &mut self.core;
        core.arrive(time_ns);
        if core.clock >= self.next_holes {
            self.fill_holes(sink);
        }
        let core = &mut self.core;
        if core.batch_since != 0 && core.clock.saturating_sub(core.batch_since) >= core.options.batch_age_ns {
            core.flush_native(sink);
        }
    }

    /// The flow is over (close, timeout, end of input). The handle is given back; `ended` is told when all its
    /// messages were.
    pub fn close(&mut self, flow: L7Flow, sink: &mut dyn L7Sink) {
        let Some(session) = self.core.sessions.find(flow) else {
            return;
        };
        if !session.closing {
            self.core.arrive(0);
            self.end_streams(flow, sink);
            self.core.begin_close(flow.index, sink);
        }
        self.core.let_go(flow.index, sink);
    }

    /// End of a block of packets: every native parser runs, timeouts are told. The time of the block's newest packet
    /// is not used: where a capture is cut into blocks must not change what is found.
    pub fn flush_block(&mut self, _now_ns: u64, sink: &mut dyn L7Sink) {
        self.core.flush_native(sink);
    }

    /// Everything that native parsers can say of what came so far is said. Returns whether something waits for parsers that the
    /// host runs.
    pub fn settle(&mut self, sink: &mut dyn L7Sink) -> bool {
        self.core.flush_native(sink);
        self.waits_for_host()
    }

    /// Whether something waits for parsers that the host runs.
    pub fn waits_for_host(&self) -> bool {
        self.core.parsers.iter().any(|slot| slot.is_external() && !slot.is_idle())
    }

    /// Whether parsers that the host runs should be asked now, before more packets: they may say that they pass over what follows.
    #[inline]
    pub fn asks(&self) -> bool {
        self.core.asks
    }

    /// Packet time has come to `now_ns` without a packet of its own: requests that were waited for long enough are given up, when
    /// nobody has an answer yet that came in time.
    pub fn pass_time(&mut self, now_ns: u64, sink: &mut dyn L7Sink) {
        self.core.clock = self.core.clock.max(now_ns);
        self.core.expire_when_idle(sink);
    }

    /// Time goes on: holes and requests that were waited for long enough are given up, batches are run.
    pub fn tick(&mut self, now_ns: u64, sink: &mut dyn L7Sink) {
        self.core.arrive(now_ns);
        self.fill_holes(sink);
        self.core.flush_native(sink);
    }

    /// Gives up holes of flows that went quiet. In a capture this happens at fixed packet times, whatever its blocks.
    fn fill_holes(&mut self, sink: &mut dyn L7Sink) {
        let now = self.core.clock;
        self.next_holes = (now / HOLE_CHECK_NS + 1) * HOLE_CHECK_NS;
        for flow in std::mem::take(&mut self.waiting) {
            if self.core.sessions.find(flow).is_none() {
                continue;
            }
            let still = self.expire_holes(flow, now, sink);
            self.core.sessions.at(flow.index).listed = still;
            if still {
                self.waiting.push(flow);
            }
        }
    }

    /// End of input: every flow is closed. With external parsers, go on with [`L7Engine::next_work`] afterwards.
    pub fn finish(&mut self, sink: &mut dyn L7Sink) {
        for index in 0..self.core.sessions.len() as u32 {
            if let Some(flow) = self.core.sessions.handle(index) {
                self.close(flow, sink);
            }
        }
        self.waiting.clear();
        self.core.flush_native(sink);
    }

    /// A batch for the host to have processed by an external parser. The same one is given until it is completed.
    pub fn next_work(&mut self) -> Option<Work<'_>> {
        let core = &mut self.core;
        core.asks = false;
        if core.work.is_none() {
            for (index, slot) in core.parsers.iter_mut().enumerate().filter(|(_, slot)| slot.is_external()) {
                if let Some(batch) = slot.next_batch() {
                    slot.in_flight = Some(batch);
                    core.work = Some(index as u16);
                    break;
                }
            }
        }
        let parser = core.work?;
        let (op, batch) = core.parsers.get(usize::from(parser))?.in_flight.as_ref()?;
        Some(Work { parser, op: *op, bytes: batch.bytes() })
    }

    /// The result of the work handed out: bytes of `Checks` or `Records`, empty when the parser failed.
    ///
    /// # Errors
    /// When no work was handed out.
    pub fn complete(&mut self, result: &[u8], sink: &mut dyn L7Sink) -> Result<(), String> {
        self.core.complete(result, sink)
    }

    /// What the flow's messages amount to since this was last called. `None` for a stale handle.
    pub fn take_stats(&mut self, flow: L7Flow) -> Option<L7Stats> {
        let session = self.core.sessions.find(flow)?;
        let fresh = L7Stats { protocol: session.stats.protocol, ..L7Stats::default() };
        Some(std::mem::replace(&mut session.stats, fresh))
    }

    /// The last `request_domain` seen in the flow.
    pub fn last_domain(&mut self, flow: L7Flow) -> &str {
        self.core.sessions.find(flow).map_or("", |session| &session.domain)
    }

    /// A table, to be taken from. Its rows are in the order of the packets that decided them, and so are those of one
    /// call and the next when no batch waits for the host between.
    pub fn table(&mut self, table: L7Table) -> &mut Table {
        match table {
            L7Table::Message => self.core.tables.messages.sorted(),
            L7Table::FlowLog => self.core.tables.flow_log.sorted(),
            L7Table::Explain => {
                self.core.write_history();
                self.core.tables.explain.sorted()
            }
        }
    }

    /// One flow's inference history (option `explain`): a line a step, fields separated by tabs.
    pub fn explain_text(&self, flow_id: u64) -> String {
        self.core.explain.text(flow_id)
    }

    /// `(stage, reason, value)` of every counter that is not zero.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.core.counters.iter()
    }

    /// One fixed counter.
    pub fn count(&self, count: Count) -> u64 {
        self.core.counters.get(count)
    }

    /// Open sessions.
    pub fn sessions(&self) -> usize {
        self.core.sessions.live()
    }

    /// Bytes that wait for a hole to be filled or for a verdict.
    pub fn waiting_bytes(&self) -> usize {
        self.core.store.used() + self.store.used()
    }

    /// Messages that wait for their other half.
    pub fn waiting_messages(&self) -> usize {
        self.core.pairs.len()
    }
}
