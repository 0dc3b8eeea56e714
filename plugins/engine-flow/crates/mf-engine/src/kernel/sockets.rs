//! The sockets that are open, and when they are given up.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use mf_packet::{Counters, Mixer};
use mf_segment::{Kind, Reader, Record};

use super::order::Turn;
use super::socket::{Phase, Shared, Socket};
use super::stream::Target;

const SECOND: u64 = 1_000_000_000;
/// Time between looks at the holes of sockets.
const LOOK_NS: u64 = 10_000_000;
/// Bytes of all sockets' records that may wait for an earlier one.
const MOST_HELD_BYTES: usize = 64 << 20;

/// Bounds and patience. Times are nanoseconds of the records' time.
#[derive(Clone, Copy, Debug)]
pub struct SocketsConfig {
    /// sockets at once, and streams at once
    pub most: usize,
    /// how long a missing record is waited for
    pub hole_wait_ns: u64,
    /// a connection without calls
    pub idle_ns: u64,
    /// a connection that was closed in one direction
    pub closing_ns: u64,
    /// a peer of a datagram socket
    pub datagram_idle_ns: u64,
    /// engines that share the input, and which of them this one is
    pub shards: (u64, u64),
}

/// All sockets.
#[derive(Debug)]
pub struct Sockets {
    config: SocketsConfig,
    open: HashMap<u64, Socket, BuildHasherDefault<IdHasher>>,
    /// sockets by the second in which they may be over
    timers: BTreeMap<u64, Vec<u64>>,
    /// sockets with holes
    waiting: Vec<u64>,
    next_look_ns: u64,
    held_bytes: usize,
    clock_ns: u64,
    /// damage of blocks
    damage: Counters,
    shared: Shared,
}

impl Sockets {
    /// No socket yet.
    pub fn new(config: SocketsConfig) -> Self {
        Sockets {
            config,
            open: HashMap::default(),
            timers: BTreeMap::new(),
            waiting: Vec::new(),
            next_look_ns: 0,
            held_bytes: 0,
            clock_ns: 0,
            damage: Counters::new(),
            shared: Shared { most: config.most, streams: 0, ciphertext: false, counters: Counters::new() },
        }
    }

    /// A parser wants to see ciphertext.
    pub fn want_ciphertext(&mut self) {
        self.shared.ciphertext = true;
    }

    /// What happened.
    pub fn counters(&self) -> [&Counters; 2] {
        [&self.damage, &self.shared.counters]
    }

    /// Open sockets.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// The time of the newest record.
    pub fn clock_ns(&self) -> u64 {
        self.clock_ns
    }

    /// Takes a block; returns the number of records that were good.
    pub fn push(&mut self, block: &[u8], to: &mut Target<'_>) -> u64 {
        let mut damage = std::mem::take(&mut self.damage);
        let (mut records, mut others) = (0, 0);
        let (shards, shard) = self.config.shards;
        for (record, bytes) in Reader::new(block, &mut damage) {
            records += 1;
            self.time(record.time_ns, to);
            if shards > 1 && Mixer::new(0).word(record.socket_id).finish() % shards != shard {
                others += 1;
            } else {
                self.record(&record, bytes, to);
            }
        }
        self.damage = damage;
        self.shared.counters.add("segment", "records", records);
        if others > 0 {
            self.shared.counters.add("segment", "records_of_other_shards", others);
        }
        records
    }

    /// Time goes on.
    #[inline]
    pub fn time(&mut self, now_ns: u64, to: &mut Target<'_>) {
        if now_ns <= self.clock_ns {
            return;
        }
        let new_second = now_ns / SECOND > self.clock_ns / SECOND;
        self.clock_ns = now_ns;
        if now_ns >= self.next_look_ns {
            self.next_look_ns = (now_ns / LOOK_NS + 1) * LOOK_NS;
            self.look_at_holes(to);
        }
        if new_second {
            self.expire(now_ns / SECOND, to);
        }
    }

