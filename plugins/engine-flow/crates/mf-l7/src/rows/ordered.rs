//! Rows in the order of the packets that decided them.

use mf_column::{Schema, Table};

use super::Repeats;
use crate::stamp::Stamp;

/// A table whose rows are put in order before they are taken. Batches bring rows of one parser in order, so mostly
/// there is nothing to do; several parsers, or one that the host runs late, interleave.
#[derive(Debug)]
pub struct OrderedTable {
    table: Table,
    /// When each row was decided, and its flow.
    keys: Vec<(Stamp, u64)>,
    mixed: bool,
    before: Repeats,
}

impl OrderedTable {
    /// An empty table.
    pub fn new(schema: &'static Schema) -> Self {
        OrderedTable { table: Table::new(schema), keys: Vec::new(), mixed: false, before: Repeats::default() }
    }

    /// The table, to write one row that was decided at `stamp`, and what its last row said. Rows of one flow and stamp
    /// keep their order.
    #[inline]
    pub fn row(&mut self, stamp: Stamp, flow_id: u64) -> (&mut Table, &mut Repeats) {
        if self.table.rows() < self.keys.len() {
            // The rows were taken.
            self.keys.clear();
            self.mixed = false;
            self.before = Repeats::default();
        }
        let key = (stamp, flow_id);
        self.mixed |= self.keys.last().is_some_and(|last| *last > key);
        self.keys.push(key);
        (&mut self.table, &mut self.before)
    }

    /// The rows in order, to be counted or taken.
    pub fn sorted(&mut self) -> &mut Table {
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
