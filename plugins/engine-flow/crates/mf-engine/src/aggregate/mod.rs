//! Documents: network and application metrics by second and by minute, for services and for paths.
//!
//! Work is done once per event: everything is summed by *path* (both ends) and second. When a second closes, its paths
//! become the rows of the `_map.1s` table, the rows of the one-ended `.1s` table are derived from them (one for the
//! client's end, one for the server's), and the paths are summed into their minute, which closes in the same way.
//!
//! **Late data** is never lost and never put into another second: it opens its second again, which closes at once and
//! gives a further row with the same time and key. Rows of one time and key are meant to be added up (all meters are
//! sums, except `*_max` and `direction_score`: the larger one). The number of keys in memory is bounded in the same way:
//! at the limit the oldest second or minute is closed early, which is counted.
//!
//! **Order**: rows come out by time, then by key, so the same input gives the same bytes.

mod application;
mod columns;
mod documents;
mod key;
mod meters;
mod network;
mod store;
mod window;
mod write;

pub use application::{AppKey, AppMeter, AppTags, ExchangeCount};
pub use columns::{APP_SCHEMAS, NETWORK_SCHEMAS};
pub use documents::{Documents, Limits};
pub use key::{End, Path, Role};
pub use meters::{Latency, NetworkMeter};
pub use network::NetworkKey;
pub use store::process_seed;
pub use window::Spot;
