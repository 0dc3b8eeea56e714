//! The sources of blocks: each has a reader that remembers half a frame at the end of a block.

use std::collections::BTreeMap;

use mf_packet::{Counters, Format, FrameReader};

/// Readers by the source's number.
#[derive(Debug, Default)]
pub struct Sources {
    open: BTreeMap<u32, Source>,
    /// counters of readers that are gone
    past: Counters,
}

struct Source {
    format: Format,
    flags: u32,
    link_type: u16,
    reader: FrameReader,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?}, flags {}, link type {})", self.format, self.flags, self.link_type)
    }
}

impl Sources {
    /// The reader of a source, made anew when its format changed.
    ///
    /// # Errors
    /// A sentence when there are more than `most` sources.
    pub fn reader(
        &mut self,
        number: u32,
        format: Format,
        flags: u32,
        link_type: u16,
        most: usize,
    ) -> Result<&mut FrameReader, String> {
        let full = self.open.len() >= most;
        let same = |source: &Source| (source.format, source.flags, source.link_type) == (format, flags, link_type);
        let fresh = || Source { format, flags, link_type, reader: FrameReader::new(format, flags, link_type) };
        match self.open.entry(number) {
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if !same(entry.get()) {
                    let mut old = entry.insert(fresh());
                    old.reader.finish();
                    self.past.merge(old.reader.counters());
                }
                Ok(&mut entry.into_mut().reader)
            }
            std::collections::btree_map::Entry::Vacant(_) if full => {
                Err(format!("source {number}: the engine has room for {most} sources (option sources)"))
            }
            std::collections::btree_map::Entry::Vacant(entry) => Ok(&mut entry.insert(fresh()).reader),
        }
    }

    /// No source goes on: half frames are counted.
    pub fn finish(&mut self) {
        for source in self.open.values_mut() {
            source.reader.finish();
            self.past.merge(source.reader.counters());
        }
        self.open.clear();
    }

    /// What was wrong with blocks.
    pub fn counters(&self) -> Counters {
        let mut all = self.past.clone();
        for source in self.open.values() {
            all.merge(source.reader.counters());
        }
        all
    }
}
