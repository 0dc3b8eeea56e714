//! A registered parser and its batches.

use std::collections::VecDeque;

use super::description::ParserDescription;
use super::fault::FaultState;
use super::runtime::{Fault, Op, Runtime, Seen};
use crate::abi::{Batch, SegmentHead};

/// Parsers one engine can have: sets of them are bits of a u128.
pub const MAX_PARSERS: usize = 128;
/// Emptied batches kept for reuse.
const KEEP_SPARE: usize = 4;

/// One parser: its description, its runtime, the batches being filled and those that wait.
#[derive(Debug)]
pub struct Slot {
    /// What it says of itself.
    pub description: ParserDescription,
    /// `None` while the engine is calling it.
    pub runtime: Option<Runtime>,
    /// First bytes of flows, for `mf_check`.
    pub check: Batch,
    /// Segments, for `mf_parse`.
    pub parse: Batch,
    /// Full batches of an external parser, with their size in sum.
    sealed: VecDeque<(Op, Batch)>,
    sealed_bytes: usize,
    /// The batch the host has.
    pub in_flight: Option<(Op, Batch)>,
    spare: Vec<Batch>,
    /// Its faults.
    pub faults: FaultState,
    /// Counts restarts: sessions confirmed before the last one are new to the instance.
    pub epoch: u32,
    /// It takes segments one by one, where they lie.
    pub direct: bool,
    /// The instance (`epoch`) that saw the first segments of `parse`, and its failure since.
    pub seen_epoch: u32,
    pub failed: Option<Fault>,
    /// The instance could not be made anew yet.
    pub dead: bool,
    /// It is asked in batches and said that it passes over bytes.
    pub announces: bool,
    /// Counts the batches that the host took.
    pub round: u32,
}

impl Slot {
    /// A parser that has seen nothing.
    pub fn new(description: ParserDescription, runtime: Runtime) -> Self {
        let direct = matches!(&runtime, Runtime::Native(native) if native.takes_segments());
        Slot {
            direct,
            seen_epoch: 0,
            failed: None,
            description,
            runtime: Some(runtime),
            check: Batch::default(),
            parse: Batch::default(),
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            in_flight: None,
            spare: Vec::new(),
            faults: FaultState::default(),
            epoch: 0,
            dead: false,
            announces: false,
            round: 0,
        }
    }

    /// Whether the host runs it.
    pub fn is_external(&self) -> bool {
        matches!(self.runtime, Some(Runtime::External))
    }

    /// The batch being filled for an operation.
    pub fn filling(&mut self, op: Op) -> &mut Batch {
        match op {
            Op::Check => &mut self.check,
            Op::Parse => &mut self.parse,
        }
    }

    /// Adds a segment to the batch being filled.
    #[inline]
    pub fn push(&mut self, op: Op, head: SegmentHead, payload: &[u8]) {
        self.filling(op).push(head, payload);
    }

    /// Shows a segment to a parser that takes them one by one, and notes it in the batch. `None`: it can not be shown now
    /// and was not noted. A failure is kept in `failed`, and the segment's payload in the batch.
    #[inline]
    pub fn show(&mut self, head: SegmentHead, payload: &[u8]) -> Option<Seen> {
        if !self.direct || self.dead || self.parse.is_behind() {
            return None;
        }
        let Some(Runtime::Native(native)) = &mut self.runtime else {
            return None;
        };
        if !self.parse.has_seen() {
            self.seen_epoch = self.epoch;
        }
        let seen = native.segment(&head.encode(payload.len()), payload).unwrap_or_else(|fault| {
            self.failed = Some(fault);
            Seen { passes: 0, withdrew: true }
        });
        self.parse.push_seen(head, payload, seen.withdrew);
        Some(seen)
    }

    /// Whether a segment that comes now can be shown now, for all that is known of the parser.
    #[inline]
    pub fn shows_at_once(&self, clock: u64) -> bool {
        self.direct && !self.dead && !self.parse.is_behind() && !self.faults.is_quarantined(clock)
    }

    /// Whether segments wait to be shown to a parser that takes them one by one.
    #[inline]
    pub fn is_behind(&self) -> bool {
        self.direct && self.parse.is_behind()
    }

    /// Takes the batch being filled and starts an empty one.
    pub fn take_filling(&mut self, op: Op) -> Batch {
        let empty = self.spare.pop().unwrap_or_default();
        std::mem::replace(self.filling(op), empty)
    }

    /// Gives an emptied batch's memory back.
    pub fn recycle(&mut self, mut batch: Batch) {
        if self.spare.len() < KEEP_SPARE {
            batch.clear();
            self.spare.push(batch);
        }
    }

    /// Bytes that wait in sealed batches.
    pub fn sealed_bytes(&self) -> usize {
        self.sealed_bytes
    }

    /// The batches for `mf_parse` that wait, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Batch> {
        let sealed = self.sealed.iter().filter(|(op, _)| *op == Op::Parse).map(|(_, batch)| batch);
        sealed.chain(std::iter::once(&self.parse))
    }

    /// Packet clock of the oldest segment that waits to be run or is with the host, the largest number when none does.
    pub fn oldest(&self) -> u64 {
        let sealed = self.sealed.iter().chain(&self.in_flight).map(|(_, batch)| batch.oldest());
        sealed.fold(self.check.oldest().min(self.parse.oldest()), u64::min)
    }

    /// Whether nothing waits to be run.
    pub fn is_idle(&self) -> bool {
        self.check.is_empty() && self.parse.is_empty() && self.sealed.is_empty() && self.in_flight.is_none()
    }

    /// Moves the batch being filled to those that wait for the host.
    pub fn seal(&mut self, op: Op) {
        let batch = self.take_filling(op);
        if batch.is_empty() {
            self.recycle(batch);
            return;
        }
        self.sealed_bytes += batch.bytes().len();
        self.sealed.push_back((op, batch));
    }

    /// The next batch for the host: sealed ones in order, then what is being filled.
    pub fn next_batch(&mut self) -> Option<(Op, Batch)> {
        if self.sealed.is_empty() {
            self.seal(Op::Check);
            self.seal(Op::Parse);
        }
        let (op, batch) = self.sealed.pop_front()?;
        self.round = self.round.wrapping_add(1);
        self.sealed_bytes = self.sealed_bytes.saturating_sub(batch.bytes().len());
        Some((op, batch))
    }
}
