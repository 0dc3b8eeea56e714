//! Rows: `l7_message`, `l7_flow_log` and `explain`.

mod ends;
mod explain;
mod flow_log;
mod message;
mod ordered;
mod target;

pub use ends::Repeats;
pub use explain::{no_numbers, write_step, EXPLAIN};
pub use flow_log::{spread_exchanges, write_exchange, Exchange, ExchangeRow, L7_FLOW_LOG};
pub use message::{spread_messages, write_message, MessageRow, L7_MESSAGE};
pub use ordered::{OrderedTable, RowOf};

use crate::flow::FlowInfo;

/// A flow as rows show it: the ends in their final order.
#[derive(Clone, Copy, Debug)]
pub struct RowFlow<'a> {
    /// The flow.
    pub info: &'a FlowInfo,
    /// Client and server are the other way round.
    pub reversed: bool,
}
