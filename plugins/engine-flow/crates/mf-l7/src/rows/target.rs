//! Which column a text of a message goes into.

use mf_column::Table;

use crate::abi::TEXT_COUNT;

/// Where a text of a message goes. One that is absent is not written (an unset text is empty, and costs nothing).
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Not into a column of its own.
    None,
    /// A column of texts.
    Text(usize),
    /// A column of few different texts.
    Word(usize),
}

impl Target {
    /// Those of all texts, from pairs of column and position.
    pub const fn all(texts: &[(usize, usize)], words: &[(usize, usize)]) -> [Target; TEXT_COUNT] {
        let mut targets = [Target::None; TEXT_COUNT];
        let mut at = 0;
        while at < texts.len() {
            targets[texts[at].1] = Target::Text(texts[at].0);
            at += 1;
        }
        at = 0;
        while at < words.len() {
            targets[words[at].1] = Target::Word(words[at].0);
            at += 1;
        }
        targets
    }

    /// Writes a text there.
    #[inline]
    pub fn write(self, table: &mut Table, value: &str) {
        match self {
            Target::None => {}
            Target::Text(column) => table.utf8(column, value),
            Target::Word(column) => table.word(column, value),
        }
    }
}
