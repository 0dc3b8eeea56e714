//! Calls on sockets, as a kernel collector saw them, on their way to parsers: the counterpart of decoder and flow table.
//!
//! ```text
//! block -> records -> in order of each socket -> streams of a socket -> messages, exchanges
//!        (mf-segment)   sockets, order             socket, stream         (mf-l7)
//! ```
//!
//! A socket is one flow (a datagram socket one for each peer), seen from its process. Nothing of it is counted in
//! `l4_flow_log` and the network documents: those are about packets.

mod order;
mod socket;
mod sockets;
mod stream;

pub use sockets::{Sockets, SocketsConfig};
pub use stream::Target;
