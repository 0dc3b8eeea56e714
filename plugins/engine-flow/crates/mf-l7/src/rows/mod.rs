//! Rows: `l7_message`, `l7_flow_log` and `explain`.

mod ends;
mod explain;
mod flow_log;
mod message;
mod ordered;

pub use ends::Repeats;
pub use explain::{write_step, EXPLAIN};
pub use flow_log::{write_exchange, Exchange, L7_FLOW_LOG};
pub use message::{write_message, L7_MESSAGE};
pub use ordered::OrderedTable;

use crate::flow::FlowInfo;

/// A flow as rows show it: the ends in their final order.
#[derive(Clone, Copy, Debug)]
pub struct RowFlow<'a> {
    /// The flow.
    pub info: &'a FlowInfo,
    /// Client and server are the other way round.
    pub reversed: bool,
}
