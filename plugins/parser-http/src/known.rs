//! Heads that were read before: what a head has in common with one of them is not read again.
//!
//! Messages of one kind mostly differ in their first line, and in one or two fields. A head is compared with one of the same
//! size that came before, and read from the line on in which they begin to differ; what the lines before it said is known.

use crate::fields::Use;
use metaflow_parser_sdk::Direction;

/// Heads that are remembered for each direction.
const HEADS: usize = 32;
/// Bytes of a head that are remembered, behind its first line.
const LONGEST: usize = 1024;

/// The heads that were read last, by direction and size.
pub(crate) struct Memory(Vec<Known>);

impl Default for Memory {
    fn default() -> Memory {
        Memory((0..2 * HEADS).map(|_| Known::default()).collect())
    }
}

impl Memory {
    /// The head that `size` bytes from a direction are compared with, and that the one they begin with takes the place of. Any
    /// would do: this one is likely to be of the same kind.
    #[inline]
    pub fn like(&mut self, direction: Direction, size: usize) -> &mut Known {
        &mut self.0[direction.index() * HEADS + size % HEADS]
    }
}

/// What a line says that is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// The value of a field.
    Field(Use),
    /// A trace: start and end of its name.
    Trace(u16, u16),
}

/// A value of interest; all positions count from behind the first line of the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    /// Where its line starts.
    pub line: u16,
    pub says: Says,
    /// Start and end of the value.
    value: [u16; 2],
}

impl Fact {
    /// The value in bytes that are those of the head.
    #[inline]
    pub fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(usize::from(self.value[0])..usize::from(self.value[1])).unwrap_or_default()
    }
}

/// A head without its first line.
#[derive(Default)]
pub(crate) struct Known {
    bytes: Vec<u8>,
    /// `bytes` are all of the head, with its empty line.
    is_whole: bool,
    /// Where fields start, folded lines not counted.
    starts: Vec<u16>,
    facts: Vec<Fact>,
    /// The head that is being read is remembered so far.
    is_kept: bool,
}

impl Known {
    /// How many bytes need not be read, and whether that is the whole head. Otherwise a field starts behind them.
    #[inline]
    pub fn common(&mut self, bytes: &[u8]) -> (usize, bool) {
        if self.is_whole && bytes.starts_with(&self.bytes) {
            return (self.bytes.len(), true);
        }
        (self.part(bytes), false)
    }

    /// Go back to the last line that begins alike: that it does says that the one before it is not folded there either.
    fn part(&mut self, bytes: &[u8]) -> usize {
        let alike = alike(&self.bytes, bytes);
        let before = self.starts.iter().rposition(|start| usize::from(*start) < alike).unwrap_or(0);
        let from = self.starts.get(before).copied().unwrap_or(0);
        self.starts.truncate(before);
        let facts = self.facts.iter().rposition(|fact| fact.line < from).map_or(0, |last| last + 1);
        self.facts.truncate(facts);
        self.bytes.truncate(usize::from(from));
        (self.is_whole, self.is_kept) = (false, true);
        usize::from(from)
    }

    /// What the lines say that need not be read.
    #[inline]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// A field lies from `start` to `end`; the next one starts there.
    #[inline]
    pub fn line(&mut self, start: usize, end: usize) {
        if self.is_kept {
            self.starts.push(start as u16);
            // Of a longer one only the start is known: it is read again, and all behind it.
            self.is_kept = end <= LONGEST;
        }
    }

    /// The field that starts at `line` says this, with the value from `start` to `end`.
    #[inline]
    pub fn fact(&mut self, line: usize, says: Says, start: usize, end: usize) {
        if self.is_kept {
            self.facts.push(Fact { line: line as u16, says, value: [start as u16, end as u16] });
        }
    }

    /// The head, without its first line, was read to its end.
    #[inline]
    pub fn ends(&mut self, head: &[u8]) {
        self.is_whole = self.is_kept && head.len() <= LONGEST;
        self.bytes.extend_from_slice(head.get(self.bytes.len()..head.len().min(LONGEST)).unwrap_or_default());
    }
}

/// How many bytes two texts have in common from their start.
fn alike(one: &[u8], other: &[u8]) -> usize {
    let (mut left, mut right) = (one, other);
    while let (Some((a, behind_a)), Some((b, behind_b))) =
        (left.split_first_chunk::<16>(), right.split_first_chunk::<16>())
    {
        if a != b {
            break;
        }
        (left, right) = (behind_a, behind_b);
    }
    one.len() - left.len() + left.iter().zip(right).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn texts_are_alike_up_to_the_first_byte_that_differs() {
        for length in 0..70 {
            let text: Vec<u8> = (0..length).collect();
            assert_eq!(alike(&text, &text), text.len());
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert_eq!((alike(&text, &other), alike(&text, &text[..at]), alike(&text[..at], &text)), (at, at, at));
            }
        }
    }
}
