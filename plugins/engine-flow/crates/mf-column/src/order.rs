//! Putting the rows of a table under construction into another order.

use crate::bitmap::Bitmap;
use crate::column::{Column, Data};
use crate::strings::Strings;
use crate::table::Table;

impl Table {
    /// Puts the ended rows into another order: row `i` becomes what row `order[i]` was. A row that was begun but not
    /// ended is dropped. Columns that nothing was written to cost nothing.
    ///
    /// `order` must name every row once; an index outside the table leaves the table as it is.
    pub fn reorder(&mut self, order: &[u32]) {
        let rows = self.rows();
        if order.len() != rows || order.iter().any(|&row| row as usize >= rows) {
            return debug_assert!(false, "an order of {} rows for a table of {rows}", order.len());
        }
        for column in self.columns_mut() {
            if column.is_touched() {
                column.align(rows);
                reorder(column, order);
            }
        }
    }
}

fn reorder(column: &mut Column, order: &[u32]) {
    if let Some(map) = &mut column.validity {
        *map = bits(map, order);
    }
    match &mut column.data {
        Data::U8(v) => pick(v, order),
        Data::U16(v) => pick(v, order),
        Data::U32(v) => pick(v, order),
        Data::U64(v) => pick(v, order),
        Data::I32(v) => pick(v, order),
        Data::I64(v) => pick(v, order),
        Data::F64(v) => pick(v, order),
        Data::Fixed16(v) => pick(v, order),
        Data::Dict(v) => pick(&mut v.indices, order),
        Data::Bool(v) => *v = bits(v, order),
        Data::Utf8(v) => *v = texts(v, order),
        Data::ListUtf8(offsets, items) => {
            let (new_offsets, picked) = lists(offsets, order);
            *items = texts(items, &picked);
            *offsets = new_offsets;
        }
        Data::ListF64(offsets, items) => {
            let (new_offsets, picked) = lists(offsets, order);
            pick(items, &picked);
            *offsets = new_offsets;
        }
    }
}

fn pick<T: Copy + Default>(values: &mut Vec<T>, order: &[u32]) {
    *values = order.iter().map(|&row| values.get(row as usize).copied().unwrap_or_default()).collect();
}

fn bits(map: &Bitmap, order: &[u32]) -> Bitmap {
    let mut out = Bitmap::default();
    order.iter().for_each(|&row| out.push(map.get(row as usize)));
    out
}

fn texts(from: &Strings, order: &[u32]) -> Strings {
    let mut out = Strings::default();
    out.offsets.reserve_exact(order.len());
    out.bytes.reserve_exact(from.bytes.len());
    for &row in order {
        if let (Some(&start), Some(&end)) = (from.offsets.get(row as usize), from.offsets.get(row as usize + 1)) {
            out.bytes.extend_from_slice(from.bytes.get(start as usize..end as usize).unwrap_or_default());
        }
        out.offsets.push(out.bytes.len() as i32);
    }
    out
}

/// The offsets of reordered lists, and the order of their items.
fn lists(offsets: &[i32], order: &[u32]) -> (Vec<i32>, Vec<u32>) {
    let (mut out, mut items) = (vec![0], Vec::new());
    for &row in order {
        if let (Some(&start), Some(&end)) = (offsets.get(row as usize), offsets.get(row as usize + 1)) {
            items.extend(start as u32..end as u32);
        }
        out.push(items.len() as i32);
    }
    (out, items)
}
