//! The server's greeting and the client's login.

use super::cursor::Cursor;

/// Capability flags that change how bytes are read.
pub mod caps {
    /// `CLIENT_LONG_PASSWORD`; MariaDB clears it to say that its own flags follow (`CLIENT_MYSQL`).
    pub const MYSQL: u64 = 1;
    /// A database is named in the login.
    pub const CONNECT_WITH_DB: u64 = 1 << 3;
    /// zlib compression.
    pub const COMPRESS: u64 = 1 << 5;
    /// The protocol since 4.1.
    pub const PROTOCOL_41: u64 = 1 << 9;
    /// TLS.
    pub const SSL: u64 = 1 << 11;
    /// Authentication data has a length byte.
    pub const SECURE_CONNECTION: u64 = 1 << 15;
    /// An authentication plugin is named.
    pub const PLUGIN_AUTH: u64 = 1 << 19;
    /// Connection attributes follow.
    pub const CONNECT_ATTRS: u64 = 1 << 20;
    /// Authentication data has a length-encoded length.
    pub const PLUGIN_AUTH_LENENC: u64 = 1 << 21;
    /// OK packets tell of changes of the session.
    pub const SESSION_TRACK: u64 = 1 << 23;
    /// No EOF packets: an OK packet ends a result set.
    pub const DEPRECATE_EOF: u64 = 1 << 24;
    /// Column definitions may be left out (MySQL 8).
    pub const OPTIONAL_METADATA: u64 = 1 << 25;
    /// zstd compression (MySQL 8).
    pub const ZSTD: u64 = 1 << 26;
    /// Parameters stand before the text of a query (MySQL 8).
    pub const QUERY_ATTRIBUTES: u64 = 1 << 27;
    /// Column definitions may be left out (MariaDB).
    pub const CACHE_METADATA: u64 = 1 << 36;
}

/// `HandshakeV10` or `HandshakeV9`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Greeting<'a> {
    /// Text of the server's version.
    pub version: &'a [u8],
    /// Connection id.
    pub connection_id: u64,
    /// What the server can do; MariaDB's own flags from bit 32 on.
    pub caps: u64,
}

impl<'a> Greeting<'a> {
    /// Reads the payload of the server's first packet.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let protocol = cursor.int(1)?;
        let version = cursor.nul_bytes()?;
        if !matches!(protocol, 9 | 10) || version.len() < 3 || !version.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return None;
        }
        let connection_id = cursor.int(4)?;
        if protocol == 9 {
            return Some(Self { version, connection_id, caps: 0 });
        }
        cursor.bytes(8)?;
        if cursor.int(1)? != 0 {
            return None;
        }
        let mut caps = cursor.int(2)?;
        if let Some([_charset, _status0, _status1, high0, high1, _auth, reserved @ ..]) = cursor.bytes(16) {
            caps |= u64::from(*high0) << 16 | u64::from(*high1) << 24;
            if caps & caps::MYSQL == 0 {
                caps |= reserved[6..10].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)) << 32;
            }
        }
        Some(Self { version, connection_id, caps })
    }
}

/// `HandshakeResponse41`, `HandshakeResponse320` or `SSLRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login<'a> {
    /// What the client wants; MariaDB's own flags from bit 32 on.
    pub caps: u64,
    /// The rest follows inside TLS.
    pub is_ssl_request: bool,
    /// User name.
    pub user: &'a [u8],
    /// Database, when one is named.
    pub database: &'a [u8],
    /// Authentication plugin, when one is named.
    pub plugin: &'a [u8],
    /// The connection attribute `program_name`, or else `_client_name`.
    pub program: &'a [u8],
}

impl<'a> Login<'a> {
    /// Reads the payload (of `total` bytes, maybe cut) of the client's first packet.
    pub fn read(payload: &'a [u8], total: u64) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let mut caps = cursor.int(2)?;
        if caps & caps::PROTOCOL_41 == 0 {
            cursor.int(3)?;
            let user = cursor.nul_bytes()?;
            let named = caps & caps::CONNECT_WITH_DB != 0;
            let database = if named { cursor.nul_bytes().and_then(|_auth| cursor.nul_bytes()) } else { None };
            return (printable(user)).then_some(Self {
                caps,
                user,
                database: database.unwrap_or_default(),
                ..Self::default()
            });
        }
        caps |= cursor.int(2)? << 16;
        let _max_packet = cursor.int(4)?;
        let _charset = cursor.int(1)?;
        if cursor.bytes(19)?.iter().any(|byte| *byte != 0) {
            return None;
        }
        let own = cursor.int(4)?;
        if caps & caps::MYSQL == 0 {
            caps |= own << 32;
        }
        if total == 32 {
            return (caps & caps::SSL != 0).then_some(Self { caps, is_ssl_request: true, ..Self::default() });
        }
        let user = cursor.nul_bytes()?;
        if !printable(user) {
            return None;
        }
        let mut login = Self { caps, user, ..Self::default() };
        // What follows is not needed to know that this is a login, and may be cut.
        login.rest(&mut cursor);
        Some(login)
    }

    /// Reads the first bytes of such a payload of `total` bytes of which the capture cut the rest. Without its flags nothing is
    /// known.
    pub fn begun(payload: &'a [u8], total: u64) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let caps = cursor.int(4).filter(|caps| (payload.len() as u64) < total && caps & caps::PROTOCOL_41 != 0)?;
        let filler = payload.get(9..payload.len().min(28)).unwrap_or_default();
        if filler.iter().any(|byte| *byte != 0) {
            return None;
        }
        Some(Self { caps, is_ssl_request: total == 32 && caps & caps::SSL != 0, ..Self::default() })
    }

    fn rest(&mut self, cursor: &mut Cursor<'a>) -> Option<()> {
        if self.caps & caps::PLUGIN_AUTH_LENENC != 0 {
            cursor.lenenc_bytes()?;
        } else if self.caps & caps::SECURE_CONNECTION != 0 {
            let length = cursor.int(1)?;
            cursor.bytes(length as usize)?;
        } else {
            cursor.nul_bytes()?;
        }
        if self.caps & caps::CONNECT_WITH_DB != 0 {
            self.database = cursor.nul_bytes()?;
        }
        if self.caps & caps::PLUGIN_AUTH != 0 {
            self.plugin = cursor.nul_bytes()?;
        }
        if self.caps & caps::CONNECT_ATTRS != 0 {
            // Where the capture cut them, a better name may be among what is missing.
            let is_whole = cursor.lenenc()? <= cursor.rest().len() as u64;
            while let (Some(key), Some(value)) = (cursor.lenenc_bytes(), cursor.lenenc_bytes()) {
                if key == b"program_name" || (key == b"_client_name" && is_whole && self.program.is_empty()) {
                    self.program = value;
                }
            }
        }
        Some(())
    }
}

fn printable(text: &[u8]) -> bool {
    text.len() <= 256 && text.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f)
}
