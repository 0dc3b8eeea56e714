//! The messages of the client/server protocol
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol>).

mod attributes;
mod command;
mod cursor;
mod handshake;
mod reply;

pub use attributes::query_attributes;
pub use command::{command_at, name, Answer, Found};
pub use cursor::Cursor;
pub use handshake::{caps, Greeting, Login};
pub use reply::{status, ErrPacket, OkPacket};
