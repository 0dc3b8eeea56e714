//! ClientHello and ServerHello (RFC 5246, 7.4.1; RFC 8446, 4.1): what is offered and what is chosen.

use metaflow_parser_sdk::Cursor;

pub(crate) const SERVER_NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURES: u16 = 13;
pub(crate) const ALPN: u16 = 16;
const TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;
const VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;
/// Most values of a list that are kept.
const MAX_VALUES: usize = 512;
/// The random of a ServerHello that is a HelloRetryRequest.
const RETRY: [u8; 8] = [0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11];

/// What a client offers, as far as the capture has it.
#[derive(Debug, Default)]
pub(crate) struct ClientHello {
    pub version: u16,
    pub ciphers: Vec<u16>,
    pub extensions: Vec<u16>,
    pub groups: Vec<u16>,
    pub formats: Vec<u8>,
    pub signatures: Vec<u16>,
    pub versions: Vec<u16>,
    pub alpn: Vec<Vec<u8>>,
    pub server_name: Vec<u8>,
    pub session_id: Vec<u8>,
    pub has_ticket: bool,
    pub has_key: bool,
    pub has_early_data: bool,
}

/// A value that is sent to keep servers tolerant (RFC 8701).
pub(crate) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// The numbers of two bytes that are there.
fn kept(values: &[u8]) -> Vec<u16> {
    let numbers = values.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    numbers.filter(|value| !is_grease(*value)).take(MAX_VALUES).collect()
}

impl ClientHello {
    /// What the bytes hold; they may be cut.
    pub fn read(body: &[u8]) -> ClientHello {
        let mut found = ClientHello::default();
        let _ = found.fill(Cursor::new(body));
        found
    }

    fn fill(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        self.version = cursor.u16()?;
        cursor.bytes(32)?;
        self.session_id = cursor.behind_u8()?.to_vec();
        self.ciphers = kept(cursor.behind_u16()?);
        cursor.behind_u8()?;
        let length = usize::from(cursor.u16()?);
        let mut inner = Cursor::new(&cursor.rest()[..cursor.rest().len().min(length)]);
        while self.extensions.len() < MAX_VALUES {
            let kind = inner.u16()?;
            if !is_grease(kind) {
                self.extensions.push(kind);
            }
            self.extension(kind, inner.behind_u16().map(Cursor::new)?);
        }
        Some(())
    }

    fn extension(&mut self, kind: u16, mut body: Cursor<'_>) -> Option<()> {
        match kind {
            SERVER_NAME => {
                let mut names = body.behind_u16().map(Cursor::new)?;
                if names.u8()? == 0 {
                    let name = names.behind_u16()?;
                    self.server_name = name[..name.len().min(255)].to_vec();
                }
            }
            GROUPS => self.groups = kept(body.behind_u16()?),
            POINT_FORMATS => self.formats = body.behind_u8()?.to_vec(),
            SIGNATURES => self.signatures = kept(body.behind_u16()?),
            VERSIONS => self.versions = kept(body.behind_u8()?),
            ALPN => {
                let mut names = body.behind_u16().map(Cursor::new)?;
                while self.alpn.len() < 16 {
                    self.alpn.push(names.behind_u8()?.to_vec());
                }
            }
            TICKET => self.has_ticket = !body.rest().is_empty(),
            PRE_SHARED_KEY => self.has_key = true,
            EARLY_DATA => self.has_early_data = true,
            _ => {}
        }
        Some(())
    }

    /// The highest version that is offered.
    pub fn offered(&self) -> u16 {
        self.versions.iter().copied().max().unwrap_or(self.version)
    }
}

/// What a server chose.
#[derive(Debug, Default)]
pub(crate) struct ServerHello {
    pub legacy_version: u16,
    pub version: u16,
    pub is_retry: bool,
    pub session_id: Vec<u8>,
    pub cipher: u16,
    pub extensions: Vec<u16>,
    pub alpn: Vec<u8>,
    pub group: u16,
    pub has_key: bool,
}

impl ServerHello {
    /// What the bytes hold; they may be cut.
    pub fn read(body: &[u8]) -> ServerHello {
        let mut found = ServerHello::default();
        let _ = found.fill(Cursor::new(body));
        found
    }

    fn fill(&mut self, mut cursor: Cursor<'_>) -> Option<()> {
        self.legacy_version = cursor.u16()?;
        self.version = self.legacy_version;
        self.is_retry = cursor.bytes(32)?.starts_with(&RETRY);
        self.session_id = cursor.behind_u8()?.to_vec();
        self.cipher = cursor.u16()?;
        cursor.u8()?;
        let mut inner = cursor.behind_u16().map(Cursor::new)?;
        while self.extensions.len() < MAX_VALUES {
            let kind = inner.u16()?;
            self.extensions.push(kind);
            let mut body = inner.behind_u16().map(Cursor::new)?;
            match kind {
                VERSIONS => self.version = body.u16().unwrap_or(self.version),
                ALPN => {
                    self.alpn = body
                        .behind_u16()
                        .and_then(|names| Cursor::new(names).behind_u8())
                        .map_or(vec![], <[u8]>::to_vec)
                }
                KEY_SHARE => self.group = body.u16().unwrap_or(0),
                PRE_SHARED_KEY => self.has_key = true,
                _ => {}
            }
        }
        Some(())
    }
}
