//! The waiting messages of all flows.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::message::{Half, Message, Owner};
use super::packed::PackedTexts;
use crate::abi::Texts;

/// No slot.
pub const NIL: u32 = u32::MAX;

/// Mixes the bits of the small fixed keys used here; the same in every run, so results do not depend on a seed.
#[derive(Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        let mut x = self.0;
        x ^= x >> 32;
        x = x.wrapping_mul(0xd6e8_feb8_6659_fd93);
        x ^ (x >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }
}

/// First and last slot of a chain.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Oldest.
    pub head: u32,
    /// Youngest.
    pub tail: u32,
}

impl Default for List {
    fn default() -> Self {
        List { head: NIL, tail: NIL }
    }
}

/// What a session has waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionPairs {
    /// Requests without response, oldest first.
    pub requests: List,
    /// Responses that came before their request, oldest first.
    pub early: List,
    /// Number of both.
    pub count: u32,
}

/// A waiting message.
#[derive(Debug)]
pub struct Waiting {
    /// The message.
    pub message: Message,
    /// Its texts.
    pub texts: PackedTexts,
    /// The session's slot index.
    pub session: u32,
    /// Deadline list it is in: the parser's index, or the early responses'.
    pub lane: u16,
    /// The parser that found it.
    pub parser: u16,
    /// Packet clock when it was put in.
    pub since: u64,
    /// Order of insertion over all lanes.
    pub turn: u64,
    /// The responses that came already, when more follow ([`NIL`] when none).
    pub partner: u32,
    early: bool,
    keyed: bool,
    in_session: [u32; 2],
    in_lane: [u32; 2],
}

impl Waiting {
    /// Whose it is.
    pub fn owner(&self) -> Owner {
        Owner { index: self.session, parser: self.parser }
    }
}

type KeyMap = HashMap<(u32, u64, u8), u32, BuildHasherDefault<KeyHasher>>;

/// All waiting messages of an engine.
#[derive(Debug, Default)]
pub struct Pairs {
    slots: Vec<Waiting>,
    free: Vec<u32>,
    by_key: KeyMap,
    lanes: Vec<List>,
    len: usize,
    bytes: usize,
    turn: u64,
}

impl Pairs {
    /// Number of waiting messages.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of text that waiting messages hold.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A slot's content.
    #[inline]
    pub fn get(&self, at: u32) -> Option<&Waiting> {
        self.slots.get(at as usize)
    }

    /// A slot's content, to change the message or its partner.
    pub fn get_mut(&mut self, at: u32) -> Option<&mut Waiting> {
        self.slots.get_mut(at as usize)
    }

