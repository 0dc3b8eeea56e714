//! From the bytes of one direction to packets: frames, and the compressed protocol below them.

mod compressed;
mod framer;

pub use compressed::{Codec, Inflow, Piece, CUT};
pub use framer::{Framer, Packet};
