//! Both directions of a TCP connection, told in the order in which its ends saw them.
//!
//! An end that acknowledges bytes had them before it sent what acknowledges them (RFC 9293 section 3.10.7.4). So a segment that
//! acknowledges bytes the capture has not brought waits with what its own direction sends behind it, as long as an acknowledged hole is
//! waited for: either the bytes come, or they are told as a gap, and then the segment. Otherwise everything that is asked
//! behind a lost answer would reach the parser before the loss does, and a protocol that is answered in turn could not
//! tell which of the questions the next answer belongs to.

use super::direction::{Direction, Limits, Piece, StreamCounts};
use super::park::{Parked, Parking};
use super::store::Store;

/// What a connection needs of its engine while it works.
#[derive(Debug)]
pub struct Means<'a> {
    /// Bounds of a direction.
    pub limits: &'a Limits,
    /// The memory of all that waits.
    pub store: &'a mut Store,
    /// What happened.
    pub counts: &'a mut StreamCounts,
}

/// A segment's place and payload.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Sequence number of the first payload byte.
    pub seq: u32,
    /// What its sender acknowledges, when it does.
    pub ack: Option<u32>,
    /// Capture time.
    pub time_ns: u64,
    /// The captured payload.
    pub data: &'a [u8],
    /// Its bytes on the wire.
    pub wire_len: u32,
}

impl Arrival<'_> {
    /// Sequence number behind its last byte.
    pub fn end(&self) -> u32 {
        self.seq.wrapping_add(self.len())
    }

    fn len(&self) -> u32 {
        self.wire_len.max(u32::try_from(self.data.len()).unwrap_or(u32::MAX))
    }
}

/// One connection. Pieces are told with their side and whether the beginning of that side's stream is known.
#[derive(Debug, Default)]
pub struct Conversation {
    sides: [Direction; 2],
    /// Segments that wait for the other side's bytes; nearly no connection ever has any.
    parking: Option<Box<[Parking; 2]>>,
}

impl Conversation {
    /// One direction.
    pub fn side(&mut self, side: u8) -> &mut Direction {
        &mut self.sides[usize::from(side & 1)]
    }

