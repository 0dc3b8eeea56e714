//! From what a message tells to the columns of a record.

use crate::codec;
use crate::errors;
use crate::facts::{Facts, Span, TopicId};
use crate::head::{i16_at, i32_at, Head, PREFIX};
use crate::options::Options;
use crate::records::Batches;
use crate::schema::{Api, API_VERSIONS, FETCH, PRODUCE, SHARE_FETCH};
use crate::session::{Pending, Tools};
use crate::topics::{base64, hyphenated, Topics};
use crate::walk::Stop;

use metaflow_parser_sdk::abi_generated::RECORD_FLAG_IS_TLS;
use metaflow_parser_sdk::{lossy, RecordType, Records, Segment, Status, StreamBuffer, Text};
use std::fmt::Write;

/// Buffers that are used again for each message.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    domain: String,
    endpoint: String,
    number: String,
}

/// Flags of the records of a segment.
pub(crate) fn flags(segment: &Segment) -> u8 {
    if segment.is_tls_plaintext() {
        RECORD_FLAG_IS_TLS as u8
    } else {
        0
    }
}

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    offset: u64,
    time_ns: u64,
    /// When its last byte came, where all of it is looked at.
    end_time_ns: Option<u64>,
    size: usize,
    correlation: i32,
    flags: u8,
}

impl Message {
    /// The message at the beginning of a buffer.
    pub fn new(stream: &StreamBuffer, size: usize, correlation: i32, flags: u8, options: &Options) -> Message {
        let end = PREFIX + size;
        let is_whole = end <= options.max_message_bytes && end <= stream.len();
        let end_time_ns = is_whole.then(|| stream.time_at(end - 1));
        Message { offset: stream.offset(), time_ns: stream.time_ns(), end_time_ns, size, correlation, flags }
    }

    /// The bytes of it that are looked at: the same for every split.
    pub fn bytes<'a>(&self, stream: &'a StreamBuffer, options: &Options) -> &'a [u8] {
        let bytes = stream.bytes();
        &bytes[..bytes.len().min(PREFIX + self.size).min(options.max_message_bytes)]
    }

    fn begin(&self, kind: RecordType, number: &mut String, out: &mut Records) {
        let id = u64::from(self.correlation as u32);
        out.begin(kind).stream_offset(self.offset).time_ns(self.time_ns).length(self.size as u64);
        out.request_id(id).stream_id(id);
        if let Some(end) = self.end_time_ns {
            out.end_time_ns(end);
        }
        if self.flags != 0 {
            out.flags(self.flags);
        }
        out.text(Text::XRequestId, written(number, self.correlation));
    }
}

/// A token of SASL that travels bare.
pub(crate) fn token(out: &mut Records, offset: u64, time_ns: u64, size: usize, flags: u8) {
    out.begin(RecordType::Session).stream_offset(offset).time_ns(time_ns).length(size as u64).flags(flags);
    out.text(Text::RequestType, "SaslToken").end();
}

