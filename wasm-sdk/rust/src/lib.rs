//! Write a MetaFlow parser once; build it as a native library and as a Wasm module from the same source.
//!
//! A parser is a type that implements [`Parser`]; [`export_parser!`] turns it into the symbols of `mf_abi_v1`
//! (`wasm-sdk/abi/v1.md`). Standard library only, and no `unsafe` outside [`native`] and the code the macro writes.
//!
//! | you want | look at |
//! |---|---|
//! | the bytes you are given | [`Segment`] |
//! | to say what a flow is | [`Check`] |
//! | to report messages | [`Records`] |
//! | state for each session, bounded | [`Sessions`] |
//! | a contiguous view of one direction | [`StreamBuffer`] |
//! | that, and what to do after a loss | [`Lane`](lane::Lane) |
//! | where a direction stands, without a buffer | [`unbuffered`] |
//! | numbers and texts out of bytes that may be cut | [`Cursor`] |
//! | the values of your options, and the sentence when one is wrong | [`options`] |
//! | trace ids from headers | [`trace`] |
//! | endpoints and status codes of HTTP | [`http`] |
//! | compressed bodies, in bounded memory | [`inflate`] |
//! | the verb, table, literals and trace ids of SQL | [`sql`] |
//! | your parser tested on every split | [`testing`] (feature `testing`) |

#[rustfmt::skip]
pub mod abi_generated;
mod check;
mod column;
mod cursor;
mod host;
pub mod http;
pub mod inflate;
pub mod lane;
pub mod native;
pub mod options;
mod records;
mod row;
mod segment;
mod sessions;
pub mod sql;
mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod trace;
pub mod unbuffered;
#[cfg(target_arch = "wasm32")]
pub mod wasm;

pub use abi_generated::{RecordType, Status, Text};
pub use check::Check;
pub use cursor::Cursor;
pub use host::{Failure, Host, SEGMENT_WITHDRAWN};
pub use records::{lossy, Records};
pub use segment::{Direction, Kind, Segment, Transport};
pub use sessions::Sessions;
pub use stream::{Appended, StreamBuffer};

/// A protocol parser. One value serves many sessions, is never called concurrently, and must not panic on any input.
pub trait Parser: 'static {
    /// A parser with its defaults, before any option.
    fn new() -> Self;

    /// Take one option of the configuration (the names stand in the manifest). Called before the first segment.
    ///
    /// # Errors
    /// A sentence for the person who wrote the option: what was found, what was expected.
    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        Err(format!("Unknown option {key:?} (value {value:?}): this parser has no options."))
    }

    /// Say whether a flow that begins with these bytes is this protocol.
    ///
    /// The payload holds everything of this direction since the flow was first offered, so no state is needed here.
    fn check(&mut self, segment: &Segment) -> Check;

    /// Take the next segment of a session and report every message that it completes.
    fn parse(&mut self, segment: &Segment, out: &mut Records);
}

/// Export a [`Parser`] with all symbols of `mf_abi_v1`, native or Wasm as the build target asks.
///
/// Write it once, in `lib.rs` of a crate whose `crate-type` has `cdylib`.
#[macro_export]
macro_rules! export_parser {
    ($parser:ty) => {
        #[cfg(target_arch = "wasm32")]
        $crate::export_wasm!($parser);
        #[cfg(not(target_arch = "wasm32"))]
        $crate::export_native!($parser);
    };
}
