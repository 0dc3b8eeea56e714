//! Heads that wait for the first octets of their body, for those who refine messages by them (see "Refiners" in
//! `docs/explanation/data-plane.md`).
//!
//! Off unless the option `body_bytes` says how many octets. Calls (gRPC, Triple) never wait: what they carry is no text.

use crate::fields::Slot;
use crate::grpc::Speech;
use crate::head::Head;
use crate::report::{Extent, Pen};
use crate::session::{Session, Tools};
use crate::streams::Place;
use metaflow_parser_sdk::http::bodies::{media_type, names_operations};
use metaflow_parser_sdk::trace::Trace;
use metaflow_parser_sdk::Records;
use std::collections::BTreeMap;

/// Heads of a connection that wait at once; beyond it the oldest one goes without the rest of its body.
const MOST: usize = 128;

/// A head, and what there is of its body.
pub(crate) struct Held {
    head: Box<Head>,
    trace: Trace,
    speech: Speech,
    place: Place,
    is_request: bool,
    body: Vec<u8>,
    most: usize,
}

/// By stream and direction.
pub(crate) type HeldHeads = BTreeMap<(u32, usize), Held>;

impl Held {
    /// Takes octets of the body; how many.
    pub fn take(&mut self, octets: &[u8], most: u64) -> usize {
        let room = self.most - self.body.len();
        let count = octets.len().min(room).min(usize::try_from(most).unwrap_or(usize::MAX));
        self.body.extend_from_slice(&octets[..count]);
        count
    }

    /// It has what it waits for.
    pub fn is_full(&self) -> bool {
        self.body.len() >= self.most
    }
}

/// How many octets of the body are wanted.
fn wanted(head: &Head, most: usize) -> usize {
    let coding = head.get(Slot::ContentEncoding);
    let is_plain = coding.is_empty() || coding.eq_ignore_ascii_case(b"identity");
    if most == 0 || !is_plain || !names_operations(media_type(head.get(Slot::ContentType))) {
        return 0;
    }
    head.number(Slot::ContentLength).map_or(most, |length| usize::try_from(length).unwrap_or(most).min(most))
}

impl Session {
    /// Keeps the tools' head until the first octets of its body are there; false when it need not wait.
    pub fn hold(&mut self, id: u32, speech: Speech, place: Place, tools: &mut Tools, out: &mut Records) -> bool {
        let most = wanted(&tools.head, tools.options.body_bytes);
        if most == 0 || speech.is_rpc() {
            return false;
        }
        if self.held.len() >= MOST {
            if let Some((&key, _)) = self.held.first_key_value() {
                self.release(key, tools, out);
            }
        }
        let spare = tools.spare.pop().unwrap_or_default();
        let head = std::mem::replace(&mut tools.head, spare);
        let (trace, is_request) = (std::mem::take(&mut tools.trace), place.side == self.client);
        let held = Held { head, trace, speech, place, is_request, body: Vec::new(), most };
        self.held.insert((id, place.side), held);
        true
    }

    /// Tells what waits on a stream, the request first.
    pub fn release_stream(&mut self, id: u32, tools: &mut Tools, out: &mut Records) {
        if !self.held.is_empty() {
            self.release((id, self.client), tools, out);
            self.release((id, 1 - self.client), tools, out);
        }
    }

    /// Tells all that waits.
    pub fn release_all(&mut self, tools: &mut Tools, out: &mut Records) {
        while let Some((&(id, _), _)) = self.held.first_key_value() {
            self.release_stream(id, tools, out);
        }
    }

    /// Tells a head that waits, with what there is of its body.
    pub fn release(&mut self, key: (u32, usize), tools: &mut Tools, out: &mut Records) {
        let Some(held) = self.held.remove(&key) else { return };
        let mut pen = Pen { body: &held.body, ..self.pen(&tools.options, out) };
        let said = (&*held.head, &held.trace);
        if held.is_request {
            pen.request(key.0, Some(held.speech), held.place, said, (Extent::Whole, false, true));
        } else {
            pen.response(key.0, held.speech, held.place, said, (Extent::Whole, true));
        }
    }
}