    /// The end of the input.
    pub fn finish(&mut self, to: &mut Target<'_>) {
        let mut ids: Vec<u64> = self.open.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            while self.open.get(&id).is_some_and(|socket| socket.order.is_waiting()) {
                self.fill_hole(id, to);
            }
            self.close(id, to);
        }
        self.timers.clear();
        self.waiting.clear();
        (self.clock_ns, self.next_look_ns) = (0, 0);
    }

    fn record(&mut self, record: &Record<'_>, bytes: &[u8], to: &mut Target<'_>) {
        let id = record.socket_id;
        let is_full = self.open.len() >= self.config.most;
        let socket = match self.open.get_mut(&id) {
            Some(socket) => socket,
            // Closed twice, or closed without having said anything.
            None if record.kind == Kind::Close && record.cap_seq <= 1 => return,
            None if is_full => {
                return self.shared.counters.hit("segment", "records_of_flows_beyond_max_flows");
            }
            None => self.open.entry(id).or_default(),
        };
        match socket.order.take(record.cap_seq, bytes, self.clock_ns) {
            Turn::Now => {
                socket.act(record, &mut self.shared, to);
                self.held_bytes -= catch_up(socket, &mut self.shared, to);
                self.after(id, to);
            }
            Turn::Later => {
                self.held_bytes += bytes.len();
                let full = self.held_bytes > MOST_HELD_BYTES;
                let full = full || socket.order.is_over(self.clock_ns, self.config.hole_wait_ns);
                if !socket.listed {
                    socket.listed = true;
                    self.waiting.push(id);
                }
                if full {
                    self.fill_hole(id, to);
                }
            }
            Turn::Missed => self.shared.counters.hit("segment", "records_after_their_turn"),
        }
    }

    fn look_at_holes(&mut self, to: &mut Target<'_>) {
        for id in std::mem::take(&mut self.waiting) {
            let (now, wait) = (self.clock_ns, self.config.hole_wait_ns);
            if self.open.get(&id).is_some_and(|socket| socket.order.is_over(now, wait)) {
                self.fill_hole(id, to);
            }
            let Some(socket) = self.open.get_mut(&id) else { continue };
            socket.listed = socket.order.is_waiting();
            if socket.listed {
                self.waiting.push(id);
            }
        }
    }

    /// Goes on without the records that are missing before the first held one.
    fn fill_hole(&mut self, id: u64, to: &mut Target<'_>) {
        let Some(socket) = self.open.get_mut(&id) else { return };
        let missing = socket.order.give_up(self.clock_ns);
        socket.hole(missing, self.clock_ns, &mut self.shared, to);
        self.held_bytes -= catch_up(socket, &mut self.shared, to);
        self.after(id, to);
    }

    /// A socket was acted on: it is over, or its timer is looked after.
    #[inline]
    fn after(&mut self, id: u64, to: &mut Target<'_>) {
        let Some(socket) = self.open.get_mut(&id) else { return };
        let phase = socket.phase();
        if phase == Phase::Closed {
            return self.close(id, to);
        }
        // One that waits for a missing record is looked at again when that was given up.
        let due = due(socket, &self.config).max(self.clock_ns / SECOND + 1);
        // An entry that comes too early sets a new one.
        if socket.timer == 0 || due < socket.timer {
            socket.timer = due;
            self.timers.entry(due).or_default().push(id);
        }
    }

    /// Ends what was silent for long enough.
    fn expire(&mut self, second: u64, to: &mut Target<'_>) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| *entry.key() <= second) {
            let at = *entry.key();
            for id in entry.remove() {
                let Some(socket) = self.open.get_mut(&id).filter(|socket| socket.timer == at) else { continue };
                socket.timer = 0;
                let silent_ns = (second * SECOND).saturating_sub(self.config.datagram_idle_ns);
                socket.end_silent_peers(silent_ns, &mut self.shared, to);
                if socket.order.is_waiting() || due(socket, &self.config) > second {
                    self.after(id, to);
                } else {
                    self.close(id, to);
                }
            }
        }
    }

    fn close(&mut self, id: u64, to: &mut Target<'_>) {
        let Some(mut socket) = self.open.remove(&id) else { return };
        self.held_bytes -= socket.order.bytes();
        socket.end(&mut self.shared, to);
    }
}

/// Acts on held records whose turn has come; returns how many bytes they were.
fn catch_up(socket: &mut Socket, shared: &mut Shared, to: &mut Target<'_>) -> usize {
    let mut freed = 0;
    while let Some(bytes) = socket.order.pop() {
        freed += bytes.len();
        if let Ok(record) = Record::read(&bytes) {
            socket.act(&record, shared, to);
        }
    }
    freed
}

/// The second in which a socket that stays silent is over.
fn due(socket: &Socket, config: &SocketsConfig) -> u64 {
    let idle = match socket.phase() {
        Phase::Open => config.idle_ns,
        Phase::Datagrams => config.datagram_idle_ns,
        Phase::Closing | Phase::Closed => config.closing_ns,
    };
    socket.last_ns.saturating_add(idle) / SECOND + 1
}

/// Socket ids are counters of the collector's own: mixing them is enough.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mf_packet::mix(self.0, value);
    }
}