    /// Whether anything waits for a hole.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.parking.is_some() || self.sides.iter().any(Direction::is_waiting)
    }

    /// Whether both sides ended and all their bytes were told.
    pub fn is_finished(&self) -> bool {
        self.sides.iter().all(Direction::is_finished)
    }

    /// The short way of nearly every segment: it goes on from the last one, and nothing waits, is missing or ends. `None`:
    /// nothing was taken.
    #[inline]
    pub fn next_in_order<'a>(&mut self, side: u8, arrival: &Arrival<'a>) -> Option<(bool, Piece<'a>)> {
        if self.parking.is_some() {
            return None;
        }
        let [a, b] = &mut self.sides;
        let (own, other) = if side == 0 { (a, b) } else { (b, a) };
        if other.is_waiting() || arrival.ack.is_some_and(|ack| other.lacks(ack)) {
            return None;
        }
        let piece = own.next_in_order(arrival.seq, arrival.time_ns, arrival.data, arrival.wire_len)?;
        Some((own.start_seen(), piece))
    }

    /// Takes a segment of `side`. What is in order now is told.
    pub fn arrive(
        &mut self,
        side: u8,
        arrival: &Arrival<'_>,
        means: &mut Means<'_>,
        out: &mut impl FnMut(u8, bool, Piece<'_>),
    ) {
        let now = arrival.time_ns;
        let other = side ^ 1;
        let mut after = 0;
        if let Some(ack) = arrival.ack {
            after = self.side(other).offset_acked(ack, means.limits);
            self.side(other).acknowledged(ack, now);
        }
        self.expire(now, other, means, out);
        if arrival.len() == 0 {
            return;
        }
        if self.must_wait(side, after, arrival) && self.park(side, after, arrival, means, out) {
            return;
        }
        self.push(side, arrival, means, out);
        self.settle(means, out);
    }

    /// Gives up what was waited for long enough, `first` one side and then the other. Cheap when nothing waits.
    pub fn expire(&mut self, now: u64, first: u8, means: &mut Means<'_>, out: &mut impl FnMut(u8, bool, Piece<'_>)) {
        if !self.is_waiting() {
            return;
        }
        while let Some((side, since)) = self.oldest_parked() {
            if now.saturating_sub(since) < means.limits.acked_wait_ns {
                break;
            }
            self.force(side, means, out);
        }
        for side in [first, first ^ 1] {
            let direction = self.side(side);
            let seen = direction.start_seen();
            direction.expire(now, means.limits, means.store, means.counts, &mut |piece| out(side, seen, piece));
        }
        self.settle(means, out);
    }

    /// The connection is over: everything held is told, with gaps for what never came.
    pub fn close(&mut self, now: u64, means: &mut Means<'_>, out: &mut impl FnMut(u8, bool, Piece<'_>)) {
        while let Some((side, _)) = self.oldest_parked() {
            self.force(side, means, out);
        }
        for side in [0, 1] {
            let direction = self.side(side);
            let seen = direction.start_seen();
            direction.close(now, means.limits, means.store, means.counts, &mut |piece| out(side, seen, piece));
        }
    }

    /// Forgets what is held.
    pub fn reset(&mut self, store: &mut Store) {
        if let Some(parking) = &mut self.parking {
            parking.iter_mut().for_each(|side| side.clear(store));
        }
        self.parking = None;
        self.sides.iter_mut().for_each(|side| side.reset(store));
    }

    /// Whether a segment has to wait: its sender acknowledged what is missing, or an earlier segment of its side waits. What
    /// brings nothing new never does.
    fn must_wait(&mut self, side: u8, after: u64, arrival: &Arrival<'_>) -> bool {
        let (own, other) = (usize::from(side), usize::from(side ^ 1));
        if self.parking.as_ref().is_some_and(|parking| !parking[own].is_empty()) {
            return true;
        }
        after > self.sides[other].next_offset() && self.sides[own].has_new(arrival.seq, arrival.len())
    }

    /// Lets a segment wait; false where there is no room, and then nothing of its side waits any more.
    fn park(
        &mut self,
        side: u8,
        after: u64,
        arrival: &Arrival<'_>,
        means: &mut Means<'_>,
        out: &mut impl FnMut(u8, bool, Piece<'_>),
    ) -> bool {
        let own = usize::from(side);
        let mut room = means.store.has_room(arrival.data.len());
        if let Some(parking) = &self.parking {
            room &= parking[own].has_room(arrival.data.len(), means.limits);
        }
        if room {
            self.parking.get_or_insert_default()[own].push(means.store, after, arrival);
            return true;
        }
        while self.parking.as_ref().is_some_and(|parking| !parking[own].is_empty()) {
            self.force(side, means, out);
        }
        self.give_up(side ^ 1, after, arrival.time_ns, means, out);
        false
    }

    fn push(
        &mut self,
        side: u8,
        arrival: &Arrival<'_>,
        means: &mut Means<'_>,
        out: &mut impl FnMut(u8, bool, Piece<'_>),
    ) {
        let direction = self.side(side);
        let seen = direction.start_seen();
        direction.push(
            arrival.seq,
            arrival.time_ns,
            arrival.data,
            arrival.len(),
            means.limits,
            means.store,
            means.counts,
            &mut |piece| out(side, seen, piece),
        );
    }

    /// Tells a side's missing bytes before `target` as gaps.
    fn give_up(
        &mut self,
        side: u8,
        target: u64,
        time_ns: u64,
        means: &mut Means<'_>,
        out: &mut impl FnMut(u8, bool, Piece<'_>),
    ) {
        let direction = self.side(side);
        let seen = direction.start_seen();
        direction.give_up(target, time_ns, means.store, means.counts, &mut |piece| out(side, seen, piece));
    }

    /// Which side's first waiting segment came first, and when.
    fn oldest_parked(&self) -> Option<(u8, u64)> {
        let parking = self.parking.as_ref()?;
        let time = |side: u8| parking[usize::from(side)].front().map(|parked| (side, parked.time_ns));
        match (time(0), time(1)) {
            (Some(a), Some(b)) => Some(if b.1 < a.1 { b } else { a }),
            (a, b) => a.or(b),
        }
    }

    /// Waits no longer for what a side's first waiting segment needs.
    fn force(&mut self, side: u8, means: &mut Means<'_>, out: &mut impl FnMut(u8, bool, Piece<'_>)) {
        let other = usize::from(side ^ 1);
        let Some(parking) = &self.parking else { return };
        let Some((after, time_ns)) = parking[usize::from(side)].front().map(|parked| (parked.after, parked.time_ns))
        else {
            return;
        };
        // Two segments that each claim to follow the other: nothing is missing, somebody lies.
        let is_there = parking[other]
            .front()
            .is_some_and(|parked| self.sides[other].offset_of(parked.seq) < i64::try_from(after).unwrap_or(i64::MAX));
        if !is_there {
            self.give_up(side ^ 1, after, time_ns, means, out);
        }
        self.unpark(side, means, out);
        self.settle(means, out);
    }

    /// A side's first waiting segment takes its place in its stream.
    fn unpark(&mut self, side: u8, means: &mut Means<'_>, out: &mut impl FnMut(u8, bool, Piece<'_>)) {
        let Some(parking) = &mut self.parking else { return };
        let Some(Parked { seq, time_ns, data, wire_len, .. }) = parking[usize::from(side)].pop() else { return };
        // Its buffer counts as waiting no longer: as in the stream, what is out of order there is held anew.
        means.store.release(data.len());
        let arrival = Arrival { seq, ack: None, time_ns, data: &data, wire_len };
        self.push(side, &arrival, means, out);
        means.store.reserve(data.len());
        means.store.give_back(data);
    }

    /// Lets go on whatever waits no longer.
    fn settle(&mut self, means: &mut Means<'_>, out: &mut impl FnMut(u8, bool, Piece<'_>)) {
        while let Some(parking) = &self.parking {
            let ready = |side: u8| {
                let reached = self.sides[usize::from(side ^ 1)].next_offset();
                parking[usize::from(side)].front().is_some_and(|parked| parked.after <= reached)
            };
            match [0, 1].into_iter().find(|&side| ready(side)) {
                Some(side) => self.unpark(side, means, out),
                None if parking.iter().all(Parking::is_empty) => self.parking = None,
                None => return,
            }
        }
    }
}
