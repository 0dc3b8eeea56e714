//! RESP2 and RESP3 values, read as a stream (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

mod reader;
mod value;

pub use reader::{Progress, ReplyReader, KINDS};
pub use value::Reply;
