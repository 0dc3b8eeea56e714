//! Between flows and streams: opens a flow on the L7 side at its first payload, and tells each side what the other found.

use mf_flow::{FlowReport, FlowSink, FlowView, Hints, ReportKind, Segment, Way};
use mf_l7::{tcp_flags, L7Engine, L7Flow, L7Stats};

use crate::kernel::Target;
use crate::output::Output;

/// The L7 side and the output, as the flow table's sink.
#[derive(Debug)]
pub struct Wiring {
    /// streams, parsers, pairing
    pub l7: L7Engine,
    /// rows and documents
    pub out: Output,
}

/// What every flow carries.
#[derive(Debug, Default)]
pub struct FlowExt {
    /// the L7 side's flow and the output's slot, from the first payload on
    known: Option<(L7Flow, u32)>,
    /// client and server changed places since then
    flipped: bool,
    /// sequence numbers of the SYN or SYN-ACK by side (0 the client of that moment), until the first payload
    starts: [Option<u32>; 2],
}

impl Wiring {
    /// Where the streams of sockets lead.
    pub fn target(&mut self) -> Target<'_> {
        Target { l7: &mut self.l7, out: &mut self.out }
    }

    /// Most flows of a scan never carry payload: they cost the L7 side nothing.
    fn open(&mut self, flow: &FlowView, ext: &mut FlowExt, first: &Segment<'_>) -> L7Flow {
        let slot = self.out.open(flow);
        let l7 = self.l7.open(&self.out.info(flow, slot));
        ext.known = Some((l7, slot));
        for (side, start) in ext.starts.into_iter().enumerate() {
            let Some(seq) = start else { continue };
            let syn = mf_l7::Segment {
                time_ns: first.time_ns,
                direction: side as u8,
                seq,
                ack: 0,
                flags: tcp_flags::SYN,
                payload: &[],
                wire_len: 0,
            };
            self.l7.payload(l7, &syn, &mut self.out);
        }
        l7
    }

    fn remember_start(ext: &mut FlowExt, segment: &Segment<'_>) {
        if segment.flags & tcp_flags::SYN == 0 {
            return;
        }
        let side = usize::from(segment.way == Way::S2c);
        ext.starts[side] = Some(segment.seq);
        if segment.flags & tcp_flags::ACK != 0 && ext.starts[side ^ 1].is_none() {
            ext.starts[side ^ 1] = Some(segment.ack.wrapping_sub(1));
        }
    }
}

impl FlowSink for Wiring {
    type Ext = FlowExt;

    #[inline]
    fn on_payload(&mut self, flow: &FlowView, ext: &mut FlowExt, segment: Segment<'_>) -> Hints {
        let l7 = match ext.known {
            Some((l7, _)) => l7,
            None if segment.wire_len == 0 => {
                Self::remember_start(ext, &segment);
                return Hints::default();
            }
            None => self.open(flow, ext, &segment),
        };
        let part = mf_l7::Segment {
            time_ns: segment.time_ns,
            direction: segment.way as u8 ^ u8::from(ext.flipped),
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            payload: segment.payload,
            wire_len: segment.wire_len,
        };
        self.l7.payload(l7, &part, &mut self.out);
        Hints::default()
    }

    fn on_report(&mut self, report: &FlowReport, ext: &mut FlowExt) {
        match report.kind {
            ReportKind::Second => self.out.second(report, ext.known.map(|known| known.1)),
            ReportKind::Minute => {
                let stats = ext.known.and_then(|(l7, _)| self.l7.take_stats(l7)).unwrap_or_default();
                let domain = ext.known.map_or("", |(l7, _)| self.l7.last_domain(l7));
                self.out.minute(report, &stats, domain);
            }
            ReportKind::Close => {}
        }
    }

    fn on_time(&mut self, now_ns: u64) {
        self.l7.pass_time(now_ns, &mut self.out);
    }

    fn on_close(&mut self, report: &FlowReport, ext: FlowExt) {
        match ext.known {
            Some((l7, slot)) => {
                self.out.keep_last_row(slot, report);
                self.l7.close(l7, &mut self.out);
            }
            None => self.out.minute(report, &L7Stats::default(), ""),
        }
    }

    fn hints(&mut self, _flow: &FlowView, ext: &mut FlowExt) -> Hints {
        let Some(slot) = ext.known.and_then(|(_, slot)| self.out.slot(slot)) else { return Hints::default() };
        let recognised = slot.recognised.take();
        Hints {
            confirmed: recognised == Some(ext.flipped),
            reversed: recognised.is_some_and(|reversed| reversed != ext.flipped),
            ok_response: slot.ok_response,
        }
    }

    fn on_reverse(&mut self, flow: &FlowView, ext: &mut FlowExt) {
        ext.starts.reverse();
        let Some((l7, slot)) = ext.known else { return };
        ext.flipped = !ext.flipped;
        self.out.update(slot, flow, ext.flipped);
        self.l7.set_reversed(l7, ext.flipped);
    }
}
