//! Rows in the order of the packets that decided them.

use mf_column::{Schema, Table};

use super::Repeats;
use crate::stamp::Stamp;

/// A table whose rows are put in order before they are taken. Batches bring rows of one parser in order, so mostly
/// there is nothing to do; several parsers, or one that the host runs late, interleave.
///
/// What every row has is kept by row (`R`) and spread over the columns some hundred rows at a time: a column is then written in
/// one loop. Texts and what is rare go into their columns at once.
#[derive(Debug)]
pub struct OrderedTable<R> {
    table: Table,
    /// The last rows' values that are not in their columns yet.
    recent: Vec<R>,
    /// Writes them into columns of the rows from the given one on.
    spread: fn(&mut Table, usize, &[R]),
    /// When each row was decided, and its flow.
    keys: Vec<(Stamp, u64)>,
    mixed: bool,
    before: Repeats,
}

/// Rows that are kept before they are spread: few enough to be in the processor's cache yet.
const MOST_RECENT: usize = 256;

impl<R> OrderedTable<R> {
    /// An empty table.
    pub fn new(schema: &'static Schema, spread: fn(&mut Table, usize, &[R])) -> Self {
        OrderedTable {
            table: Table::new(schema),
            recent: Vec::new(),
            spread,
            keys: Vec::new(),
            mixed: false,
            before: Repeats::default(),
        }
    }

    /// The table, to write one row that was decided at `stamp`. Rows of one flow and stamp keep their order.
    #[inline]
    pub fn row(&mut self, stamp: Stamp, flow_id: u64) -> RowOf<'_, R> {
        if self.table.rows() < self.keys.len() {
            // The rows were taken.
            self.keys.clear();
            self.mixed = false;
            self.before = Repeats::default();
        }
        if self.recent.len() >= MOST_RECENT {
            self.settle();
        }
        let key = (stamp, flow_id);
        self.mixed |= self.keys.last().is_some_and(|last| *last > key);
        self.keys.push(key);
        RowOf { table: &mut self.table, recent: &mut self.recent, before: &mut self.before }
    }

    /// Spreads the recent rows over their columns.
    fn settle(&mut self) {
        if !self.recent.is_empty() {
            let first = self.table.rows().saturating_sub(self.recent.len());
            (self.spread)(&mut self.table, first, &self.recent);
            self.recent.clear();
        }
    }

    /// The rows in order, to be counted or taken.
    pub fn sorted(&mut self) -> &mut Table {
        self.settle();
        if self.mixed && self.table.rows() == self.keys.len() {
            let order = in_order(&self.keys);
            self.table.reorder(&order);
            self.keys = order.iter().filter_map(|&row| self.keys.get(row as usize).copied()).collect();
            self.before = Repeats::default();
        }
        self.mixed = false;
        &mut self.table
    }
}

/// The order in which the keys go up; equal ones as they stand. Mostly few rows are late: they are sorted alone, and merged into
/// the others, which are in order.
fn in_order<K: Ord>(keys: &[K]) -> Vec<u32> {
    let (mut in_time, mut late) = (Vec::with_capacity(keys.len()), Vec::new());
    let mut newest = keys.first();
    for (row, key) in keys.iter().enumerate() {
        if newest.is_some_and(|newest| key < newest) {
            late.push(row as u32);
        } else {
            newest = Some(key);
            in_time.push(row as u32);
        }
    }
    let place = |row: &u32| (keys.get(*row as usize), *row);
    // They are mostly in order among themselves, which this sort makes use of.
    late.sort_by_key(place);
    let mut order = Vec::with_capacity(keys.len());
    let mut late = late.into_iter().peekable();
    for row in in_time {
        while let Some(earlier) = late.next_if(|late| place(late) < place(&row)) {
            order.push(earlier);
        }
        order.push(row);
    }
    order.extend(late);
    order
}

/// Where a row is written to.
#[derive(Debug)]
pub struct RowOf<'a, R> {
    /// The columns, for texts and what is rare; [`Table::end_row`] ends the row.
    pub table: &'a mut Table,
    /// What every row has: one `R` a row.
    pub recent: &'a mut Vec<R>,
    /// What the table's last row said.
    pub before: &'a mut Repeats,
}

#[cfg(test)]
mod tests {
    use super::in_order;

    #[test]
    fn late_rows_find_their_place_and_equal_ones_keep_their_order() {
        let mut seed = 1_u32;
        for length in 0..200 {
            for spread in [1, 3, 50, 1000] {
                let keys: Vec<u32> = (0..length)
                    .map(|row| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (row + (seed >> 16) % spread) / 3
                    })
                    .collect();
                let mut expected: Vec<u32> = (0..length).collect();
                expected.sort_by_key(|row| keys[*row as usize]);
                assert_eq!(in_order(&keys), expected, "{keys:?}");
            }
        }
    }
}
