//! State for each session, with a bound that holds when sessions are never closed.

use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Session ids are hashes already: one multiplication spreads their bits over the table.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let spread = u128::from(self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (spread >> 64) as u64 ^ spread as u64;
    }
}

type Map<S> = HashMap<u64, S, BuildHasherDefault<IdHasher>>;

/// State by `session_id`. At least the `limit` sessions used last are kept, never more than twice as many.
///
/// Two generations instead of a list of uses: a session moves to the young one when it is used; when the young one is
/// full, what is left in the old one is forgotten. A use costs one look-up, and the order depends on the input only.
pub struct Sessions<S> {
    young: Map<S>,
    old: Map<S>,
    limit: usize,
    forgotten: u64,
}

impl<S: Default> Sessions<S> {
    /// A table that keeps the `limit` (at least 1) sessions that were used last.
    pub fn new(limit: usize) -> Sessions<S> {
        Sessions { young: Map::default(), old: Map::default(), limit: limit.max(1), forgotten: 0 }
    }

    /// The state of a session, new if it has none.
    #[inline]
    pub fn get(&mut self, session_id: u64) -> &mut S {
        if self.young.len() >= self.limit && !self.young.contains_key(&session_id) {
            let state = self.old.remove(&session_id);
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.young.insert(session_id, state.unwrap_or_default());
        }
        match self.young.entry(session_id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.old.remove(&session_id).unwrap_or_default()),
        }
    }

    /// End a session; its state, if it had one.
    pub fn close(&mut self, session_id: u64) -> Option<S> {
        self.young.remove(&session_id).or_else(|| self.old.remove(&session_id))
    }

    /// Sessions that have a state.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// No session has a state.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sessions that were forgotten because there were too many at once.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::Sessions;

    #[test]
    fn a_session_keeps_its_state_until_it_is_closed() {
        let mut sessions = Sessions::<u32>::new(4);
        *sessions.get(7) = 1;
        *sessions.get(7) += 1;
        assert_eq!(sessions.close(7), Some(2));
        assert_eq!(sessions.close(7), None);
        assert_eq!(*sessions.get(7), 0);
    }

    #[test]
    fn the_sessions_used_last_are_kept_and_their_number_is_bounded() {
        let mut sessions = Sessions::<u64>::new(100);
        for id in 0..10_000 {
            *sessions.get(id) = id;
            *sessions.get(5) = 42;
            assert!(sessions.len() <= 200);
        }
        assert_eq!(*sessions.get(5), 42);
        for id in 9_901..10_000 {
            assert_eq!(*sessions.get(id), id);
        }
        assert!(sessions.forgotten() > 9_000);
    }
}
