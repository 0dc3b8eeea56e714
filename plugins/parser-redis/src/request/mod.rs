//! Commands: how they are read, which are known, what of them may be shown.

mod line;
mod reader;
mod scan;
mod table;

pub use line::CommandLine;
pub use line::ReplyMode;
pub use reader::{Progress, RequestReader};
pub use scan::{command_at, is_known, Found, Scan};
pub use table::{find, Act, Topic, MODULES};
