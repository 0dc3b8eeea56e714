//! What is known of server endpoints: which parser their flows went to, or that none wants them.

use std::collections::{BTreeMap, HashMap};

use crate::flow::Layer;
use crate::stamp::Stamp;

/// A server endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointKey {
    /// Address, IPv4 in the first four bytes.
    pub ip: [u8; 16],
    /// Port.
    pub port: u16,
    /// IP protocol number.
    pub transport: u8,
    /// Whether the address is IPv4.
    pub is_ipv4: bool,
    /// How its bytes are seen.
    pub layer: Layer,
}

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// This parser goes first.
    Parser(u16),
    /// Too many of its flows were given up: do not look.
    Unknown,
}

#[derive(Debug)]
struct Entry {
    parser: Option<u16>,
    failures: u32,
    used_at: u64,
    turn: u64,
}

/// Least recently used first out, and forgotten after a time without use. The order is that of the packets, and what a
/// flow taught counts for flows that begin a little later: by then every runtime has had its say, early or late.
#[derive(Debug)]
pub struct EndpointCache {
    entries: HashMap<EndpointKey, Entry>,
    order: BTreeMap<u64, EndpointKey>,
    turn: u64,
    capacity: usize,
    ttl_ns: u64,
    max_failures: u32,
    /// What was learned and does not count yet: the parser that confirmed, or none when the flow was given up.
    learned: BTreeMap<(Stamp, u32), (EndpointKey, Option<u16>)>,
}

/// Packet time until what a flow taught counts. Native batches are run before they are this old.
pub const LEARNING_NS: u64 = 1_000_000_000;

impl EndpointCache {
    /// An empty cache.
    pub fn new(capacity: usize, ttl_ns: u64, max_failures: u32) -> Self {
        EndpointCache {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            turn: 0,
            capacity: capacity.max(1),
            ttl_ns,
            max_failures,
            learned: BTreeMap::new(),
        }
    }

    /// What is known of an endpoint; looking counts as use only when it is not `Unknown`, so that an unknown one is
    /// tried again after the time.
    pub fn get(&mut self, key: &EndpointKey, now: u64) -> Known {
        self.learn(now);
        let Some(entry) = self.entries.get(key) else {
            return Known::Nothing;
        };
        if now.saturating_sub(entry.used_at) > self.ttl_ns {
            self.order.remove(&entry.turn);
            self.entries.remove(key);
            return Known::Nothing;
        }
        match entry.parser {
            Some(parser) => {
                self.touch(*key, now, |_| ());
                Known::Parser(parser)
            }
            None if entry.failures >= self.max_failures => Known::Unknown,
            None => Known::Nothing,
        }
    }

    /// A flow of the endpoint was confirmed by a parser.
    pub fn confirmed(&mut self, key: EndpointKey, parser: u16, when: Stamp) {
        self.remember(key, Some(parser), when);
    }

    /// A flow of the endpoint was given up, or its parser withdrew.
    pub fn failed(&mut self, key: EndpointKey, when: Stamp) {
        self.remember(key, None, when);
    }

    fn remember(&mut self, key: EndpointKey, parser: Option<u16>, when: Stamp) {
        let same =
            self.learned.range((when, 0)..=(when, u32::MAX)).next_back().map_or(0, |((_, number), _)| number + 1);
        self.learned.insert((when, same), (key, parser));
    }

    /// Takes in what counts by now.
    fn learn(&mut self, now: u64) {
        while let Some(first) = self.learned.first_entry() {
            let when = first.key().0.clock;
            if when.saturating_add(LEARNING_NS) > now {
                break;
            }
            let (key, parser) = first.remove();
            self.touch(key, when, |entry| match parser {
                Some(parser) => {
                    entry.parser = Some(parser);
                    entry.failures = 0;
                }
                None => {
                    entry.failures = entry.failures.saturating_add(1);
                    if entry.failures > 2 {
                        entry.parser = None;
                    }
                }
            });
        }
    }

    fn touch(&mut self, key: EndpointKey, now: u64, change: impl FnOnce(&mut Entry)) {
        self.turn += 1;
        let turn = self.turn;
        let entry = self.entries.entry(key).or_insert(Entry { parser: None, failures: 0, used_at: now, turn });
        self.order.remove(&entry.turn);
        entry.used_at = now;
        entry.turn = turn;
        change(entry);
        self.order.insert(turn, key);
        while self.entries.len() > self.capacity {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
        }
    }
}
