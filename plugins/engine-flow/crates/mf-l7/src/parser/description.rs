//! A parser's description: `key=value` lines (data-plane.md, "Parser description keys").

use crate::flow::{ICMP, ICMP6, TCP, UDP};

/// How responses find their requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// In order, inside a session.
    Fifo,
    /// By `stream_id`.
    Keyed,
    /// Not at all: every message stands alone.
    None,
}

/// What a parser matches and how its messages belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParserDescription {
    /// Its name, unique in an engine.
    pub name: String,
    /// Protocol numbers and names; the first is the default.
    pub protocols: Vec<(u8, String)>,
    /// Bits: 1 TCP, 2 UDP, 4 ICMP.
    pub transports: u8,
    /// Server ports, inclusive ranges.
    pub ports: Vec<(u16, u16)>,
    /// First bytes that hint at the protocol.
    pub magics: Vec<Vec<u8>>,
    /// A request without an answer for this long is a timeout.
    pub session_timeout_ns: u64,
    /// See [`Pairing`].
    pub pairing: Pairing,
    /// How often the parser may ask for more bytes before that counts as a refusal.
    pub max_check_segments: u16,
    /// It reads the encrypted bytes of TLS connections that are seen in calls (the handshake).
    pub ciphertext: bool,
    /// `option.<key>` values, for the parser's `mf_configure`.
    pub options: Vec<(String, String)>,
}

impl ParserDescription {
    /// A parser with the defaults: TCP, fifo, 120 s.
    pub fn new(name: &str, protocol: u8, protocol_name: &str) -> Self {
        ParserDescription {
            name: name.to_string(),
            protocols: vec![(protocol, protocol_name.to_string())],
            transports: 1,
            ports: Vec::new(),
            magics: Vec::new(),
            session_timeout_ns: 120_000_000_000,
            pairing: Pairing::Fifo,
            max_check_segments: 8,
            ciphertext: false,
            options: Vec::new(),
        }
    }

    /// Reads `key=value` lines. Keys it does not know are kept out with an error, so that a typing mistake is seen.
    ///
    /// # Errors
    /// A sentence that names the line and what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut out = ParserDescription::new("", 127, "Custom");
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((key, value)) = line.split_once('=') else {
                return Err(format!("parser description: line `{line}` is not key=value"));
            };
            let (key, value) = (key.trim(), value.trim());
            let wrong = |expected: &str| format!("parser description: {key}={value}: expected {expected}");
            match key {
                "name" => out.name = value.to_string(),
                "protocols" => {
                    out.protocols = protocols(value).ok_or_else(|| wrong("number:name,... such as 20:HTTP"))?;
                }
                "transports" => {
                    out.transports = transports(value).ok_or_else(|| wrong("a list of tcp, udp, icmp"))?;
                }
                "ports" => out.ports = ports(value).ok_or_else(|| wrong("ports or ranges, such as 80,8000-8100"))?,
                "magics" => out.magics = magics(value).ok_or_else(|| wrong("bytes in hexadecimal, such as 474554"))?,
                "session_timeout_ms" => {
                    let ms: u32 = value.parse().map_err(|_| wrong("milliseconds"))?;
                    out.session_timeout_ns = u64::from(ms) * 1_000_000;
                }
                "max_check_segments" => {
                    out.max_check_segments = value.parse().map_err(|_| wrong("a number of segments"))?;
                }
                "ciphertext" => {
                    out.ciphertext = match value {
                        "1" => true,
                        "0" => false,
                        _ => return Err(wrong("1 or 0")),
                    }
                }
                "pairing" => {
                    out.pairing = match value {
                        "fifo" => Pairing::Fifo,
                        "keyed" => Pairing::Keyed,
                        "none" => Pairing::None,
                        _ => return Err(wrong("fifo, keyed or none")),
                    }
                }
                _ => match key.strip_prefix("option.") {
                    Some(option) => out.options.push((option.to_string(), value.to_string())),
                    None => return Err(format!("parser description: unknown key `{key}`")),
                },
            }
        }
        if out.name.is_empty() {
            return Err("parser description: name is missing".to_string());
        }
        Ok(out)
    }

    /// The default protocol number.
    pub fn protocol(&self) -> u8 {
        self.protocols.first().map_or(0, |&(number, _)| number)
    }

    /// The name of one of its protocols, the parser's name when it is not listed.
    pub fn protocol_name(&self, number: u8) -> &str {
        self.protocols.iter().find(|entry| entry.0 == number).map_or(&self.name, |entry| &entry.1)
    }

    /// Whether it reads this IP protocol.
    pub fn takes(&self, transport: u8) -> bool {
        let bit = match transport {
            TCP => 1,
            UDP => 2,
            ICMP | ICMP6 => 4,
            _ => 0,
        };
        self.transports & bit != 0
    }

    /// Whether it names this server port.
    pub fn names_port(&self, port: u16) -> bool {
        self.ports.iter().any(|&(low, high)| (low..=high).contains(&port))
    }

    /// Whether the payload begins with one of its magics.
    pub fn has_magic(&self, payload: &[u8]) -> bool {
        self.magics.iter().any(|magic| payload.starts_with(magic))
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn protocols(value: &str) -> Option<Vec<(u8, String)>> {
    let found: Option<Vec<_>> = list(value)
        .map(|item| {
            let (number, name) = item.split_once(':')?;
            Some((number.trim().parse().ok()?, name.trim().to_string()))
        })
        .collect();
    found.filter(|found| !found.is_empty())
}

fn transports(value: &str) -> Option<u8> {
    list(value).try_fold(0, |bits, item| match item {
        "tcp" => Some(bits | 1),
        "udp" => Some(bits | 2),
        "icmp" => Some(bits | 4),
        _ => None,
    })
}

fn ports(value: &str) -> Option<Vec<(u16, u16)>> {
    list(value)
        .map(|item| {
            let (low, high) = item.split_once('-').unwrap_or((item, item));
            let range = (low.trim().parse().ok()?, high.trim().parse().ok()?);
            (range.0 <= range.1).then_some(range)
        })
        .collect()
}

fn magics(value: &str) -> Option<Vec<Vec<u8>>> {
    list(value)
        .map(|item| {
            if item.len() % 2 != 0 || !item.is_ascii() {
                return None;
            }
            (0..item.len()).step_by(2).map(|at| u8::from_str_radix(item.get(at..at + 2)?, 16).ok()).collect()
        })
        .collect()
}
