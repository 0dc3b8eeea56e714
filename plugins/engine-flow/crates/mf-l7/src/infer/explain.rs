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

/// Steps by flow, and those that wait to become rows.
#[derive(Debug, Default)]
pub struct Explain {
    enabled: bool,
    flows: BTreeMap<u64, Vec<Step>>,
    fresh: Vec<(u64, Step)>,
    total: usize,
}

impl Explain {
    /// A history that keeps steps only when `enabled`.
    pub fn new(enabled: bool) -> Self {
        Explain { enabled, ..Explain::default() }
    }

    /// Whether steps are kept; ask before making one.
    #[inline]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Keeps a step.
    pub fn add(&mut self, flow_id: u64, step: Step) {
        if !self.enabled {
            return;
        }
        if self.total < MAX_TOTAL && (self.flows.len() < MAX_FLOWS || self.flows.contains_key(&flow_id)) {
            let steps = self.flows.entry(flow_id).or_default();
            if steps.len() < MAX_STEPS {
                steps.push(step.clone());
                self.total += 1;
            }
        }
        self.fresh.push((flow_id, step));
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