    /// Lends all slots out, so that what they hold can be read while the engine is changed; nothing may wait or end until
    /// they [are back](Pairs::take_back).
    #[inline]
    pub fn lend(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.slots)
    }

    /// Takes back what was lent.
    #[inline]
    pub fn take_back(&mut self, slots: Vec<Waiting>) {
        debug_assert!(self.slots.is_empty(), "a message began to wait while the others were lent");
        self.slots = slots;
    }

    /// The slot after this one in its session.
    pub fn next_in_session(&self, at: u32) -> u32 {
        self.get(at).map_or(NIL, |slot| slot.in_session[1])
    }

    /// The oldest slot of a lane.
    pub fn lane_head(&self, lane: u16) -> u32 {
        self.lanes.get(usize::from(lane)).map_or(NIL, |list| list.head)
    }

    /// The oldest slot of all lanes.
    pub fn oldest(&self) -> u32 {
        let heads = self.lanes.iter().filter_map(|list| self.get(list.head).map(|slot| (slot.turn, list.head)));
        heads.min().map_or(NIL, |(_, at)| at)
    }

    /// The waiting message with a key.
    pub fn find(&self, session: u32, key: u64, early: bool) -> u32 {
        self.by_key.get(&(session, key, u8::from(early))).copied().unwrap_or(NIL)
    }

    /// A slot in no list, for the first half of a response.
    pub fn detached(&mut self, half: Half<'_>) -> u32 {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.slots.push(Waiting {
                    message: *half.message,
                    texts: PackedTexts::default(),
                    session: NIL,
                    lane: 0,
                    parser: 0,
                    since: 0,
                    turn: 0,
                    partner: NIL,
                    early: false,
                    keyed: false,
                    in_session: [NIL; 2],
                    in_lane: [NIL; 2],
                });
                (self.slots.len() - 1) as u32
            }
        };
        let slot = &mut self.slots[at as usize];
        slot.message = *half.message;
        slot.texts.set(half.texts);
        self.bytes += slot.texts.bytes();
        slot.partner = NIL;
        slot.keyed = false;
        at
    }

    /// Puts a message in, as the youngest of its session and of the lane (its parser's, or `early`'s: then it is a
    /// response that came before its request). `keyed`: it can be found by its key.
    pub fn insert(
        &mut self,
        own: &mut SessionPairs,
        owner: Owner,
        early: Option<u16>,
        keyed: bool,
        now: u64,
        half: Half<'_>,
    ) -> u32 {
        let (session, lane) = (owner.index, early.unwrap_or(owner.parser));
        let early = early.is_some();
        let at = self.detached(half);
        if self.lanes.len() <= usize::from(lane) {
            self.lanes.resize(usize::from(lane) + 1, List::default());
        }
        self.turn += 1;
        self.len += 1;
        own.count += 1;
        if keyed {
            self.by_key.insert((session, half.message.stream_id, u8::from(early)), at);
        }
        let list = if early { &mut own.early } else { &mut own.requests };
        let before = list.tail;
        list.tail = at;
        if before == NIL {
            list.head = at;
        }
        let lane_list = &mut self.lanes[usize::from(lane)];
        let lane_before = lane_list.tail;
        lane_list.tail = at;
        if lane_before == NIL {
            lane_list.head = at;
        }
        if let Some(slot) = self.slots.get_mut(before as usize) {
            slot.in_session[1] = at;
        }
        if let Some(slot) = self.slots.get_mut(lane_before as usize) {
            slot.in_lane[1] = at;
        }
        let slot = &mut self.slots[at as usize];
        slot.session = session;
        slot.lane = lane;
        slot.parser = owner.parser;
        slot.since = now;
        slot.turn = self.turn;
        slot.early = early;
        slot.keyed = keyed;
        slot.in_session = [before, NIL];
        slot.in_lane = [lane_before, NIL];
        at
    }

    /// Takes a message out of all lists. Its content stays readable until [`Pairs::free`].
    pub fn unlink(&mut self, own: &mut SessionPairs, at: u32) {
        let Some(slot) = self.slots.get_mut(at as usize) else {
            return;
        };
        let (session, lane, early, keyed) = (slot.session, slot.lane, slot.early, slot.keyed);
        let (in_session, in_lane, key) = (slot.in_session, slot.in_lane, slot.message.stream_id);
        slot.in_session = [NIL; 2];
        slot.in_lane = [NIL; 2];
        slot.keyed = false;
        if keyed && self.find(session, key, early) == at {
            self.by_key.remove(&(session, key, u8::from(early)));
        }
        let list = if early { &mut own.early } else { &mut own.requests };
        bridge(&mut self.slots, list, in_session, |slot| &mut slot.in_session);
        if let Some(list) = self.lanes.get_mut(usize::from(lane)) {
            bridge(&mut self.slots, list, in_lane, |slot| &mut slot.in_lane);
        }
        own.count = own.count.saturating_sub(1);
        self.len = self.len.saturating_sub(1);
    }

    /// Gives a slot whose texts (of `before` bytes) were taken out new ones.
    pub fn put_texts(&mut self, at: u32, texts: &Texts<'_>, before: usize) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.texts.set(texts);
            self.bytes = self.bytes.saturating_sub(before) + slot.texts.bytes();
        }
    }

    /// Gives a slot back, and its partner's.
    pub fn free(&mut self, at: u32) {
        let mut next = at;
        while let Some(slot) = self.slots.get_mut(next as usize) {
            self.bytes = self.bytes.saturating_sub(slot.texts.bytes());
            slot.texts.clear();
            self.free.push(next);
            next = std::mem::replace(&mut slot.partner, NIL);
        }
    }
}

/// Closes the hole that a slot leaves in a chain.
fn bridge(slots: &mut [Waiting], list: &mut List, around: [u32; 2], links: impl Fn(&mut Waiting) -> &mut [u32; 2]) {
    let [before, after] = around;
    match slots.get_mut(before as usize) {
        Some(slot) => links(slot)[1] = after,
        None => list.head = after,
    }
    match slots.get_mut(after as usize) {
        Some(slot) => links(slot)[0] = before,
        None => list.tail = before,
    }
}
