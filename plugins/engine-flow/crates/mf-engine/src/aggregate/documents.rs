//! From events to the rows of four tables: one-ended and two-ended, by second and by minute.

use mf_column::{Batch, Schema, Table};

use super::store::Store;
use super::window::{Window, Windows};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// A two-ended key.
pub trait EdgeKey: Ord {
    /// The key of one of its ends.
    type End: Ord;
    /// The key's hash, begun with a seed.
    fn hash(&self, seed: u64) -> u64;
    /// The hash of an end's key, begun with a seed.
    fn hash_end(end: &Self::End, seed: u64) -> u64;
    /// The client's end and the server's end, where this path describes them.
    fn ends(&self) -> [Option<Self::End>; 2];
    /// Writes the tags of a two-ended row.
    fn write(&self, table: &mut Table);
    /// Writes the tags of a one-ended row.
    fn write_end(end: &Self::End, table: &mut Table);
}

/// Meters of a key.
pub trait Meter: Default {
    /// Adds another meter of the same stretch of time; `reversed` sees it from the server's end.
    fn add(&mut self, other: &Self, reversed: bool);
    /// Adds a meter of an earlier or later stretch of time.
    fn add_later(&mut self, other: &Self);
    /// Writes the meters of a two-ended row.
    fn write(&self, table: &mut Table);
    /// Writes the meters of a one-ended row.
    fn write_end(&self, table: &mut Table);
}

/// Bounds of the aggregation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// how long after its end a second or minute waits for late data, nanoseconds of packet time
    pub delay_ns: u64,
    /// keys in memory, for the seconds and again for the minutes
    pub keys: usize,
    /// whether rows by second are written (minutes always are)
    pub seconds: bool,
}

/// Schemas of one kind of document, in the order of the ABI's table ids.
#[derive(Debug)]
pub struct Schemas {
    /// one-ended, by second
    pub end_second: &'static Schema,
    /// one-ended, by minute
    pub end_minute: &'static Schema,
    /// two-ended, by second
    pub path_second: &'static Schema,
    /// two-ended, by minute
    pub path_minute: &'static Schema,
}

/// Aggregates one kind of document.
#[derive(Debug)]
pub struct Documents<K: EdgeKey, M: Meter> {
    limits: Limits,
    seed: u64,
    seconds: Windows<K, M>,
    minutes: Windows<K, M>,
    tables: [Table; 4],
    /// everything that ended before this was closed
    closed_ns: u64,
    late: u64,
    early: u64,
}

impl<K: EdgeKey, M: Meter> Documents<K, M> {
    /// Nothing counted yet. `seed` begins all hashes of keys.
    pub fn new(schemas: &Schemas, limits: Limits, seed: u64) -> Self {
        Documents {
            limits,
            seed,
            seconds: Windows::new(SECOND),
            minutes: Windows::new(MINUTE),
            tables: [schemas.end_second, schemas.end_minute, schemas.path_second, schemas.path_minute].map(Table::new),
            closed_ns: 0,
            late: 0,
            early: 0,
        }
    }

    /// The keys of the second that holds a time, to count something in.
    #[inline]
    pub fn second(&mut self, time_ns: u64) -> &mut Store<K, M> {
        &mut self.window(time_ns).store
    }

    /// The same second with its number, for those who remember where a key's meter is.
    #[inline]
    pub fn window(&mut self, time_ns: u64) -> &mut Window<K, M> {
        if time_ns < self.closed_ns {
            self.late += 1;
        }
        self.seconds.at(time_ns)
    }

    /// What hashes of keys begin with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Closes what ended long enough before `now_ns`, and the oldest while there are too many keys.
    pub fn advance(&mut self, now_ns: u64) {
        while let Some(window) = self.seconds.close_before(now_ns, self.limits.delay_ns) {
            self.close_second(window);
        }
        while let Some(window) = self.seconds.close_excess(self.limits.keys) {
            self.early += 1;
            self.close_second(window);
        }
        // A minute waits until its last second has closed.
        while let Some(window) = self.minutes.close_before(now_ns, self.limits.delay_ns) {
            self.close_minute(window);
        }
        while let Some(window) = self.minutes.close_excess(self.limits.keys) {
            self.early += 1;
            self.close_minute(window);
        }
        self.closed_ns = self.closed_ns.max(now_ns.saturating_sub(self.limits.delay_ns) / SECOND * SECOND);
    }

    /// Closes everything.
    pub fn finish(&mut self) {
        self.advance(u64::MAX);
        self.closed_ns = 0;
    }

    fn close_second(&mut self, window: Window<K, M>) {
        let rows = window.store.drain_sorted();
        let [end, _, path, _] = &mut self.tables;
        if self.limits.seconds {
            write(window.start_ns, &rows, end, path, self.seed);
        }
        let minute = &mut self.minutes.at(window.start_ns).store;
        for (key, meter) in rows {
            let hash = key.hash(self.seed);
            match minute.find(hash, |other| *other == key) {
                Some(sum) => sum.add_later(&meter),
                None => *minute.insert(hash, key) = meter,
            }
        }
    }

    fn close_minute(&mut self, window: Window<K, M>) {
        let rows = window.store.drain_sorted();
        let [_, end, _, path] = &mut self.tables;
        write(window.start_ns, &rows, end, path, self.seed);
    }

    /// Rows ready in one of the four tables (0 one-ended by second, 1 by minute, 2 two-ended by second, 3 by minute).
    pub fn ready(&self, table: usize) -> usize {
        self.tables.get(table).map_or(0, Table::rows)
    }

    /// Moves the rows of one of the four tables out.
    pub fn take(&mut self, table: usize) -> Option<Batch> {
        self.tables.get_mut(table).map(Table::take)
    }

    /// `(late, early)`: events after their second had closed, and windows closed early for want of room.
    pub fn counters(&self) -> (u64, u64) {
        (self.late, self.early)
    }
}

/// Writes the two-ended rows of a window, and the one-ended ones derived from them.
fn write<K: EdgeKey, M: Meter>(
    start_ns: u64,
    rows: &[(K, M)],
    end_table: &mut Table,
    path_table: &mut Table,
    seed: u64,
) {
    let seconds = u32::try_from(start_ns / SECOND).unwrap_or(u32::MAX);
    let mut ends: Store<K::End, M> = Store::new();
    for (key, meter) in rows {
        path_table.u32(TIME, seconds);
        key.write(path_table);
        meter.write(path_table);
        path_table.end_row();
        for (side, end) in key.ends().into_iter().enumerate() {
            let Some(end) = end else { continue };
            let hash = K::hash_end(&end, seed);
            let sum = match ends.find(hash, |other| *other == end) {
                Some(sum) => sum,
                None => ends.insert(hash, end),
            };
            sum.add(meter, side == 1);
        }
    }
    for (end, meter) in ends.drain_sorted() {
        end_table.u32(TIME, seconds);
        K::write_end(&end, end_table);
        meter.write_end(end_table);
        end_table.end_row();
    }
}

/// Column 0 of every document is its time.
const TIME: usize = 0;
