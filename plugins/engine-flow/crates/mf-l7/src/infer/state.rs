//! Where the search for a flow's parser stands.

use super::candidates::Candidates;

/// What the search waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Asking {
    /// A first payload (or the next, after all refused one).
    #[default]
    Payload,
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
    /// How often the current candidate was asked.
    pub asked: u16,
    /// Direction of the bytes shown.
    pub direction: u8,
    /// Payloads that everybody refused.
    pub refused: u16,
    /// How many of them in a row came from the same side.
    pub in_a_row: u8,
    /// Waiting pieces when the current candidate was last asked.
    pub shown: u32,
}
