//! Which parser a flow belongs to: candidates, the endpoint cache, what waits for a verdict, and the history of it.

mod candidates;
mod endpoints;
mod explain;
mod pending;
mod state;

pub use candidates::{Candidates, Why};
pub use endpoints::{EndpointCache, EndpointKey, Known, LEARNING_NS};
pub use explain::{Explain, Step};
pub use pending::{Pending, PendingItem};
pub use state::{Asking, Inference, Shown};
