//! Where the search for a flow's parser stands.

use super::candidates::Candidates;
use crate::stamp::Stamp;

/// What the search waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Asking {
    /// A first payload (or the next, after all refused one).
    #[default]
    Payload,
    /// What older flows teach of its endpoint, which the host's parsers have not said yet.
    Endpoint,
    /// The verdict of this parser.
    Verdict(u16),
    /// More bytes, which this parser asked for.
    More(u16),
}

/// The search of one flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inference {
    /// See [`Asking`].
    pub asking: Asking,
    /// Who may be asked.
    pub candidates: Candidates,
    /// Whether `candidates` is filled in.
    pub prepared: bool,
    /// Who refused the current payload.
    pub tried: u128,
    /// Who withdrew from this flow, never to be asked again.
    pub violated: u128,
    /// How many withdrew.
    pub violations: u8,
    /// Something speaks for the current candidate: port, magic or endpoint.
    pub hinted: bool,
    /// What the current candidate was shown.
    pub shown: Shown,
    /// Direction of the payload that the search is about.
    pub direction: u8,
    /// The last waiting piece that was looked at: those behind it are taken one by one, as though each verdict had
    /// come before the next packet.
    pub cursor: usize,
    /// When that piece came.
    pub decided: Stamp,
    /// Payloads that everybody refused.
    pub refused: u16,
    /// The first of them began the flow, and all of it was captured.
    pub begun: bool,
    /// How many of them in a row came from the same side.
    pub in_a_row: u8,
}

/// What one candidate was shown of the waiting payload: first the side that the search is about, then, while that does
/// not tell enough, the other side too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// The side it was asked about last.
    pub side: u8,
    /// How often it was asked about the first side.
    pub asked: u16,
    /// How often it was (or would have been) asked about the other side.
    pub across: u16,
    /// The other side's bytes begin in the middle of something: what it says of them means nothing.
    pub blind: bool,
    /// Pieces of the other side up to here were shown.
    pub across_end: usize,
}
