//! The L7 state of open flows.

use std::cmp::Ordering;

use crate::abi::SegmentHead;
use crate::calls::CallLog;
use crate::flow::{FlowInfo, L7Flow, ICMP, ICMP6};
use crate::infer::{Inference, Pending};
use crate::pair::SessionPairs;
use crate::sink::L7Stats;
use crate::stamp::Stamp;

/// What happens to a session's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its parser is being looked for.
    Inferring,
    /// This parser gets it.
    Confirmed(u16),
    /// Nobody wants it.
    Ignored,
}

/// Bytes of one session that may wait for a parser of the host which passes over bodies, before it is asked in the middle of a
/// block. Asking costs about as much as copying so many.
pub const PATIENCE: u32 = 64 << 10;

/// One flow.
#[derive(Debug)]
pub struct Session {
    /// Counts the flows that had this slot.
    pub generation: u32,
    /// Whether the slot is in use.
    pub live: bool,
    /// The flow.
    pub info: FlowInfo,
    /// See [`State`].
    pub state: State,
    /// Side 1 is the client.
    pub reversed: bool,
    /// Payload was dropped before the parser saw it, by direction: it starts in the middle.
    pub skipped: [bool; 2],
    /// Offset, by direction, up to which the parser passes data over unseen, and the instance that said so.
    pub passed: [u64; 2],
    pub passed_epoch: u32,
    /// Bytes that wait for a parser of the host, in the slot's round `bulk_round`; of more than `patience` it is asked whether it
    /// passes over what follows.
    pub bulk: u32,
    pub bulk_round: u32,
    pub patience: u32,
    /// Sequence number of offset 0, by side, as the last segment for the parser has it.
    pub first_seq: [u32; 2],
    /// Where segments were kept from the parser since, by direction.
    pub missed: [Option<u64>; 2],
    /// The parser instance that knows the session.
    pub epoch: u32,
    /// No more payload comes; what waits is still worked on.
    pub closing: bool,
    /// When that was.
    pub closed_at: Stamp,
    /// Everything was told.
    pub ended: bool,
    /// The caller still holds the handle.
    pub held: bool,
    /// Whether it stands in the engine's list of sessions with holes.
    pub listed: bool,
    /// The search for a parser.
    pub infer: Inference,
    /// Payload that waits for a verdict.
    pub pending: Option<Pending>,
    /// Messages that wait for their other half.
    pub pairs: SessionPairs,
    /// The last piece of a side was a gap.
    pub after_gap: [bool; 2],
    /// The last gap: pairs from before it are uncertain.
    pub gap: Option<Gap>,
    /// Payload bytes that no parser was found for, over all.
    pub dropped: u64,
    /// Why, in words; empty while nothing speaks for any parser.
    pub reason: String,
    /// The calls that brought the bytes, of a flow that is seen in calls.
    pub calls: Option<Box<CallLog>>,
    /// Totals since they were last taken.
    pub stats: L7Stats,
    /// The last `request_domain`.
    pub domain: String,
}

/// Bytes that never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Offset of the first byte behind it, in its direction.
    pub end: u64,
    /// Packet time up to which it may reach.
    pub time_ns: u64,
    /// The side whose bytes they were.
    pub side: u8,
    /// When that side went on.
    pub resumed_ns: u64,
}

impl Gap {
    /// Packet time before which requests may have lost their answer, for a response of `side` that begins at `offset`; 0 for none.
    ///
    /// A response that begins before the gap's end is the parser's word on it: it began before, or was lost there. One right behind the gap
    /// is the next one; a later one says that others were passed over.
    pub fn reach(&self, offset: u64, side: u8) -> u64 {
        match offset.cmp(&self.end) {
            _ if side & 1 != self.side => self.time_ns,
            Ordering::Less => 0,
            Ordering::Equal => self.time_ns,
            Ordering::Greater => self.resumed_ns,
        }
    }
}

impl Session {
    fn new(generation: u32, info: FlowInfo) -> Self {
        Session {
            generation,
            live: true,
            info,
            state: State::Inferring,
            reversed: false,
            skipped: [false; 2],
            passed: [0; 2],
            passed_epoch: 0,
            bulk: 0,
            bulk_round: 0,
            patience: PATIENCE,
            first_seq: [0; 2],
            missed: [None; 2],
            epoch: 0,
            closing: false,
            closed_at: Stamp::default(),
            ended: false,
            held: true,
            listed: false,
            infer: Inference::default(),
            pending: None,
            pairs: SessionPairs::default(),
            after_gap: [false; 2],
            gap: None,
            dropped: 0,
            reason: String::new(),
            calls: None,
            stats: L7Stats::default(),
            domain: String::new(),
        }
    }

