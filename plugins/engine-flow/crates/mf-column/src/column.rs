//! One column under construction.

use crate::bitmap::Bitmap;
use crate::schema::{Field, Type};
use crate::strings::{Dict, Strings};

/// The values of a column in Arrow's layout.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    Bool(Bitmap),
    Utf8(Strings),
    Dict(Dict),
    Fixed16(Vec<[u8; 16]>),
    ListUtf8(Vec<i32>, Strings),
    ListF64(Vec<i32>, Vec<f64>),
}

impl Data {
    fn new(ty: Type) -> Self {
        match ty {
            Type::U8 => Data::U8(Vec::new()),
            Type::U16 => Data::U16(Vec::new()),
            Type::U32 => Data::U32(Vec::new()),
            Type::U64 => Data::U64(Vec::new()),
            Type::I32 => Data::I32(Vec::new()),
            Type::I64 => Data::I64(Vec::new()),
            Type::F64 => Data::F64(Vec::new()),
            Type::Bool => Data::Bool(Bitmap::default()),
            Type::Utf8 => Data::Utf8(Strings::default()),
            Type::DictUtf8 => Data::Dict(Dict::default()),
            Type::Fixed16 => Data::Fixed16(Vec::new()),
            Type::ListUtf8 => Data::ListUtf8(vec![0], Strings::default()),
            Type::ListF64 => Data::ListF64(vec![0], Vec::new()),
        }
    }

    /// Makes room for as much as `last` holds and a little more: batches are not all of one size, and growing copies.
    fn reserve_like(&mut self, last: &Data) {
        let more = |length: usize| length + length / 8;
        match (self, last) {
            (Data::U8(v), Data::U8(last)) => v.reserve_exact(more(last.len())),
            (Data::U16(v), Data::U16(last)) => v.reserve_exact(more(last.len())),
            (Data::U32(v), Data::U32(last)) => v.reserve_exact(more(last.len())),
            (Data::U64(v), Data::U64(last)) => v.reserve_exact(more(last.len())),
            (Data::I32(v), Data::I32(last)) => v.reserve_exact(more(last.len())),
            (Data::I64(v), Data::I64(last)) => v.reserve_exact(more(last.len())),
            (Data::F64(v), Data::F64(last)) => v.reserve_exact(more(last.len())),
            (Data::Fixed16(v), Data::Fixed16(last)) => v.reserve_exact(more(last.len())),
            (Data::Dict(v), Data::Dict(last)) => v.indices.reserve_exact(more(last.indices.len())),
            (Data::Utf8(v), Data::Utf8(last)) => {
                v.offsets.reserve_exact(more(last.offsets.len()));
                v.bytes.reserve_exact(more(last.bytes.len()));
            }
            _ => {}
        }
    }

    fn extend_zero(&mut self, count: usize) {
        fn zeros<T: Clone + Default>(values: &mut Vec<T>, count: usize) {
            values.resize(values.len() + count, T::default());
        }
        match self {
            Data::U8(v) => zeros(v, count),
            Data::U16(v) => zeros(v, count),
            Data::U32(v) => zeros(v, count),
            Data::U64(v) => zeros(v, count),
            Data::I32(v) => zeros(v, count),
            Data::I64(v) => zeros(v, count),
            Data::F64(v) => zeros(v, count),
            Data::Bool(v) => v.extend(count, false),
            Data::Utf8(v) => v.extend_empty(count),
            Data::Dict(v) => v.extend_empty(count),
            Data::Fixed16(v) => zeros(v, count),
            Data::ListUtf8(offsets, items) => offsets.resize(offsets.len() + count, items.len() as i32),
            Data::ListF64(offsets, items) => offsets.resize(offsets.len() + count, items.len() as i32),
        }
    }

    /// Appends the last value again; what has no width is empty.
    fn extend_last(&mut self, count: usize) {
        fn again<T: Copy + Default>(values: &mut Vec<T>, count: usize) {
            let last = values.last().copied().unwrap_or_default();
            values.resize(values.len() + count, last);
        }
        match self {
            Data::U8(v) => again(v, count),
            Data::U16(v) => again(v, count),
            Data::U32(v) => again(v, count),
            Data::U64(v) => again(v, count),
            Data::I32(v) => again(v, count),
            Data::I64(v) => again(v, count),
            Data::F64(v) => again(v, count),
            Data::Fixed16(v) => again(v, count),
            Data::Dict(v) => again(&mut v.indices, count),
            Data::Bool(v) => {
                let last = v.get(v.len().wrapping_sub(1));
                v.extend(count, last);
            }
            Data::Utf8(_) | Data::ListUtf8(..) | Data::ListF64(..) => self.extend_zero(count),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Data::U8(v) => v.truncate(len),
            Data::U16(v) => v.truncate(len),
            Data::U32(v) => v.truncate(len),
            Data::U64(v) => v.truncate(len),
            Data::I32(v) => v.truncate(len),
            Data::I64(v) => v.truncate(len),
            Data::F64(v) => v.truncate(len),
            Data::Bool(v) => v.truncate(len),
            Data::Utf8(v) => v.truncate(len),
            Data::Dict(v) => v.indices.truncate(len),
            Data::Fixed16(v) => v.truncate(len),
            Data::ListUtf8(offsets, items) => {
                offsets.truncate(len + 1);
                items.truncate(offsets.last().copied().unwrap_or(0) as usize);
            }
            Data::ListF64(offsets, items) => {
                offsets.truncate(len + 1);
                items.truncate(offsets.last().copied().unwrap_or(0) as usize);
            }
        }
    }
}

