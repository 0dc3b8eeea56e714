//! The history of inference, kept only when it is asked for.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::stamp::Stamp;

/// Flows whose history is kept for [`Explain::text`].
const MAX_FLOWS: usize = 1 << 16;
/// Steps kept of all flows.
const MAX_TOTAL: usize = 1 << 18;
/// Steps kept of one flow.
const MAX_STEPS: usize = 256;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it came about.
    pub stamp: Stamp,
    /// The parser's name, empty for `give_up`.
    pub parser: String,
    /// candidate, check, confirm, refuse, violate, give_up.
    pub op: &'static str,
    /// no, more, request, response, or empty.
    pub verdict: &'static str,
    /// Byte of the flow's direction it is about.
    pub offset: u64,
    /// In words.
    pub reason: String,
}

/// What a second of packets may add to the rows of a live engine.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    steps: u32,
    second: u64,
    left: u32,
}

impl Rate {
    /// Whether one more fits into the second of `clock`; time that runs back begins no new second.
    fn admits(&mut self, clock: u64) -> bool {
        let second = clock / 1_000_000_000;
        if second > self.second {
            (self.second, self.left) = (second, self.steps);
        }
        let fits = self.left > 0;
        self.left -= u32::from(fits);
        fits
    }
}

/// Steps by flow, and those that wait to become rows.
#[derive(Debug, Default)]
pub struct Explain {
    enabled: bool,
    rate: Rate,
    flows: BTreeMap<u64, Vec<Step>>,
    fresh: Vec<(u64, Step)>,
    total: usize,
}

impl Explain {
    /// With `enabled` every step becomes a row and is kept for [`Explain::text`]; otherwise so many steps a second become rows and
    /// nothing is kept.
    pub fn new(enabled: bool, steps_per_second: u32) -> Self {
        Explain { enabled, rate: Rate { steps: steps_per_second, ..Rate::default() }, ..Explain::default() }
    }

    /// Whether steps are kept; ask before making one.
    #[inline]
    pub fn is_enabled(&self) -> bool {
        self.enabled || self.rate.steps > 0
    }

    /// Keeps a step; false when the second has had its share.
    #[must_use]
    pub fn add(&mut self, flow_id: u64, step: Step) -> bool {
        if !self.enabled {
            let fits = self.rate.admits(step.stamp.clock);
            if fits {
                self.fresh.push((flow_id, step));
            }
            return fits;
        }
        if self.total < MAX_TOTAL && (self.flows.len() < MAX_FLOWS || self.flows.contains_key(&flow_id)) {
            let steps = self.flows.entry(flow_id).or_default();
            if steps.len() < MAX_STEPS {
                steps.push(step.clone());
                self.total += 1;
            }
        }
        self.fresh.push((flow_id, step));
        true
    }

    /// The steps since the last call, for the `explain` table.
    pub fn take_fresh(&mut self) -> Vec<(u64, Step)> {
        std::mem::take(&mut self.fresh)
    }

    /// One flow's steps, one line each: time, op, parser, verdict, offset, reason, separated by tabs.
    pub fn text(&self, flow_id: u64) -> String {
        let mut out = String::new();
        for step in self.flows.get(&flow_id).into_iter().flatten() {
            let time_ns = step.stamp.clock;
            let Step { parser, op, verdict, offset, reason, .. } = step;
            let _ = writeln!(out, "{time_ns}\t{op}\t{parser}\t{verdict}\t{offset}\t{reason}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Explain, Step};
    use crate::stamp::Stamp;

    fn step(clock: u64) -> Step {
        let stamp = Stamp { clock, ..Stamp::default() };
        Step { stamp, parser: String::new(), op: "confirm", verdict: "", offset: 0, reason: String::new() }
    }

    #[test]
    fn a_live_engine_writes_so_many_steps_a_second_and_keeps_none() {
        let mut explain = Explain::new(false, 2);
        let second = 1_000_000_000;
        let kept: Vec<bool> = [second, second, second + 5, 2 * second, second, 2 * second]
            .map(|clock| explain.add(7, step(clock)))
            .to_vec();
        assert_eq!(kept, [true, true, false, true, true, false]);
        assert_eq!(explain.take_fresh().len(), 4);
        assert_eq!(explain.text(7), "");
    }

    #[test]
    fn nothing_is_kept_when_nobody_asks() {
        assert!(!Explain::new(false, 0).is_enabled());
        assert!(Explain::new(false, 1).is_enabled() && Explain::new(true, 0).is_enabled());
    }
}
