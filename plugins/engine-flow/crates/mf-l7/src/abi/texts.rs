//! The texts of one message.

use super::ids::col;

/// Number of text columns (ids 16 to 32).
pub const TEXT_COUNT: usize = (col::LAST_TEXT - col::FIRST_TEXT) as usize + 1;

/// The texts of one message by position ([`super::ids::text`]); absent is empty. Which are there is kept beside them: most
/// messages have few, and those who copy or write them look at no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts<'a>(pub [&'a str; TEXT_COUNT], Positions);

/// Positions of texts that are there, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions(u32);

impl Positions {
    /// Those of either.
    #[inline]
    pub fn or(self, other: Positions) -> Positions {
        Positions(self.0 | other.0)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[inline]
    pub fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the position is one of them.
    #[inline]
    pub fn has(self, position: usize) -> bool {
        self.0 >> position & 1 == 1
    }
}

impl Iterator for Positions {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let lowest = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (lowest < TEXT_COUNT).then_some(lowest)
    }
}

impl<'a> Texts<'a> {
    /// No text at all.
    pub const NONE: Texts<'static> = Texts([""; TEXT_COUNT], Positions(0));

    /// Sets the text of a position; an empty one changes nothing.
    #[inline]
    pub fn put(&mut self, position: usize, text: &'a str) {
        if let (Some(slot), false) = (self.0.get_mut(position), text.is_empty()) {
            *slot = text;
            self.1 .0 |= 1 << position;
        }
    }

    /// Forgets all texts.
    #[inline]
    pub fn clear(&mut self) {
        for position in std::mem::replace(&mut self.1, Positions(0)) {
            self.0[position] = "";
        }
    }

    /// The positions of texts that are not empty.
    #[inline]
    pub fn positions(&self) -> Positions {
        self.1
    }

    /// These texts, with those of `other` where there is none.
    pub fn or(&self, other: &Texts<'a>) -> Texts<'a> {
        let mut out = *self;
        for position in other.positions() {
            if !self.1.has(position) {
                out.put(position, other.0[position]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_texts_that_are_there() {
        let mut texts = Texts::NONE;
        texts.put(3, "before");
        texts.clear();
        assert_eq!(texts, Texts::NONE);
        for (position, text) in [(3, ""), (16, "b"), (0, "c"), (0, ""), (99, "d")] {
            texts.put(position, text);
        }
        assert_eq!(texts.positions().collect::<Vec<_>>(), [0, 16]);
        let mut other = Texts::NONE;
        other.put(0, "other");
        other.put(5, "lent");
        let both = texts.or(&other);
        assert_eq!((both.0[0], both.0[5], both.0[16]), ("c", "lent", "b"));
        assert_eq!((both.positions().count(), Texts::NONE.positions().is_empty()), (3, true));
    }
}
