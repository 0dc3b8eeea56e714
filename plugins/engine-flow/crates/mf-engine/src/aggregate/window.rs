//! Stretches of time that are open at once.

use super::store::Store;

/// Open windows of one width. Times are nanoseconds.
#[derive(Debug)]
pub struct Windows<K, M> {
    width_ns: u64,
    /// ordered by start; few
    open: Vec<Window<K, M>>,
    /// windows opened so far
    opened: u64,
}

/// The keys of one stretch of time.
#[derive(Debug)]
pub struct Window<K, M> {
    /// first nanosecond
    pub start_ns: u64,
    /// what was counted in it
    pub store: Store<K, M>,
    /// which window it is; no other of these windows has the number
    number: u64,
}

/// Where the meter of a key was last, so that a flow finds it again without its hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spot {
    /// number of the window, 0 when nothing is known
    window: u64,
    index: u32,
}

impl<K: Ord, M: Default> Window<K, M> {
    /// The meter of a key, made when the key is new. It is looked for at `spot` first, where `still` says whether the key
    /// there is the one; then `spot` is set to where it is.
    #[inline]
    pub fn meter(
        &mut self,
        spot: &mut Spot,
        still: impl FnOnce(&K) -> bool,
        hash: impl FnOnce() -> u64,
        same: impl Fn(&K) -> bool,
        make: impl FnOnce() -> K,
    ) -> &mut M {
        let is_known = spot.window == self.number && self.store.key(spot.index).is_some_and(still);
        if !is_known {
            *spot = Spot { window: self.number, index: self.store.place(hash(), same, make) };
        }
        self.store.at(spot.index)
    }
}

impl<K: Ord, M: Default> Windows<K, M> {
    pub fn new(width_ns: u64) -> Self {
        Windows { width_ns, open: Vec::new(), opened: 0 }
    }

    /// The window that holds a time, opened if need be.
    #[inline(always)]
    pub fn at(&mut self, time_ns: u64) -> &mut Window<K, M> {
        // Time mostly goes forward: the window wanted is the last or next to last.
        let last = self.open.len().wrapping_sub(1);
        let is_last = self.open.get(last).is_some_and(|window| time_ns.wrapping_sub(window.start_ns) < self.width_ns);
        let index = if is_last { last } else { self.find(time_ns) };
        &mut self.open[index]
    }

    #[inline(never)]
    fn find(&mut self, time_ns: u64) -> usize {
        let start_ns = time_ns - time_ns % self.width_ns;
        match self.open.iter().rposition(|window| window.start_ns <= start_ns) {
            Some(index) if self.open[index].start_ns == start_ns => index,
            found => {
                let index = found.map_or(0, |before| before + 1);
                self.opened += 1;
                self.open.insert(index, Window { start_ns, store: Store::new(), number: self.opened });
                index
            }
        }
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
