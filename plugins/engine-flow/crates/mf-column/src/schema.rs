//! What a table looks like: names and types, known at compile time.

/// The type of a column. Numbers in brackets are the ids of the `MFT1` image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// unsigned 8 bit (1)
    U8 = 1,
    /// unsigned 16 bit (2)
    U16 = 2,
    /// unsigned 32 bit (3)
    U32 = 3,
    /// unsigned 64 bit (4)
    U64 = 4,
    /// signed 32 bit (5)
    I32 = 5,
    /// signed 64 bit (6)
    I64 = 6,
    /// IEEE double (7)
    F64 = 7,
    /// one bit a row (8)
    Bool = 8,
    /// UTF-8 text with 32-bit offsets (9)
    Utf8 = 9,
    /// 16 bytes, e.g. an IPv6 address in network order (10)
    Fixed16 = 10,
    /// list of texts (11)
    ListUtf8 = 11,
    /// list of doubles (12)
    ListF64 = 12,
    /// text of few different values: 32-bit indices into a dictionary of the batch (13)
    DictUtf8 = 13,
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// the catalogue's name
    pub name: &'static str,
    /// how values are stored
    pub ty: Type,
    /// whether an unset value is null (true) or zero / empty (false)
    pub nullable: bool,
    /// whether batches in which no row set it come without it
    pub optional: bool,
    /// whether an unset value is that of the row before (zero in the first row)
    pub repeats: bool,
}

impl Field {
    /// A column in which an unset value is zero or empty.
    pub const fn new(name: &'static str, ty: Type) -> Self {
        Field { name, ty, nullable: false, optional: false, repeats: false }
    }

    /// A column in which an unset value is null.
    pub const fn nullable(name: &'static str, ty: Type) -> Self {
        Field { name, ty, nullable: true, optional: false, repeats: false }
    }

    /// A column in which an unset value is that of the row before, zero or empty in the first row. Not for plain texts and
    /// lists, whose unset values are empty.
    pub const fn repeating(name: &'static str, ty: Type) -> Self {
        Field { name, ty, nullable: false, optional: false, repeats: true }
    }

    /// A column in which an unset value is zero or empty; a batch in which no row set it comes without it.
    pub const fn optional(name: &'static str, ty: Type) -> Self {
        Field { name, ty, nullable: false, optional: true, repeats: false }
    }
}

/// A table's name and columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// the table's name in the catalogue, e.g. `l7_flow_log` or `network.1s`
    pub name: &'static str,
    /// the columns in order
    pub fields: &'static [Field],
}

impl Schema {
    /// The index of a column. Meant for constants: an unknown name then fails the build.
    ///
    /// # Panics
    /// When no column has that name (at compile time in a `const`).
    pub const fn column(&self, name: &str) -> usize {
        match self.find(name) {
            Some(index) => index,
            None => panic!("the schema has no column of this name"),
        }
    }

    /// The index of a column, `None` when there is none of that name.
    pub const fn find(&self, name: &str) -> Option<usize> {
        let mut index = 0;
        while index < self.fields.len() {
            if same(self.fields[index].name.as_bytes(), name.as_bytes()) {
                return Some(index);
            }
            index += 1;
        }
        None
    }
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}
