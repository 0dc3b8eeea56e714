//! Stretches of time that are open at once.

use super::store::Store;

/// Open windows of one width. Times are nanoseconds.
#[derive(Debug)]
pub struct Windows<K, M> {
    width_ns: u64,
    /// ordered by start; few
    open: Vec<Window<K, M>>,
}

/// The keys of one stretch of time.
#[derive(Debug)]
pub struct Window<K, M> {
    /// first nanosecond
    pub start_ns: u64,
    /// what was counted in it
    pub store: Store<K, M>,
}

impl<K: Ord, M: Default> Windows<K, M> {
    pub fn new(width_ns: u64) -> Self {
        Windows { width_ns, open: Vec::new() }
    }

    /// The window that holds a time, opened if need be.
    #[inline]
    pub fn at(&mut self, time_ns: u64) -> &mut Store<K, M> {
        let start_ns = time_ns - time_ns % self.width_ns;
        // Time mostly goes forward: the window wanted is the last or next to last.
        let index = match self.open.iter().rposition(|window| window.start_ns <= start_ns) {
            Some(index) if self.open[index].start_ns == start_ns => index,
            found => {
                let index = found.map_or(0, |before| before + 1);
                self.open.insert(index, Window { start_ns, store: Store::new() });
                index
            }
        };
        &mut self.open[index].store
    }

    /// Keys in all open windows.
    pub fn keys(&self) -> usize {
        self.open.iter().map(|window| window.store.len()).sum()
    }

    /// Takes the oldest window if it ended at least `delay_ns` before `now_ns`.
    pub fn close_before(&mut self, now_ns: u64, delay_ns: u64) -> Option<Window<K, M>> {
        let end = self.open.first()?.start_ns.saturating_add(self.width_ns).saturating_add(delay_ns);
        (end <= now_ns).then(|| self.open.remove(0))
    }

    /// Takes the oldest window when there are more than `keys` keys.
    pub fn close_excess(&mut self, keys: usize) -> Option<Window<K, M>> {
        (self.keys() > keys).then(|| self.open.remove(0))
    }
}
