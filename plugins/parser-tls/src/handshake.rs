//! A handshake: what both sides said in the clear, and its records.

use crate::certificate::Certificate;
use crate::fingerprint::{ja3, ja3s, ja4};
use crate::hello::{ClientHello, ServerHello};
use crate::{alert, names};
use metaflow_parser_sdk::{Cursor, Direction, RecordType, Records, Status, Text};

/// Longest list of messages that is shown.
const MAX_LIST: usize = 512;

/// Where something stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub offset: u64,
    pub time_ns: u64,
    /// Time of the last byte, when it was seen.
    pub end_ns: Option<u64>,
    /// Bytes in all.
    pub length: u64,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    /// The request was told.
    pub is_asked: bool,
    pub server: Option<ServerHello>,
    session_id: Vec<u8>,
    offered_ticket: bool,
    asked_at: Place,
    hello_at: Place,
    /// Offset of the server's first byte: where the answer begins.
    pub answer_offset: Option<u64>,
    has_retry: bool,
    wants_certificate: bool,
    has_server_certificate: bool,
    /// Part of what the server said was not captured: what was not seen may have been there.
    pub is_cut: bool,
    /// Messages of the server, by name.
    list: String,
    attributes: Vec<(&'static str, String)>,
    /// Bytes of the server's records so far.
    pub length: u64,
}

impl Handshake {
    /// TLS 1.3: everything behind the ServerHello is encrypted.
    pub fn is_13(&self) -> bool {
        self.server.as_ref().is_some_and(|hello| hello.version >= 0x0304 && !hello.is_retry)
    }

    /// The server sent a message, or a record that is none.
    pub fn list(&mut self, name: &str) {
        if self.list.len() < MAX_LIST && self.list.rsplit(',').next() != Some(name) {
            self.list += if self.list.is_empty() { "" } else { "," };
            self.list += name;
        }
    }

    /// A message in the clear.
    pub fn message(&mut self, by: Direction, kind: u8, body: &[u8], at: Place, out: &mut Records) {
        if by == Direction::ServerToClient {
            self.list(names::message(kind));
        }
        match (by, kind) {
            (Direction::ClientToServer, 1) if !self.is_asked => self.ask(&ClientHello::read(body), at, out),
            (Direction::ServerToClient, 2) => {
                let hello = ServerHello::read(body);
                self.has_retry |= hello.is_retry;
                if !hello.is_retry {
                    self.hello_at = at;
                }
                self.server = Some(hello);
            }
            (_, 11) if !self.is_13() => self.certificate(by, body, at.time_ns),
            (Direction::ServerToClient, 13) => self.wants_certificate = true,
            _ => {}
        }
    }

    fn ask(&mut self, hello: &ClientHello, at: Place, out: &mut Records) {
        self.is_asked = true;
        self.asked_at = at;
        self.session_id.clone_from(&hello.session_id);
        self.offered_ticket = hello.has_ticket;
        out.begin(RecordType::Request).stream_offset(at.offset).time_ns(at.time_ns).length(at.length);
        if let Some(end) = at.end_ns {
            out.end_time_ns(end);
        }
        out.text(Text::RequestType, names::message(1));
        // Where the end is missing, the extension by which TLS 1.3 is offered may be.
        if at.end_ns.is_some() || !hello.versions.is_empty() {
            out.text(Text::Version, &names::version(hello.offered()));
        }
        for column in [Text::RequestDomain, Text::RequestResource, Text::Endpoint] {
            out.text_bytes(column, &hello.server_name);
        }
        if at.end_ns.is_none() {
            out.attribute("cut", "true");
        } else {
            out.attribute("ja3", &ja3(hello)).attribute("ja4", &ja4(hello));
        }
        if !hello.alpn.is_empty() {
            out.attribute_bytes("offered_alpn", &hello.alpn.join(&b','));
        }
        for (key, is_set) in
            [("offered_resumption", hello.has_key || hello.has_ticket), ("early_data", hello.has_early_data)]
        {
            if is_set {
                out.attribute(key, "true");
            }
        }
        out.end();
    }

    /// The first certificate of a chain.
    fn certificate(&mut self, by: Direction, body: &[u8], now_ns: u64) {
        let mut cursor = Cursor::new(body);
        let length = cursor.u24().and_then(|_| cursor.u24());
        let Some(length) = length else { return };
        let Some(found) = Certificate::read(&cursor.rest()[..cursor.rest().len().min(length as usize)]) else { return };
        let keys = match by {
            Direction::ServerToClient => [
                "server_cert_subject",
                "server_cert_issuer",
                "server_cert_not_before",
                "server_cert_not_after",
                "server_cert_names",
                "server_cert_valid_days",
            ],
            Direction::ClientToServer => [
                "client_cert_subject",
                "client_cert_issuer",
                "client_cert_not_before",
                "client_cert_not_after",
                "client_cert_names",
                "client_cert_valid_days",
            ],
        };
        self.has_server_certificate |= by == Direction::ServerToClient;
        let left = found.expires.map(|expires| (expires - (now_ns / 1_000_000_000) as i64).div_euclid(86_400));
        let days = left.map_or(String::new(), |days| days.to_string());
        let values = [found.subject, found.issuer, found.not_before, found.not_after, found.names, days];
        self.attributes.extend(keys.into_iter().zip(values).filter(|(_, value)| !value.is_empty()));
    }

    /// Tells how the handshake ended.
    pub fn answer(&self, status: Status, failure: Option<(u8, Direction)>, words: &str, at: Place, out: &mut Records) {
        let offset = self.answer_offset.unwrap_or(0);
        out.begin(RecordType::Response).stream_offset(offset).time_ns(at.time_ns).end_time_ns(at.time_ns);
        out.length(self.length).status(status).text(Text::Result, &self.list).text(Text::Exception, words);
        if let Some((description, by)) = failure {
            out.code(description.into());
            out.text(Text::Exception, alert::name(description));
            out.attribute("alert_from", if by == Direction::ServerToClient { "server" } else { "client" });
        }
        if let Some(hello) = &self.server {
            out.text(Text::Version, &names::version(hello.version));
            out.attribute("cipher_suite", &names::cipher(hello.cipher)).attribute("ja3s", &ja3s(hello));
            if !hello.alpn.is_empty() {
                out.attribute_bytes("alpn", &hello.alpn);
            }
            if hello.group != 0 {
                out.attribute("group", &names::group(hello.group));
            }
            // Before TLS 1.3 a server that resumes repeats the identifier and sends no certificate.
            let repeats = !hello.session_id.is_empty() && hello.session_id == self.session_id;
            let is_old = hello.version < 0x0304;
            if hello.has_key
                || (is_old
                    && status == Status::Ok
                    && !self.has_server_certificate
                    && !self.is_cut
                    && (repeats || self.offered_ticket))
            {
                out.attribute("resumed", "true");
            }
            if self.is_asked && self.hello_at.time_ns >= self.asked_at.time_ns && self.hello_at.time_ns > 0 {
                out.attribute("hello_us", &((self.hello_at.time_ns - self.asked_at.time_ns) / 1000).to_string());
            }
        }
        for (key, is_set) in
            [("hello_retry", self.has_retry), ("client_auth", self.wants_certificate), ("cut", self.is_cut)]
        {
            if is_set {
                out.attribute(key, "true");
            }
        }
        for (key, value) in &self.attributes {
            out.attribute(key, value);
        }
        out.end();
    }
}