    /// Whether this parser instance does not want to see the direction's bytes up to `end`.
    #[inline]
    pub fn passes(&self, side: u8, epoch: u32, end: u64) -> bool {
        self.passed_epoch == epoch && end <= self.passed[usize::from(side & 1)]
    }

    /// The parser instance passes over the direction's bytes up to `end`.
    #[inline]
    pub fn pass_over(&mut self, side: u8, epoch: u32, end: u64) {
        if self.passed_epoch != epoch {
            self.passed = [0; 2];
            self.passed_epoch = epoch;
        }
        self.passed[usize::from(side & 1)] = end;
    }

    /// Bytes of this session were put into the batch of a round. Returns whether the parser should be asked about what follows;
    /// if that changes nothing, later.
    #[inline]
    pub fn is_bulk(&mut self, round: u32, bytes: usize) -> bool {
        if self.bulk_round != round {
            (self.bulk_round, self.bulk) = (round, 0);
        }
        self.bulk = self.bulk.saturating_add(bytes as u32);
        let asks = self.bulk > self.patience;
        if asks {
            self.patience = self.patience.saturating_mul(4);
        }
        asks
    }

    /// A segment header of this session, which is in slot `index`; `side` is who sent it.
    #[inline]
    pub fn head(&self, index: u32, side: u8) -> SegmentHead {
        let info = &self.info;
        let (client, server) = if self.reversed { (1, 0) } else { (0, 1) };
        SegmentHead {
            side: side & 1,
            direction: (side ^ u8::from(self.reversed)) & 1,
            transport: if info.transport == ICMP6 { ICMP } else { info.transport },
            session_id: u64::from(self.generation) << 32 | u64::from(index),
            server_port: info.port[server],
            client_port: info.port[client],
            ..SegmentHead::default()
        }
    }

    /// The side that is the server.
    pub fn server_side(&self) -> usize {
        usize::from(!self.reversed)
    }
}

/// All sessions, by slot.
#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Session>,
    free: Vec<u32>,
}

impl Sessions {
    /// Number of slots, used or not.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Number of sessions.
    pub fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Opens a session.
    pub fn open(&mut self, info: &FlowInfo) -> L7Flow {
        match self.free.pop() {
            Some(index) => {
                let slot = &mut self.slots[index as usize];
                let generation = slot.generation.wrapping_add(1);
                *slot = Session::new(generation, *info);
                L7Flow { index, generation }
            }
            None => {
                let index = self.slots.len() as u32;
                self.slots.push(Session::new(1, *info));
                L7Flow { index, generation: 1 }
            }
        }
    }

    /// The session of a handle, `None` when it is stale.
    #[inline]
    pub fn find(&mut self, flow: L7Flow) -> Option<&mut Session> {
        self.slots.get_mut(flow.index as usize).filter(|slot| slot.live && slot.generation == flow.generation)
    }

    /// The session that a parser knows by this id.
    #[inline]
    pub fn by_id(&self, session_id: u64) -> Option<u32> {
        let index = session_id as u32;
        let slot = self.slots.get(index as usize)?;
        (slot.live && slot.generation == (session_id >> 32) as u32).then_some(index)
    }

    /// The session in a slot.
    #[inline]
    pub fn at(&mut self, index: u32) -> &mut Session {
        &mut self.slots[index as usize]
    }

    /// The session in a slot.
    #[inline]
    pub fn peek(&self, index: u32) -> &Session {
        &self.slots[index as usize]
    }

    /// The handle of the session in a slot, when it is in use.
    pub fn handle(&self, index: u32) -> Option<L7Flow> {
        let slot = self.slots.get(index as usize).filter(|slot| slot.live)?;
        Some(L7Flow { index, generation: slot.generation })
    }

    /// Frees a slot.
    pub fn release(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index as usize) {
            if slot.live {
                slot.live = false;
                slot.pending = None;
                slot.calls = None;
                self.free.push(index);
            }
        }
    }
}
