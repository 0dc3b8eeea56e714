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
            let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
            order.sort_by_key(|&row| self.keys.get(row as usize).copied());
            self.table.reorder(&order);
            self.keys.sort();
            self.before = Repeats::default();
        }
        self.mixed = false;
        &mut self.table
    }
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
