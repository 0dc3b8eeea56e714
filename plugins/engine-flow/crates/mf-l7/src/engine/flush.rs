//! Handing batches to parsers and working in what they say.

use super::core::Core;
use crate::abi::ids::KIND_CLOSE;
use crate::abi::{Batch, Checks, Records};
use crate::counters::Count;
use crate::parser::{run, Fault, Op, Runtime, Slot};
use crate::rows::write_step;
use crate::session::State;
use crate::sink::L7Sink;

impl Core {
    /// A batch has no room: run it, or seal it for the host.
    pub fn full(&mut self, parser: u16, op: Op, sink: &mut dyn L7Sink) {
        let Some(slot) = self.parsers.get_mut(usize::from(parser)) else {
            return;
        };
        if slot.is_external() {
            slot.seal(op);
        } else {
            self.run_batch(parser, op, sink);
        }
    }

    /// Runs all native batches until none is left, verdicts first: a verdict can fill other batches.
    pub fn flush_native(&mut self, sink: &mut dyn L7Sink) {
        if self.busy {
            return;
        }
        self.batch_since = 0;
        loop {
            let mut progress = false;
            for op in [Op::Check, Op::Parse] {
                for parser in 0..self.parsers.len() {
                    let slot = &mut self.parsers[parser];
                    if !slot.is_external() && !slot.filling(op).is_empty() {
                        self.run_batch(parser as u16, op, sink);
                        progress = true;
                    }
                }
            }
            self.ask_learners(sink);
            let ready = self.parsers.iter().any(|slot| !slot.is_external() && !slot.is_idle());
            if !progress && !ready {
                break;
            }
        }
        self.expire_when_idle(sink);
        self.write_history();
    }

    /// Ends requests whose time is over. While a parser has something to say yet, an answer may be in it that came in time.
    pub fn expire_when_idle(&mut self, sink: &mut dyn L7Sink) {
        if self.learners.is_empty() && self.parsers.iter().all(Slot::is_idle) {
            self.expire_pairs(sink);
        }
    }

