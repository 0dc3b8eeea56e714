//! Which parser a flow belongs to: candidates, the endpoint cache, what waits for a verdict, and the history of it.

mod candidates;
mod endpoints;
mod explain;
mod pending;
mod state;

pub use candidates::{Candidates, Why};
pub use endpoints::{EndpointCache, EndpointKey, Known};
pub use explain::{Explain, Step};
pub use pending::Pending;
pub use state::{Asking, Inference};