/// A request; of an API that is not known, its number.
pub(crate) fn request(
    message: &Message,
    head: &Head,
    api: Option<&Api>,
    is_one_way: bool,
    bytes: &[u8],
    tools: &mut Tools,
    out: &mut Records,
) {
    let Tools { facts, text, topics, batches, options, .. } = tools;
    let kind = if is_one_way { RecordType::Session } else { RecordType::Request };
    message.begin(kind, &mut text.number, out);
    out.text(Text::Version, written(&mut text.number, head.version));
    match api {
        Some(api) => out.text(Text::RequestType, api.name),
        None => {
            text.number.clear();
            let _ = write!(text.number, "Api{}", head.key);
            out.text(Text::RequestType, &text.number)
        }
    };
    subject(facts, bytes, topics, text);
    let group = match facts.key_type {
        0 if facts.group == Span::default() => facts.key,
        _ => facts.group,
    };
    let group = lossy(group.of(bytes));
    let transaction = if facts.key_type == 1 { facts.key } else { facts.transaction };
    let transaction = lossy(transaction.of(bytes));
    let mechanism = lossy(facts.mechanism.of(bytes));
    let key = lossy(facts.key.of(bytes));
    out.text(Text::RequestDomain, &text.domain);
    let names: [&str; 5] = [&group, &text.domain, &transaction, &mechanism, &key];
    // What a request is about: a group, else a topic, else what there is.
    let resource = names.iter().find(|name| !name.is_empty()).copied().unwrap_or("");
    out.text(Text::RequestResource, resource);
    let endpoint = if group.is_empty() && !text.endpoint.is_empty() { &text.endpoint } else { resource };
    out.text(Text::Endpoint, endpoint);
    attribute(out, "client_id", head.client, bytes);
    if !group.is_empty() {
        out.attribute("group_id", &group);
    }
    if !transaction.is_empty() {
        out.attribute("transactional_id", &transaction);
    }
    if head.key == API_VERSIONS {
        attribute(out, "client_software_name", facts.software_name, bytes);
        attribute(out, "client_software_version", facts.software_version, bytes);
    }
    if let Some(acks) = facts.acks {
        out.attribute("acks", written(&mut text.number, acks));
    }
    topics_and_records(message, facts, bytes, batches, options, &mut text.number, out);
    out.end();
}

/// A response. `walked`: how far it could be read, `None` when it answers no known request.
pub(crate) fn response(
    message: &Message,
    pending: Option<Pending>,
    walked: Option<Result<(), Stop>>,
    bytes: &[u8],
    tools: &mut Tools,
    out: &mut Records,
) {
    let Tools { facts, text, topics, batches, options, .. } = tools;
    for (name, id) in &facts.pairs {
        topics.learn(*id, name.of(bytes));
    }
    message.begin(RecordType::Response, &mut text.number, out);
    let api = pending.and_then(|pending| Api::of(pending.key));
    if let (Some(api), Some(pending)) = (api, pending) {
        out.text(Text::RequestType, api.name).text(Text::Version, written(&mut text.number, pending.version));
    }
    if matches!(api.map(|api| api.key), Some(PRODUCE | FETCH | SHARE_FETCH)) {
        subject(facts, bytes, topics, text);
        out.text(Text::RequestDomain, &text.domain).text(Text::RequestResource, &text.domain);
        out.text(Text::Endpoint, &text.endpoint);
    }
    let is_known = pending.zip(api).is_some_and(|(pending, api)| api.knows(pending.version) || facts.error.is_some());
    if facts.failure != 0 {
        out.status(Status::ServerError).code(facts.failure.into());
        match errors::name(facts.failure) {
            Some(name) => out.text(Text::Exception, name),
            None => {
                text.number.clear();
                let _ = write!(text.number, "error {}", facts.failure);
                out.text(Text::Exception, &text.number)
            }
        };
        out.text_bytes(Text::Result, facts.error_message.of(bytes));
    } else if let (Some(Err(Stop::Malformed(reason, _))), None) = (walked, facts.error) {
        out.status(Status::ParseFailed).text(Text::Exception, reason);
    } else if is_known && (facts.error.is_some() || !matches!(walked, Some(Err(Stop::Cut)))) {
        out.status(Status::Ok);
        if facts.error.is_some() {
            out.code(0);
        }
    } else {
        out.status(Status::Unknown);
    }
    if facts.throttle > 0 {
        out.attribute("throttle_time_ms", written(&mut text.number, facts.throttle));
    }
    if matches!(api.map(|api| api.key), Some(PRODUCE | FETCH | SHARE_FETCH)) {
        topics_and_records(message, facts, bytes, batches, options, &mut text.number, out);
    }
    out.end();
}