    fn run_batch(&mut self, parser: u16, op: Op, sink: &mut dyn L7Sink) {
        if self.busy {
            return;
        }
        let clock = self.clock;
        let Some(slot) = self.parsers.get_mut(usize::from(parser)) else {
            return;
        };
        let Some(mut runtime) = slot.runtime.take() else {
            return;
        };
        let batch = slot.take_filling(op);
        let quarantined = slot.faults.is_quarantined(clock);
        let mut dead = slot.dead;
        let mut failed = None;
        if op == Op::Parse && batch.has_seen() {
            failed = slot.failed.take();
            if slot.seen_epoch != slot.epoch {
                failed.get_or_insert_with(|| {
                    Fault::Trap("the parser was made anew before its messages were asked for".into())
                });
            }
        }
        self.busy = true;
        let mut fault = None;
        if let Runtime::Native(native) = &mut runtime {
            if dead && !quarantined {
                dead = native.restart().is_err();
            }
            let result = if let Some(fault) = failed {
                Err(fault)
            } else if dead || quarantined {
                Err(Fault::Trap("the parser is in quarantine".to_string()))
            } else {
                run(native.as_mut(), op, &batch)
            };
            let result = result.and_then(|bytes| self.apply(parser, op, &batch, bytes, sink));
            if let Err(what) = result {
                if !quarantined {
                    dead = native.restart().is_err();
                }
                fault = Some(what);
            }
        }
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            slot.runtime = Some(runtime);
            slot.dead = dead;
        }
        self.settle(parser, op, &batch, fault, sink);
        self.busy = false;
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            slot.recycle(batch);
        }
    }

    /// The host's result for the batch it has; empty bytes mean that the parser failed.
    pub fn complete(&mut self, bytes: &[u8], sink: &mut dyn L7Sink) -> Result<(), String> {
        let taken = self.work.take().and_then(|parser| {
            let slot = self.parsers.get_mut(usize::from(parser))?;
            Some((parser, slot.in_flight.take()?))
        });
        let Some((parser, (op, batch))) = taken else {
            return Err("complete: no work was handed out; call work first".to_string());
        };
        self.busy = true;
        let result = if bytes.is_empty() {
            Err(Fault::Trap("the host says that the parser failed".to_string()))
        } else {
            self.apply(parser, op, &batch, bytes, sink)
        };
        self.settle(parser, op, &batch, result.err(), sink);
        self.busy = false;
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            slot.recycle(batch);
        }
        self.flush_native(sink);
        Ok(())
    }

    fn apply(&mut self, parser: u16, op: Op, batch: &Batch, bytes: &[u8], sink: &mut dyn L7Sink) -> Result<(), Fault> {
        let lied = |what: crate::abi::Malformed| Fault::Lied(what.to_string());
        match op {
            Op::Check => {
                let checks = Checks::read(bytes, batch.len()).map_err(lied)?;
                for (row, segment) in batch.segments().iter().enumerate() {
                    if let Some(index) = self.sessions.by_id(segment.head.session_id) {
                        self.verdict(index, parser, Some(checks.row(row)), sink);
                    }
                }
            }
            Op::Parse => {
                let records = Records::read(bytes).map_err(lied)?;
                self.records(parser, batch, &records, sink);
            }
        }
        Ok(())
    }

    /// After a batch: count, tell what was lost, end the sessions whose close was in it.
    fn settle(&mut self, parser: u16, op: Op, batch: &Batch, fault: Option<Fault>, sink: &mut dyn L7Sink) {
        self.counters.add(Count::Batches, 1);
        if let Some(fault) = fault {
            self.lost(parser, op, batch, &fault, sink);
        }
        if self.has_calls && op == Op::Parse {
            self.forget_calls(batch);
        }
        if op == Op::Parse {
            for segment in batch.segments().iter().filter(|segment| segment.head.kind == KIND_CLOSE) {
                let Some(index) = self.sessions.by_id(segment.head.session_id) else {
                    continue;
                };
                let session = self.sessions.peek(index);
                if session.closing && session.state == State::Confirmed(parser) {
                    self.moment = segment.head.stamp;
                    self.finalise(index, sink);
                }
            }
        }
    }

    fn lost(&mut self, parser: u16, op: Op, batch: &Batch, fault: &Fault, sink: &mut dyn L7Sink) {
        self.counters.add(Count::BatchesLost, 1);
        self.counters.add(Count::SegmentsLost, batch.len() as u64);
        let (limit, window, first) =
            (self.options.fault_limit, self.options.fault_window_ns, self.options.quarantine_ns);
        if let Some(slot) = self.parsers.get_mut(usize::from(parser)) {
            let words = format!("{}: {fault}", slot.description.name);
            // A new instance knows no session: their next segments are marked as starting in the middle.
            slot.epoch = slot.epoch.wrapping_add(1);
            if !slot.faults.is_quarantined(self.clock) {
                let mut quarantined = slot.faults.fault(self.clock, limit, window, first);
                if slot.dead && !quarantined {
                    slot.faults.quarantine(self.clock, first);
                    quarantined = true;
                }
                if quarantined {
                    self.counters.add(Count::Quarantines, 1);
                }
            }
            self.counters.add_reason("parser", &[&words], 1);
        }
        self.moment = self.arrival;
        // All its requests are left without the one that would find their answers.
        self.flush_lane(parser, sink);
        for segment in batch.segments() {
            let Some(index) = self.sessions.by_id(segment.head.session_id) else {
                continue;
            };
            match op {
                Op::Check => self.verdict(index, parser, None, sink),
                Op::Parse => self.unparsed(index, segment.captured() as u64),
            }
        }
    }

    /// Moves the steps of inference into the `explain` table.
    pub fn write_history(&mut self) {
        if self.explain.is_enabled() {
            for (flow_id, step) in self.explain.take_fresh() {
                let row = self.tables.explain.row(step.stamp, flow_id);
                write_step(row.table, flow_id, &step);
            }
        }
    }
}
