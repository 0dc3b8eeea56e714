//! When something was decided, counted in packets.

/// The place of a decision in the order of the input: the packet clock, and the number of the packet (or of the flow's
/// end) that brought it.
///
/// Parsers see batches, early or late, as it suits the runtime; what they say is worked in as though it had been said
/// at once. So rows are told apart by the packet that decided them, not by when a batch ran: that order is the same
/// for every runtime and every size of block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Packet clock, nanoseconds: the latest time seen.
    pub clock: u64,
    /// Number of the call that brought it; 0 for what time alone decided at `clock`.
    pub turn: u64,
}
