//! The engine's parts without the TCP streams, so that a stream can deliver into them.

use std::collections::VecDeque;

use crate::abi::{Numbers, SegmentHead};
use crate::counters::Counters;
use crate::flow::L7Flow;
use crate::infer::{EndpointCache, Explain, Pending, Step};
use crate::options::L7Options;
use crate::pair::Pairs;
use crate::parser::Slot;
use crate::rows::{no_numbers, spread_exchanges, spread_messages, ExchangeRow, MessageRow};
use crate::rows::{OrderedTable, EXPLAIN, L7_FLOW_LOG, L7_MESSAGE};
use crate::session::Sessions;
use crate::stamp::Stamp;
use crate::stream::Store;

/// The tables.
#[derive(Debug)]
pub struct Tables {
    /// `l7_message`.
    pub messages: OrderedTable<MessageRow>,
    /// `l7_flow_log`.
    pub flow_log: OrderedTable<ExchangeRow>,
    /// `explain`.
    pub explain: OrderedTable<()>,
}

/// Everything but the streams.
#[derive(Debug)]
pub struct Core {
    pub options: L7Options,
    /// The packet clock: the latest time seen.
    pub clock: u64,
    /// The packet (or flow's end) that is being taken.
    pub arrival: Stamp,
    /// When what is being worked in was decided: rows are in this order.
    pub moment: Stamp,
    pub store: Store,
    pub counters: Counters,
    pub sessions: Sessions,
    pub parsers: Vec<Slot>,
    pub pairs: Pairs,
    pub endpoints: EndpointCache,
    pub explain: Explain,
    pub tables: Tables,
    /// A parser is being called: nothing else is called until its results are worked in.
    pub busy: bool,
    /// Packet time of the oldest segment in a batch, 0 when all are empty.
    pub batch_since: u64,
    /// The host's parsers should be asked now: what they say may spare work.
    pub asks: bool,
    /// The parser whose batch the host has.
    pub work: Option<u16>,
    /// Flows that wait for what older ones teach of their endpoint.
    pub learners: VecDeque<L7Flow>,
    /// Emptied memory for waiting payload.
    pub spare_pending: Vec<Pending>,
    /// Some flow is seen in calls.
    pub has_calls: bool,
    /// For gathering the bytes of a check.
    pub scratch: Vec<u8>,
    /// For the numbers of some records.
    pub numbers: Vec<Numbers>,
}

/// Emptied [`Pending`]s kept.
const KEEP_PENDING: usize = 256;

impl Core {
    pub fn new(options: L7Options) -> Self {
        Core {
            clock: 0,
            arrival: Stamp::default(),
            moment: Stamp::default(),
            store: Store::new(options.total_bytes / 2),
            counters: Counters::default(),
            sessions: Sessions::default(),
            parsers: Vec::new(),
            pairs: Pairs::default(),
            endpoints: EndpointCache::new(options.endpoint_cache, options.endpoint_ttl_ns, options.endpoint_failures),
            explain: Explain::new(options.explain, options.explain_steps_per_second),
            tables: Tables {
                messages: OrderedTable::new(&L7_MESSAGE, spread_messages),
                flow_log: OrderedTable::new(&L7_FLOW_LOG, spread_exchanges),
                explain: OrderedTable::new(&EXPLAIN, no_numbers),
            },
            busy: false,
            batch_since: 0,
            asks: false,
            work: None,
            learners: VecDeque::new(),
            spare_pending: Vec::new(),
            has_calls: false,
            scratch: Vec::new(),
            numbers: Vec::new(),
            options,
        }
    }

    /// A segment header of a session; `side` is who sent it.
    #[inline]
    pub fn head(&self, index: u32, side: u8) -> SegmentHead {
        self.sessions.peek(index).head(index, side)
    }

    /// Something comes in: a packet at `time_ns`, or the end of a flow (0).
    #[inline]
    pub fn arrive(&mut self, time_ns: u64) {
        self.clock = self.clock.max(time_ns);
        self.arrival = Stamp { clock: self.clock, turn: self.arrival.turn + 1 };
        self.moment = self.arrival;
    }

    /// Takes an emptied waiting room.
    pub fn new_pending(&mut self) -> Pending {
        self.spare_pending.pop().unwrap_or_default()
    }

    /// Gives a session's waiting room back; its payload is no longer counted as waiting.
    pub fn drop_pending(&mut self, index: u32) {
        if let Some(pending) = self.sessions.at(index).pending.take() {
            self.recycle_pending(pending);
        }
    }

    /// Gives a waiting room back.
    pub fn recycle_pending(&mut self, mut pending: Pending) {
        self.store.release(pending.size());
        if self.spare_pending.len() < KEEP_PENDING {
            pending.clear();
            self.spare_pending.push(pending);
        }
    }

    /// Keeps a step of a flow's history when that is wanted.
    #[inline]
    pub fn note(
        &mut self,
        index: u32,
        parser: Option<u16>,
        op: &'static str,
        verdict: &'static str,
        offset: u64,
        reason: &str,
    ) {
        if !self.explain.is_enabled() {
            return;
        }
        let name = parser.and_then(|parser| self.parsers.get(usize::from(parser)));
        let step = Step {
            stamp: self.moment,
            parser: name.map_or_else(String::new, |slot| slot.description.name.clone()),
            op,
            verdict,
            offset,
            reason: reason.to_string(),
        };
        let flow_id = self.sessions.peek(index).info.flow_id;
        if !self.explain.add(flow_id, step) {
            self.counters.add_reason("explain", &["more steps in a second than are kept"], 1);
        }
    }
}
