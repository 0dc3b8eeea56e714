//! Time in the table: reports by second and minute, timeouts, making room.

use crate::counts::Period;
use crate::index::Cell;
use crate::perf::Perf;
use crate::{CloseType, FlowSink, FlowTable, ReportKind};

use super::halves::hash_of;
use super::{MINUTE, SECOND, STEP_BACK, STEP_BACK_RUN};

impl<E: Default> FlowTable<E> {
    /// Follows the packets' time.
    #[inline]
    pub(super) fn clock<S: FlowSink<Ext = E>>(&mut self, now_ns: u64, sink: &mut S) {
        if now_ns >= self.newest_ns {
            self.newest_ns = now_ns;
            self.late_run = 0;
            if now_ns >= self.second_ends_ns {
                self.advance(now_ns / SECOND, sink);
            }
            return;
        }
        let late = self.newest_ns - now_ns;
        if late > self.config.late_ns {
            self.counters.hit("flow", "late_packet");
        }
        if late > STEP_BACK {
            self.late_run += 1;
            if self.late_run >= STEP_BACK_RUN {
                self.counters.hit("flow", "time_stepped_back");
                self.late_run = 0;
                self.finish(sink);
                self.newest_ns = now_ns;
                self.advance(now_ns / SECOND, sink);
            }
        } else {
            self.late_run = 0;
        }
    }

    #[cold]
    pub(super) fn advance<S: FlowSink<Ext = E>>(&mut self, to: u64, sink: &mut S) {
        self.second_ends_ns = to.saturating_add(1).saturating_mul(SECOND);
        let Some(mut second) = self.second else {
            self.second = Some(to);
            self.wheel.reset(to);
            return;
        };
        while second < to {
            sink.on_time((second + 1).saturating_mul(SECOND));
            self.flush_second(second, sink);
            if self.is_empty() {
                self.wheel.reset(to);
                self.minute.clear();
                break;
            }
            self.expire(second, sink);
            second += 1;
            self.second = Some(second);
            if second % 60 == 0 {
                self.flush_minute(second - 60, sink);
            }
        }
        self.second = Some(to);
    }

    /// Reports every flow with packets in the second that is over.
    pub(super) fn flush_second<S: FlowSink<Ext = E>>(&mut self, second: u64, sink: &mut S) {
        let mut active = std::mem::take(&mut self.active);
        for &(slot, generation) in &active {
            if self
                .flows
                .get(slot as usize)
                .is_some_and(|flow| flow.generation == generation && flow.alive && flow.in_tick)
            {
                self.report_second(slot, second, CloseType::ForcedReport, false, sink);
            }
        }
        active.clear();
        self.active = active;
    }

