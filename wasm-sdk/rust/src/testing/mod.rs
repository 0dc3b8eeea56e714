//! The test kit of a parser: scripts of a conversation, run in one piece and in every split, through the real ABI.
//!
//! ```ignore
//! let talk = Script::new(80).client(b"GET / HTTP/1.1\r\n\r\n").server(b"HTTP/1.1 200 OK\r\n\r\n");
//! let rows = talk.run::<HttpParser>();              // decoded records
//! talk.assert_any_split_is_equal::<HttpParser>();   // every cut, byte by byte, random pieces
//! talk.assert_survives_damage::<HttpParser>();      // truncation, flipped bytes, gaps, garbage
//! ```

mod cut;
mod damage;
mod fuzz;
mod golden;
pub mod pcap;
mod random;
mod rows;
mod script;
mod speed;

pub use cut::assert_cut_captures;
pub use fuzz::{assert_seeds, fuzz, fuzz_until_loss, mini_fuzz, mini_fuzz_until_loss};
pub use golden::{assert_captures, print_records};
pub use random::Random;
pub use rows::{decode_checks, decode_records, Row, Value};
pub use script::{Runner, Script, Step};
pub use speed::throughput;
