//! Frames of a block -> decoded packets.
//!
//! ```text
//! block --FrameReader--> Frame --Decoder--> Packet (borrows the block) --> mf-flow
//! ```
//!
//! [`FrameReader`] walks one source's blocks (formats of `docs/explanation/data-plane.md`) and keeps the tail of a block that
//! ends inside a frame. [`Decoder`] peels link, IP and tunnels, reassembles IP fragments with bounded memory and stops at the
//! transport payload. Both count what they could not use by (stage, reason) in [`Counters`]; nothing here panics on any input.
//! Checksums are not verified: captures on the sending host see them before the network card fills them in.
#![forbid(unsafe_code)]

mod addr;
mod counters;
mod decode;
mod hash;
mod packet;
mod view;

pub mod frame;
pub mod ip;
pub mod link;
pub mod transport;
pub mod tunnel;

pub use addr::Addr;
pub use counters::{Counter, Counters};
pub use decode::{Decoder, DecoderConfig};
pub use frame::{Direction, Format, Frame, FrameReader};
pub use hash::{fold, mix, Mixer};
pub use packet::{ethertype, proto, Packet};
pub use transport::{Icmp, Tcp, TcpOptions, Transport, Udp};
pub use tunnel::{Tunnel, TunnelKind};
pub use view::View;