/// The topic, and the topic with its partition, of a message.
fn subject(facts: &Facts, bytes: &[u8], topics: &mut Topics, text: &mut Scratch) {
    text.domain.clear();
    text.endpoint.clear();
    let mut partition = facts.partition;
    if facts.topic_count > 0 {
        text.domain.push_str(&lossy(facts.topics[0].of(bytes)));
    } else if facts.topic_id_count > 0 {
        push_topic(&facts.topic_ids[0], topics, &mut text.domain);
    } else if let Some(topic) = subscribed(facts.subscription.of(bytes)) {
        text.domain.push_str(&lossy(topic));
    } else if let Some((topic, first)) = assigned(facts.assignment.of(bytes)) {
        text.domain.push_str(&lossy(topic));
        partition = first;
    }
    if text.domain.is_empty() {
        return;
    }
    text.endpoint.push_str(&text.domain);
    if let Some(partition) = partition {
        let _ = write!(text.endpoint, "-{partition}");
    }
}

fn push_topic(id: &TopicId, topics: &mut Topics, text: &mut String) {
    match topics.name(id) {
        Some(name) => text.push_str(name),
        None => text.push_str(&hyphenated(id)),
    }
}

/// The first topic that a member of a group subscribes to (`ConsumerProtocolSubscription`).
fn subscribed(bytes: &[u8]) -> Option<&[u8]> {
    let count = i32_at(bytes, 2).filter(|count| *count > 0)?;
    let length = usize::try_from(i16_at(bytes, 6)?).ok()?;
    bytes.get(8..8 + length).filter(|topic| count > 0 && !topic.is_empty())
}

/// The first topic that a member is given, and its first partition (`ConsumerProtocolAssignment`).
fn assigned(bytes: &[u8]) -> Option<(&[u8], Option<i32>)> {
    let topic = subscribed(bytes)?;
    let behind = 8 + topic.len();
    let partition = i32_at(bytes, behind).filter(|count| *count > 0).and_then(|_| i32_at(bytes, behind + 4));
    Some((topic, partition))
}

fn topics_and_records(
    message: &Message,
    facts: &Facts,
    bytes: &[u8],
    batches: &mut Batches,
    options: &Options,
    number: &mut String,
    out: &mut Records,
) {
    if message.end_time_ns.is_none() {
        // What follows is told of the first bytes.
        out.attribute("cut", "true");
    }
    if facts.topic_count > 1 {
        let mut names = String::new();
        for topic in facts.topics.iter().take(facts.topic_count) {
            let comma = if names.is_empty() { "" } else { "," };
            let _ = write!(names, "{comma}{}", lossy(topic.of(bytes)));
        }
        if facts.topic_count > facts.topics.len() {
            let _ = write!(names, ",... ({})", facts.topic_count);
        }
        out.attribute("topics", &names);
    }
    if facts.topic_id_count > 0 {
        out.attribute("topic_id", &base64(&facts.topic_ids[0]));
    }
    if facts.partition_count > 1 {
        out.attribute("partitions", written(number, facts.partition_count));
    }
    if facts.run_count == 0 {
        return;
    }
    batches.clear();
    for run in facts.records.iter().take(facts.run_count) {
        batches.see(run.of(bytes), &options.trace, options.max_decompressed_bytes);
    }
    if batches.count > 0 {
        out.attribute("records", written(number, batches.count));
    }
    if let Some(name) =
        batches.compression.filter(|kind| *kind > 0).and_then(|kind| codec::NAMES.get(usize::from(kind)))
    {
        out.attribute("compression", name);
    }
    batches.trace.write(out);
    out.text(Text::TraceId2, batches.trace_id_2());
}

fn attribute(out: &mut Records, key: &str, value: Span, bytes: &[u8]) {
    let value = value.of(bytes);
    if !value.is_empty() {
        out.attribute_bytes(key, value);
    }
}

/// A number as text, in a buffer that is used again.
fn written(buffer: &mut String, number: impl std::fmt::Display) -> &str {
    buffer.clear();
    let _ = write!(buffer, "{number}");
    buffer
}
