//! What every version of HTTP shares, whatever carries it: endpoints of paths, what status codes mean, what must not be kept.

pub mod bodies;
pub mod endpoint;
pub mod masks;
pub mod options;
pub mod status;
