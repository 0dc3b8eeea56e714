//! What packets become: requests, responses, and the keys that pair them.

use crate::frame::{self, Header};
use crate::packet;
use crate::properties::{self, Properties};
use crate::reason;
use metaflow_parser_sdk::trace::{Trace, TraceRules};
use metaflow_parser_sdk::{lossy, Cursor, Direction, RecordType, Records, Status, Text};
use std::collections::{HashMap, VecDeque};

/// Topic aliases of a direction, and publications of QoS 2 under way, that are remembered.
const MAX_KNOWN: usize = 1024;
/// Longest topic that is remembered or shown.
const MAX_TOPIC: usize = 1024;
/// Longest client identifier that is shown.
const MAX_CLIENT: usize = 256;

/// A packet, or what the capture has of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub header: Header,
    pub body: &'a [u8],
    pub offset: u64,
    pub time_ns: u64,
    /// Time of the last byte, when it has been seen.
    pub end_ns: Option<u64>,
}

/// Topics by number; the oldest are forgotten first.
#[derive(Debug, Default)]
struct Known {
    topics: HashMap<u16, Box<[u8]>>,
    order: VecDeque<u16>,
}

impl Known {
    fn insert(&mut self, number: u16, topic: &[u8]) {
        if self.topics.insert(number, topic[..topic.len().min(MAX_TOPIC)].into()).is_none() {
            self.order.push_back(number);
        }
        if self.order.len() > MAX_KNOWN {
            if let Some(oldest) = self.order.pop_front() {
                self.topics.remove(&oldest);
            }
        }
    }

    fn take(&mut self, number: u16) -> Option<Box<[u8]>> {
        let topic = self.topics.remove(&number)?;
        self.order.retain(|known| *known != number);
        Some(topic)
    }
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    /// 3, 4 or 5; `None` when the CONNECT was not seen.
    pub version: Option<u8>,
    client_id: Vec<u8>,
    aliases: [Known; 2],
    /// Topics of publications of QoS 2, by the side that published.
    releases: [Known; 2],
    /// Pings asked and answered.
    pings: [u64; 2],
}

/// What every session uses.
#[derive(Default)]
pub(crate) struct Tools {
    rules: TraceRules,
    trace: Trace,
}

/// What asks and what answers it share a key: the group in the upper half, the packet identifier in the lower.
const fn key(group: u64, number: u64) -> u64 {
    group << 32 | number & 0xffff_ffff
}

const CONNECTING: u64 = 1;
const PINGING: u64 = 2;
const SUBSCRIBING: u64 = 3;
const AUTHENTICATING: u64 = 4;
/// And one more for what the server publishes.
const PUBLISHING: u64 = 6;
const RELEASING: u64 = 8;

impl Dialogue {
    /// Takes the next packet of a direction.
    pub fn take(&mut self, direction: Direction, packet: &Packet<'_>, tools: &mut Tools, out: &mut Records) {
        tools.trace.clear();
        let by_server = direction.index() as u64;
        let mut body = Cursor::new(packet.body);
        match packet.header.kind {
            frame::CONNECT => self.connect(packet, tools, out),
            frame::CONNACK => self.connack(packet, tools, &mut body, out),
            frame::PUBLISH => self.publish(direction, packet, &mut body, tools, out),
            frame::PUBACK | frame::PUBREC | frame::PUBCOMP => {
                // The side that is answered published.
                let group = if packet.header.kind == frame::PUBCOMP { RELEASING } else { PUBLISHING };
                self.acknowledge(packet, &mut body, group + 1 - by_server, tools, out);
            }
            frame::PUBREL => self.release(direction, packet, &mut body, out),
            frame::SUBSCRIBE | frame::UNSUBSCRIBE => self.subscribe(packet, tools, &mut body, out),
            frame::SUBACK | frame::UNSUBACK => self.suback(packet, tools, &mut body, out),
            frame::PINGREQ => {
                self.begin(RecordType::Request, packet, Some(key(PINGING, self.pings[0])), out).end();
                self.pings[0] += 1;
            }
            frame::PINGRESP => {
                // One that answers what was not seen must not answer the next.
                let number = self.pings[1].min(self.pings[0].saturating_sub(1));
                self.begin(RecordType::Response, packet, Some(key(PINGING, number)), out).status(Status::Ok).end();
                self.pings[1] = self.pings[0].min(self.pings[1] + 1);
            }
            frame::DISCONNECT => self.disconnect(packet, tools, &mut body, out),
            _ => self.auth(direction, packet, &mut body, tools, out),
        }
    }

