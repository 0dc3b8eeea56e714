//! Counters by (stage, reason): every packet that is not fully used ends up in one of them.

/// One counter: how often `reason` happened in `stage`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counter {
    /// The step of the data path, e.g. `frame`, `link`, `ip`, `transport`, `flow`.
    pub stage: &'static str,
    /// What happened, e.g. `truncated_header`.
    pub reason: &'static str,
    /// How often.
    pub value: u64,
}

/// A small set of counters. Reasons are compile-time texts, so the set is bounded by the code, not by the input.
#[derive(Clone, Default, Debug)]
pub struct Counters {
    rows: Vec<Counter>,
}

impl Counters {
    /// No counters yet.
    pub const fn new() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds one.
    #[inline]
    pub fn hit(&mut self, stage: &'static str, reason: &'static str) {
        self.add(stage, reason, 1);
    }

    /// Adds `value` (the sum stops at `u64::MAX`).
    #[cold]
    pub fn add(&mut self, stage: &'static str, reason: &'static str, value: u64) {
        // Texts of the same place are the same pointer nearly always, so try that first: it costs no memory access.
        let found = self
            .rows
            .iter()
            .position(|row| std::ptr::eq(row.reason, reason) && std::ptr::eq(row.stage, stage));
        let found = found.or_else(|| {
            self.rows
                .iter()
                .position(|row| row.reason == reason && row.stage == stage)
        });
        match found.and_then(|at| self.rows.get_mut(at)) {
            Some(row) => row.value = row.value.saturating_add(value),
            None => self.rows.push(Counter {
                stage,
                reason,
                value,
            }),
        }
    }

    /// The value of one counter, 0 when it was never hit.
    pub fn get(&self, stage: &str, reason: &str) -> u64 {
        self.rows
            .iter()
            .find(|row| row.reason == reason && row.stage == stage)
            .map_or(0, |row| row.value)
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Counters) {
        for row in &other.rows {
            self.add(row.stage, row.reason, row.value);
        }
    }

    /// All counters, ordered by stage and reason.
    pub fn sorted(&self) -> Vec<Counter> {
        let mut rows = self.rows.clone();
        rows.sort_unstable_by_key(|row| (row.stage, row.reason));
        rows
    }

    /// True when nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_merges_and_sorts() {
        let mut a = Counters::new();
        a.hit("link", "x");
        a.add("ip", "y", 4);
        let mut b = Counters::new();
        b.add("link", "x", u64::MAX);
        a.merge(&b);
        assert_eq!(a.get("link", "x"), u64::MAX);
        assert_eq!(a.get("link", "none"), 0);
        let order: Vec<_> = a.sorted().iter().map(|row| row.stage).collect();
        assert_eq!(order, ["ip", "link"]);
    }
}
