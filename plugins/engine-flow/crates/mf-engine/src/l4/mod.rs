//! Rows of `l4_flow_log`: one for each flow and natural minute, and one at a flow's end (deepflow-model 1.3).

mod columns;
mod row;

pub use columns::L4_FLOW_LOG;
pub use row::{write_flow, L7Part};