    pub(super) fn report_second<S: FlowSink<Ext = E>>(
        &mut self,
        slot: u32,
        second: u64,
        close: CloseType,
        closing: bool,
        sink: &mut S,
    ) {
        self.review(slot, sink);
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return;
        };
        if !flow.in_tick {
            flow.tick_start_ns = flow.last_ns;
        }
        let mut report = flow.report(ReportKind::Second, &flow.tick, second * SECOND, close);
        report.closing = closing;
        sink.on_report(&report, &mut flow.ext);
        flow.second_reported = true;
        if flow.in_tick {
            flow.minute.merge(&flow.tick);
            flow.tick = Period::default();
            flow.in_tick = false;
        }
    }

    /// Reports every flow with packets in the natural minute that is over.
    pub(super) fn flush_minute<S: FlowSink<Ext = E>>(&mut self, second: u64, sink: &mut S) {
        let mut minute = std::mem::take(&mut self.minute);
        for &(slot, generation) in &minute {
            let Some(flow) = self.flows.get_mut(slot as usize) else {
                continue;
            };
            if flow.generation != generation || !flow.alive || !flow.in_minute {
                continue;
            }
            let report = flow.report(
                ReportKind::Minute,
                &flow.minute,
                second * SECOND,
                CloseType::ForcedReport,
            );
            sink.on_report(&report, &mut flow.ext);
            flow.minute_reported = true;
            flow.minute = Period::default();
            flow.in_minute = false;
        }
        minute.clear();
        self.minute = minute;
    }

    /// Closes what has timed out when `second` is over.
    pub(super) fn expire<S: FlowSink<Ext = E>>(&mut self, second: u64, sink: &mut S) {
        // An entry for second n is due when n begins.
        while self.wheel.next_second() <= second + 1 {
            let (due, mut entries) = self.wheel.turn();
            // Flows of one bucket close in the order of their last packet, whatever way they got into it.
            entries.retain(|&(slot, generation)| {
                self.flows.get(slot as usize).is_some_and(|flow| {
                    flow.generation == generation && flow.alive && flow.timer_at == due
                })
            });
            for (slot, generation) in entries {
                let Some(flow) = self.flows.get_mut(slot as usize) else {
                    continue;
                };
                // A flow may have come to this second twice (its deadline moved away and back); the first entry settled it.
                if flow.generation != generation || !flow.alive || flow.timer_at != due {
                    continue;
                }
                let deadline = flow.deadline();
                if deadline > due {
                    flow.timer_at = self.wheel.slot_for(deadline);
                    self.wheel.enter(flow.timer_at, (slot, generation));
                } else {
                    self.close_at(slot, second, false, sink);
                }
            }
        }
    }

    pub(super) fn close<S: FlowSink<Ext = E>>(&mut self, slot: u32, cut: bool, sink: &mut S) {
        let second = self.second.unwrap_or(0);
        self.close_at(slot, second, cut, sink);
    }

    pub(super) fn close_at<S: FlowSink<Ext = E>>(
        &mut self,
        slot: u32,
        second: u64,
        cut: bool,
        sink: &mut S,
    ) {
        self.review(slot, sink);
        let Some(flow) = self.flows.get(slot as usize) else {
            return;
        };
        let close_type = flow.close_type(cut);
        self.report_second(slot, second, close_type, true, sink);
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return;
        };
        if !flow.in_minute {
            flow.minute_start_ns = flow.last_ns;
        }
        let report = flow.report(
            ReportKind::Close,
            &flow.minute,
            second / 60 * MINUTE,
            close_type,
        );
        let ext = std::mem::take(&mut flow.ext);
        flow.alive = false;
        flow.perf = Perf::None;
        flow.generation = flow.generation.wrapping_add(1);
        let (hash, alias) = (flow.hash, flow.alias.as_ref().map(|alias| alias.hash));
        let flows = &self.flows;
        for (hash, is_alias) in [(Some(hash), false), (alias, true)] {
            if let Some(hash) = hash {
                let cell = Cell {
                    slot,
                    alias: is_alias,
                };
                self.index.remove(hash, cell, |cell| hash_of(flows, cell));
            }
        }
        if let Some(flow) = self.flows.get_mut(slot as usize) {
            flow.alias = None;
        }
        self.free.push(slot);
        sink.on_close(&report, ext);
    }

    /// Makes room when the table is full: the flow that times out soonest goes.
    pub(super) fn make_room<S: FlowSink<Ext = E>>(&mut self, sink: &mut S) -> bool {
        while let Some((slot, generation)) = self.wheel.pop_first() {
            let Some(flow) = self.flows.get_mut(slot as usize) else {
                continue;
            };
            if flow.generation != generation || !flow.alive {
                continue;
            }
            let deadline = self.wheel.slot_for(flow.deadline());
            if deadline > flow.timer_at {
                flow.timer_at = deadline;
                self.wheel.enter(deadline, (slot, generation));
                continue;
            }
            self.counters.hit("flow", "evicted_table_full");
            // It gave way, it did not fall silent: an open connection is no timeout.
            self.close(slot, true, sink);
            return true;
        }
        false
    }
}