/// Values, validity and the number of rows written so far (unset rows at the end are not written yet).
#[derive(Clone, Debug)]
pub(crate) struct Column {
    ty: Type,
    nullable: bool,
    optional: bool,
    repeats: bool,
    len: usize,
    /// something was pushed since the last `take`
    touched: bool,
    pub null_count: usize,
    /// present from the first null on
    pub validity: Option<Bitmap>,
    pub data: Data,
}

impl Column {
    pub fn new(field: &Field) -> Self {
        Column {
            ty: field.ty,
            nullable: field.nullable,
            optional: field.optional,
            repeats: field.repeats,
            len: 0,
            touched: false,
            null_count: 0,
            validity: None,
            data: Data::new(field.ty),
        }
    }

    /// Makes the column exactly `rows` long, so that the next value is that of row `rows`. A value that this row already
    /// has is dropped: the last write wins.
    #[inline]
    pub fn align(&mut self, rows: usize) {
        if self.len != rows {
            self.realign(rows);
        }
    }

    /// The same for a column of texts, where the row before often has none: requests and responses take turns.
    #[inline]
    pub fn leave_empty(&mut self, rows: usize) {
        if self.len != rows {
            self.leave(rows);
        }
    }

    #[inline(never)]
    fn leave(&mut self, rows: usize) {
        if self.len + 1 == rows && !self.nullable && !self.repeats {
            let is_left = match &mut self.data {
                Data::Utf8(values) => values.push_empty(),
                Data::Dict(values) => values.push_empty(),
                _ => false,
            };
            if is_left {
                self.len = rows;
                return;
            }
        }
        self.realign(rows);
    }

    #[cold]
    fn realign(&mut self, rows: usize) {
        if self.len > rows {
            self.data.truncate(rows);
            if let Some(map) = &mut self.validity {
                map.truncate(rows);
                self.null_count = (0..rows).filter(|row| !map.get(*row)).count();
            }
        } else {
            let missing = rows - self.len;
            if self.nullable {
                self.validity.get_or_insert_with(|| Bitmap::filled(self.len, true)).extend(missing, false);
                self.null_count += missing;
            }
            if self.repeats && self.len > 0 {
                self.data.extend_last(missing);
            } else {
                self.data.extend_zero(missing);
            }
        }
        self.len = rows;
    }

    /// Whether a value was written since the last `take`.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// Whether a batch has the column.
    pub fn is_there(&self) -> bool {
        !self.optional || self.touched
    }

    /// Counts a value that was just pushed to `data`.
    #[inline]
    pub fn pushed(&mut self) {
        self.len += 1;
        self.touched = true;
        if let Some(map) = &mut self.validity {
            map.push(true);
        }
    }

    /// Counts values that were just added to `data`.
    pub fn filled(&mut self, count: usize) {
        self.len += count;
        self.touched |= count > 0;
        if let Some(map) = &mut self.validity {
            map.extend(count, true);
        }
    }

    /// The same where some of them are null.
    pub fn filled_partly(&mut self, are_set: impl ExactSizeIterator<Item = bool> + Clone) {
        let nulls = are_set.clone().filter(|is_set| !is_set).count();
        if nulls == 0 {
            return self.filled(are_set.len());
        }
        let map = self.validity.get_or_insert_with(|| Bitmap::filled(self.len, true));
        self.len += are_set.len();
        self.touched = true;
        self.null_count += nulls;
        map.push_all(are_set);
    }

    /// Ends the column at `rows` and leaves an empty one, with room for as much again when something was pushed: the next
    /// batch is likely to be of this size, and growing by doubling would copy it several times.
    pub fn take(&mut self, rows: usize) -> Column {
        if self.is_there() {
            self.align(rows);
        }
        let field =
            Field { name: "", ty: self.ty, nullable: self.nullable, optional: self.optional, repeats: self.repeats };
        let full = std::mem::replace(self, Column::new(&field));
        if full.touched && rows <= MOST_RESERVED {
            self.data.reserve_like(&full.data);
        }
        full
    }
}

/// Rows above which no room is made in advance.
const MOST_RESERVED: usize = 1 << 16;