    /// Answers that were lost are not waited for.
    pub fn lost(&mut self, direction: Direction) {
        if direction == Direction::ServerToClient {
            self.pings[1] = self.pings[0];
        }
    }

    /// Begins the record of a packet.
    fn begin<'a>(
        &self,
        kind: RecordType,
        packet: &Packet<'_>,
        key: Option<u64>,
        out: &'a mut Records,
    ) -> &'a mut Records {
        out.begin(kind).stream_offset(packet.offset).time_ns(packet.time_ns).length(packet.header.total);
        if let Some(end) = packet.end_ns {
            out.end_time_ns(end);
        }
        if let Some(key) = key {
            out.stream_id(key);
        }
        out.text(Text::RequestType, frame::name(packet.header.kind));
        out.text_bytes(Text::RequestDomain, &self.client_id);
        out.text(
            Text::Version,
            match self.version {
                Some(3) => "3.1",
                Some(4) => "3.1.1",
                Some(5) => "5",
                _ => "",
            },
        )
    }

    fn properties<'a>(&self, body: &mut Cursor<'a>, tools: &mut Tools) -> Properties<'a> {
        if self.version != Some(5) {
            return Properties::default();
        }
        properties::read(body, &tools.rules, &mut tools.trace).unwrap_or_default()
    }

    /// Bytes of what is published, behind what stands before `rest` and behind the properties; `None` where the capture lacks
    /// what tells it.
    fn payload(&self, packet: &Packet<'_>, rest: &Cursor<'_>) -> Option<u64> {
        let mut rest = *rest;
        let (before, mut properties) = (rest.rest().len(), 0);
        if self.version == Some(5) {
            properties = rest.varint(4)?;
        }
        let is_cut = before == 0 && packet.header.size as u64 + (packet.body.len() as u64) < packet.header.total;
        let head = packet.header.size as u64 + (packet.body.len() - rest.rest().len()) as u64 + properties;
        packet.header.total.checked_sub(head).filter(|_| !is_cut)
    }

    fn connect(&mut self, packet: &Packet<'_>, tools: &mut Tools, out: &mut Records) {
        *self = Dialogue::default();
        let Ok(Some(connect)) = packet::connect(packet.body) else {
            self.begin(RecordType::Request, packet, Some(key(CONNECTING, 0)), out).end();
            return;
        };
        self.version = Some(connect.level);
        let mut rest = connect.rest;
        let found = self.properties(&mut rest, tools);
        let client_id = rest.behind_u16().unwrap_or_default();
        self.client_id = client_id[..client_id.len().min(MAX_CLIENT)].to_vec();
        let has_will = connect.flags & 4 != 0;
        let mut will = &[][..];
        if has_will {
            let _ = self.properties(&mut rest, tools);
            will = rest.behind_u16().unwrap_or_default();
            let _ = rest.behind_u16();
        }
        let user = if connect.flags & 0x80 != 0 { rest.behind_u16().unwrap_or_default() } else { &[] };
        self.begin(RecordType::Request, packet, Some(key(CONNECTING, 0)), out);
        out.attribute("keep_alive", &connect.keep_alive.to_string());
        let clean = if connect.flags & 2 != 0 { &b"true"[..] } else { b"false" };
        for (name, value) in
            [("clean_start", clean), ("user", user), ("will_topic", will), ("auth_method", found.auth_method)]
        {
            if !value.is_empty() {
                out.attribute_bytes(name, &value[..value.len().min(MAX_TOPIC)]);
            }
        }
        out.end();
    }

    fn connack(&mut self, packet: &Packet<'_>, tools: &mut Tools, body: &mut Cursor<'_>, out: &mut Records) {
        let (flags, code) = (body.u8().unwrap_or(0), body.u8());
        if self.version.is_none() && packet.body.len() > 2 {
            self.version = Some(5);
        }
        let found = self.properties(body, tools);
        if self.client_id.is_empty() && !found.client_id.is_empty() {
            self.client_id = found.client_id[..found.client_id.len().min(MAX_CLIENT)].to_vec();
        }
        self.begin(RecordType::Response, packet, Some(key(CONNECTING, 0)), out);
        let meaning = if self.version == Some(5) { reason::reason } else { reason::connack };
        judge(code, found.reason, meaning, out);
        if flags & 1 != 0 {
            out.attribute("session_present", "true");
        }
        for (name, value) in [("assigned_client_id", found.client_id), ("server_reference", found.server)] {
            if !value.is_empty() {
                out.attribute_bytes(name, value);
            }
        }
        out.end();
    }

    fn publish(
        &mut self,
        direction: Direction,
        packet: &Packet<'_>,
        body: &mut Cursor<'_>,
        tools: &mut Tools,
        out: &mut Records,
    ) {
        let flags = packet.header.flags;
        let qos = flags >> 1 & 3;
        let by = direction.index();
        // Of a topic that is cut the beginning is shown.
        let topic = body.behind_u16().unwrap_or_else(|| packet.body.get(2..).unwrap_or_default());
        let id = if qos > 0 { body.u16() } else { None };
        let payload = self.payload(packet, body);
        let found = self.properties(body, tools);
        let alias = found.topic_alias.map(|alias| alias.to_string());
        if let (Some(alias), false) = (found.topic_alias, topic.is_empty()) {
            self.aliases[by].insert(alias, topic);
        }
        let known = found.topic_alias.and_then(|alias| self.aliases[by].topics.get(&alias));
        let topic = if topic.is_empty() { known.map_or(topic, |known| known) } else { topic };
        let topic = &topic[..topic.len().min(MAX_TOPIC)];
        if let (2, Some(id)) = (qos, id) {
            self.releases[by].insert(id, topic);
        }
        let kind = if qos == 0 { RecordType::Session } else { RecordType::Request };
        let key = id.map(|id| key(PUBLISHING + by as u64, id.into()));
        self.begin(kind, packet, key, out);
        out.text_bytes(Text::RequestResource, topic).text_bytes(Text::Endpoint, topic);
        tools.trace.write(out);
        if qos == 0 {
            out.status(Status::Ok);
        }
        if let Some(id) = id {
            out.request_id(id.into());
        }
        out.attribute("qos", &qos.to_string());
        if let Some(bytes) = payload {
            out.attribute("payload_bytes", &bytes.to_string());
        }
        from(direction, out);
        for (name, is_set) in [("retain", flags & 1 != 0), ("dup", flags & 8 != 0)] {
            if is_set {
                out.attribute(name, "true");
            }
        }
        if let Some(alias) = alias {
            out.attribute("topic_alias", &alias);
        }
        for (name, value) in [("content_type", found.content_type), ("response_topic", found.response_topic)] {
            if !value.is_empty() {
                out.attribute_bytes(name, value);
            }
        }
        out.end();
    }

    fn acknowledge(
        &mut self,
        packet: &Packet<'_>,
        body: &mut Cursor<'_>,
        group: u64,
        tools: &mut Tools,
        out: &mut Records,
    ) {
        let id = body.u16().unwrap_or(0);
        let code = body.u8().unwrap_or(0);
        let found = self.properties(body, tools);
        if code >= 0x80 && packet.header.kind == frame::PUBREC {
            self.releases[(group & 1) as usize].take(id);
        }
        self.begin(RecordType::Response, packet, Some(key(group, id.into())), out).request_id(id.into());
        judge(Some(code), found.reason, reason::reason, out);
        out.end();
    }

    fn release(&mut self, direction: Direction, packet: &Packet<'_>, body: &mut Cursor<'_>, out: &mut Records) {
        let id = body.u16().unwrap_or(0);
        let topic = self.releases[direction.index()].take(id).unwrap_or_default();
        let key = key(RELEASING + direction.index() as u64, id.into());
        self.begin(RecordType::Request, packet, Some(key), out).request_id(id.into());
        out.text_bytes(Text::RequestResource, &topic).text_bytes(Text::Endpoint, &topic);
        from(direction, out);
        out.end();
    }

    fn subscribe(&mut self, packet: &Packet<'_>, tools: &mut Tools, body: &mut Cursor<'_>, out: &mut Records) {
        let id = body.u16().unwrap_or(0);
        let is_subscribe = packet.header.kind == frame::SUBSCRIBE;
        let mut rest = *body;
        if self.version.is_some() {
            let _ = self.properties(&mut rest, tools);
        } else if let Some(found) = packet::behind_properties(body.rest(), is_subscribe, None) {
            rest = found;
        }
        self.begin(RecordType::Request, packet, Some(key(SUBSCRIBING, id.into())), out).request_id(id.into());
        let (mut shown, mut qos) = (String::new(), String::new());
        packet::topics(rest, is_subscribe, |topic, options| {
            if shown.len() < MAX_TOPIC {
                shown += if shown.is_empty() { "" } else { "," };
                shown += &lossy(topic);
                qos += if qos.is_empty() { "" } else { "," };
                qos += ["0", "1", "2", "3"][usize::from(options & 3)];
            }
        });
        out.text(Text::RequestResource, &shown).text(Text::Endpoint, &shown);
        if is_subscribe {
            out.attribute("qos", &qos);
        }
        out.end();
    }

    fn suback(&mut self, packet: &Packet<'_>, tools: &mut Tools, body: &mut Cursor<'_>, out: &mut Records) {
        let id = body.u16().unwrap_or(0);
        let found = self.properties(body, tools);
        self.begin(RecordType::Response, packet, Some(key(SUBSCRIBING, id.into())), out).request_id(id.into());
        let codes = body.rest();
        judge(Some(codes.iter().copied().max().unwrap_or(0)), found.reason, reason::reason, out);
        let shown: Vec<String> = codes.iter().take(64).map(u8::to_string).collect();
        out.text(Text::Result, &shown.join(",")).end();
    }

    fn disconnect(&mut self, packet: &Packet<'_>, tools: &mut Tools, body: &mut Cursor<'_>, out: &mut Records) {
        let code = body.u8().unwrap_or(0);
        let found = self.properties(body, tools);
        self.begin(RecordType::Session, packet, None, out);
        judge(Some(code), found.reason, reason::reason, out);
        if !found.server.is_empty() {
            out.attribute_bytes("server_reference", found.server);
        }
        out.end();
    }

    /// An enhanced login: each AUTH of the client waits for one of the server, or for the CONNACK.
    fn auth(
        &mut self,
        direction: Direction,
        packet: &Packet<'_>,
        body: &mut Cursor<'_>,
        tools: &mut Tools,
        out: &mut Records,
    ) {
        let code = body.u8().unwrap_or(0);
        let found = self.properties(body, tools);
        // 0x19: the client logs in again. Everything else belongs to a login under way.
        let kind = match (direction, code) {
            (Direction::ClientToServer, 0x19) => RecordType::Request,
            (Direction::ServerToClient, 0) => RecordType::Response,
            _ => RecordType::Session,
        };
        let key = (kind != RecordType::Session).then_some(key(AUTHENTICATING, 0));
        self.begin(kind, packet, key, out);
        if kind != RecordType::Request {
            judge(Some(code), found.reason, reason::reason, out);
        }
        from(direction, out);
        if !found.auth_method.is_empty() {
            out.attribute_bytes("auth_method", found.auth_method);
        }
        out.end();
    }
}

/// What the server sends of its own is marked.
fn from(direction: Direction, out: &mut Records) {
    if direction == Direction::ServerToClient {
        out.attribute("from", "server");
    }
}

/// Writes what a code means; the reason that the peer gives in words goes before its name.
fn judge(code: Option<u8>, words: &[u8], meaning: fn(u8) -> (Status, &'static str), out: &mut Records) {
    let Some(code) = code else {
        out.status(Status::Unknown);
        return;
    };
    let (status, name) = meaning(code);
    out.code(code.into()).status(status);
    match words {
        [] => out.text(Text::Exception, name),
        words if status != Status::Ok => out.text_bytes(Text::Exception, words),
        words => out.text_bytes(Text::Result, words),
    };
}
