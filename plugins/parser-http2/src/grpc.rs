//! gRPC over HTTP/2: its paths, status codes, messages in DATA frames, and texts
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use crate::fields::Slot;
use crate::head::Head;
use metaflow_parser_sdk::Status;

/// What is spoken on a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Speech {
    #[default]
    Http,
    Grpc,
    /// Dubbo 3's variant of gRPC.
    Triple,
}

impl Speech {
    /// What a head says; `None` when it does not.
    pub fn of(head: &Head) -> Option<Speech> {
        if head.has(Slot::TriVersion) {
            return Some(Speech::Triple);
        }
        let kind = head.get(Slot::ContentType);
        match kind.strip_prefix(b"application/grpc") {
            Some([] | [b'+' | b';' | b' ', ..]) => Some(Speech::Grpc),
            _ if head.has(Slot::ContentType) => Some(Speech::Http),
            _ => None,
        }
    }

    /// The number of the protocol.
    pub const fn protocol(self) -> u8 {
        match self {
            Speech::Http => 21,
            Speech::Grpc => 41,
            Speech::Triple => 49,
        }
    }

    /// Its responses end with trailers that have a status.
    pub const fn is_rpc(self) -> bool {
        !matches!(self, Speech::Http)
    }
}

/// The service of `/package.Service/Method`, "" for another path.
pub(crate) fn service(path: &[u8]) -> &[u8] {
    let Some(rest) = path.strip_prefix(b"/") else { return &[] };
    match rest.iter().rposition(|byte| *byte == b'/') {
        Some(end) => &rest[..end],
        None => &[],
    }
}

/// What a `grpc-status` means for the two sides.
pub(crate) const fn status(code: u64) -> Status {
    match code {
        0 => Status::Ok,
        1 | 3 | 5 | 6 | 7 | 9 | 11 | 16 => Status::ClientError,
        _ => Status::ServerError,
    }
}

/// The name of a `grpc-status`, "" for one that is not defined.
pub(crate) const fn status_name(code: u64) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    if code < NAMES.len() as u64 {
        NAMES[code as usize]
    } else {
        ""
    }
}

/// A `grpc-message`, whose octets outside of printable ASCII are percent-encoded; a wrong escape stays as it is.
pub(crate) fn message(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| (*byte? as char).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let escape = (*byte == b'%').then(|| Some(digit(text.get(at + 1))? << 4 | digit(text.get(at + 2))?)).flatten();
        out.push(escape.map_or(*byte, |value| value as u8));
        at += if escape.is_some() { 3 } else { 1 };
    }
    out
}

/// Octets in front of each message: compressed or not, and its length.
const PREFIX: usize = 5;

/// Counts the messages of one direction of a stream while its octets pass by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counter {
    /// Messages that began.
    pub messages: u64,
    /// Octets of DATA without padding.
    pub octets: u64,
    /// Octets that the message at hand still has.
    left: u64,
    prefix: [u8; PREFIX],
    have: u8,
    /// Octets were missed.
    pub is_broken: bool,
}

impl Counter {
    /// How many octets the counter has no need to see: the rest of a message.
    pub const fn indifferent(&self) -> u64 {
        if self.is_broken {
            u64::MAX
        } else {
            self.left
        }
    }

    /// What passed was whole messages and nothing else.
    pub const fn is_aligned(&self) -> bool {
        !self.is_broken && self.messages > 0 && self.left == 0 && self.have == 0
    }

    /// Octets of a message pass by unseen, [`Counter::indifferent`] at most.
    pub fn pass(&mut self, octets: u64) {
        self.octets = self.octets.saturating_add(octets);
        self.left = self.left.saturating_sub(octets);
    }

    /// Look at an octet of a prefix.
    pub fn see(&mut self, octet: u8) {
        self.octets = self.octets.saturating_add(1);
        self.prefix[usize::from(self.have) % PREFIX] = octet;
        self.have += 1;
        if usize::from(self.have) == PREFIX {
            self.have = 0;
            let [flag, length @ ..] = self.prefix;
            // The flag is 0 or 1 (0x80 marks the trailers of gRPC-Web): anything else is no message of gRPC.
            self.is_broken |= flag & !0x81 != 0;
            self.left = u32::from_be_bytes(length).into();
            self.messages += 1;
        }
    }
}

/// The name of a `tri-exception-code` (`org.apache.dubbo.rpc.RpcException`).
pub(crate) const fn triple_exception(code: u64) -> &'static str {
    match code {
        1 => "NETWORK_EXCEPTION",
        2 => "TIMEOUT_EXCEPTION",
        3 => "BIZ_EXCEPTION",
        4 => "FORBIDDEN_EXCEPTION",
        5 => "SERIALIZATION_EXCEPTION",
        6 => "NO_INVOKER_AVAILABLE_AFTER_FILTER",
        7 => "LIMIT_EXCEEDED_EXCEPTION",
        8 => "TIMEOUT_TERMINATE",
        9 => "REGISTRY_EXCEPTION",
        11 => "METHOD_NOT_FOUND",
        12 => "VALIDATION_EXCEPTION",
        _ => "UNKNOWN_EXCEPTION",
    }
}

#[cfg(test)]
mod tests {
    use super::{message, service, status_name, Counter};

    #[test]
    fn services() {
        for (path, expected) in [
            ("/helloworld.Greeter/SayHello", "helloworld.Greeter"),
            ("/a/b/C", "a/b"),
            ("/x", ""),
            ("", ""),
            ("a/b", ""),
            ("//", ""),
        ] {
            assert_eq!(service(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn messages_are_decoded() {
        for (text, expected) in
            [("plain", "plain"), ("a%20b", "a b"), ("%E2%82%AC", "\u{20ac}"), ("50%", "50%"), ("%zz%4", "%zz%4")]
        {
            assert_eq!(String::from_utf8(message(text.as_bytes())).unwrap(), expected);
        }
    }

    #[test]
    fn a_name_for_each_code() {
        assert_eq!((status_name(0), status_name(16), status_name(17)), ("OK", "UNAUTHENTICATED", ""));
    }

    #[test]
    fn messages_are_counted_however_their_octets_come() {
        let bytes = [&[0, 0, 0, 0, 3][..], b"abc", &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 1], b"x"].concat();
        let mut counter = Counter::default();
        let mut at = 0;
        while at < bytes.len() {
            if counter.indifferent() > 0 {
                counter.pass(1);
            } else {
                counter.see(bytes[at]);
            }
            at += 1;
        }
        assert_eq!((counter.messages, counter.octets, counter.is_broken), (3, bytes.len() as u64, false));
    }
}
