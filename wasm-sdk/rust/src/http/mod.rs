//! What every version of HTTP shares, whatever carries it: endpoints of paths, and what status codes mean.

pub mod endpoint;
pub mod status;
