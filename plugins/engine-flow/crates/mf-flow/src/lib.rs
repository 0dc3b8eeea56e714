//! Packets -> flows: TCP health, client and server, observation point, reports by second and minute.
//!
//! ```text
//! Packet --FlowTable::push--> FlowSink::on_payload   every segment with payload, SYN, FIN or RST
//!                             FlowSink::on_report    each second and natural minute a flow had packets in
//!                             FlowSink::on_close     the end of a flow, with the last row of l4_flow_log
//! ```
//!
//! Time is that of the packets (and of [`FlowTable::tick`] when a live source is silent), so the same packets give the same
//! reports in the same order. What each metric means, and where it differs from tshark, is in
//! `docs/explanation/tcp-metrics.md`.
#![forbid(unsafe_code)]

mod close;
mod config;
mod counts;
mod flow;
mod index;
mod key;
mod observe;
mod perf;
mod report;
mod service;
mod sink;
mod state;
mod table;
mod timer;
mod view;

pub use close::{CloseType, FlowStatus};
pub use config::{Config, Timeouts};
pub use counts::{Counts, Latency, Traffic};
pub use key::Key;
pub use observe::{AgentKind, LocalSide, ObservationPoint};
pub use report::{FlowReport, ReportKind};
pub use sink::{FlowSink, Hints, Segment, Way};
pub use state::{FlagClass, State, TimeoutClass};
pub use table::FlowTable;
pub use view::{Endpoint, FlowView};
