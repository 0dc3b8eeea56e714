//! The head of a request, and whether bytes are a request at all.

use crate::facts::{Facts, Span};
use crate::schema::{Api, API_VERSIONS, PRODUCE};
use crate::walk::{Stop, Walker};

/// Bytes of the length in front of a message.
pub(crate) const PREFIX: usize = 4;
/// Longest message that is believed. Brokers take 100 MiB by default.
pub(crate) const LONGEST: usize = 256 << 20;
/// Bytes of a message that decide whether it is one.
pub(crate) const WINDOW: usize = 1024;
/// Longest id of a client that is believed where nothing else is known.
const CLIENT_ID: usize = 512;

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes behind the prefix.
    pub size: usize,
    pub key: i16,
    pub version: i16,
    pub correlation: i32,
    pub client: Span,
    /// Where the body begins, counted from the prefix on.
    pub body: usize,
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// A request begins here.
    Request,
    /// More bytes are needed to say.
    More,
    No(&'static str, usize),
}

pub(crate) fn i16_at(bytes: &[u8], at: usize) -> Option<i16> {
    Some(i16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The size of the message that begins here, if it can be one.
pub(crate) fn size_at(bytes: &[u8]) -> Result<usize, Looks> {
    if bytes.first().is_some_and(|first| usize::from(*first) > LONGEST >> 24) {
        return Err(Looks::No("no length of a Kafka message", 0));
    }
    let size = i32_at(bytes, 0).ok_or(Looks::More)?;
    usize::try_from(size).ok().filter(|size| *size <= LONGEST).ok_or(Looks::No("no length of a Kafka message", 0))
}

impl Head {
    /// Read the head of a request of an API and version that may be unknown.
    pub fn read(bytes: &[u8]) -> Result<Head, Looks> {
        let size = size_at(bytes)?;
        if size < 8 {
            return Err(Looks::No("too short for a request of Kafka", 0));
        }
        let end = PREFIX + size;
        let key = i16_at(bytes, 4).ok_or(Looks::More)?;
        if !(0..1000).contains(&key) {
            return Err(Looks::No("no API of Kafka", 4));
        }
        let version = i16_at(bytes, 6).ok_or(Looks::More)?;
        if !(0..100).contains(&version) {
            return Err(Looks::No("no version of an API of Kafka", 6));
        }
        let correlation = i32_at(bytes, 8).ok_or(Looks::More)?;
        let mut head = Head { size, key, version, correlation, client: Span::default(), body: 12 };
        if (key, version) == (7, 0) {
            // The one request whose head has no client's id.
            return Ok(head);
        }
        if size < 10 {
            return Err(Looks::No("too short for the head of a request of Kafka", 0));
        }
        let length = i16_at(bytes, 12).ok_or(Looks::More)?;
        let Ok(length) = usize::try_from(length.max(0)) else { return Err(Looks::More) };
        if i16_at(bytes, 12).is_some_and(|length| length < -1) || 14 + length > end {
            return Err(Looks::No("no client's id of a request of Kafka", 12));
        }
        if bytes.len() < 14 + length {
            return Err(Looks::More);
        }
        head.client = Span::new(14, length);
        let mut walker = Walker::new(bytes, 14 + length, end, version, true);
        if Api::of(key).is_some_and(|api| api.is_flexible(version)) {
            walker.tags().map_err(|stop| match stop {
                Stop::Cut => Looks::More,
                Stop::Malformed(reason, at) => Looks::No(reason, at),
            })?;
        }
        head.body = walker.at;
        Ok(head)
    }
}

/// Judge bytes of which nothing else is known. The answer for the first bytes is that for all of them, or [`Looks::More`].
///
/// `needs_client`: a request without a client's id is not believed. Zeros are frequent inside of messages, and where the
/// place is lost they would be waited for as though a long message began.
pub(crate) fn looks(bytes: &[u8], needs_client: bool, facts: &mut Facts) -> Looks {
    match judge(bytes, needs_client, facts) {
        Ok(()) => Looks::Request,
        Err(looks) => looks,
    }
}

fn judge(bytes: &[u8], needs_client: bool, facts: &mut Facts) -> Result<(), Looks> {
    let size = size_at(bytes)?;
    if size < 8 {
        return Err(Looks::No("too short for a request of Kafka", 0));
    }
    let window = (PREFIX + size).min(WINDOW);
    let bytes = &bytes[..bytes.len().min(window)];
    if let Some(key) = i16_at(bytes, 4) {
        let api = Api::of(key).ok_or(Looks::No("no API of Kafka", 4))?;
        if let Some(version) = i16_at(bytes, 6) {
            // A client asks for the versions with the newest version that it has.
            let newest = if key == API_VERSIONS { 32 } else { api.until };
            if !(api.since..=newest).contains(&version) {
                return Err(Looks::No("no version of this API of Kafka", 6));
            }
        }
    }
    let has_client = i32_at(bytes, 4) != Some(7 << 16);
    if let Some(length) = i16_at(bytes, 12).filter(|_| has_client).and_then(|length| usize::try_from(length).ok()) {
        if length > CLIENT_ID || 14 + length > PREFIX + size {
            return Err(Looks::No("no client's id of a request of Kafka", 12));
        }
        if length == 0 && needs_client {
            return Err(Looks::No("no client's id of a request of Kafka", 12));
        }
        let there = bytes.get(14..bytes.len().min(14 + length)).unwrap_or_default();
        if let Some(at) = there.iter().position(|byte| !(0x20..0x7f).contains(byte)) {
            return Err(Looks::No("a client's id that is no text", 14 + at));
        }
    }
    let head = Head::read(bytes)?;
    let Some(api) = Api::of(head.key) else { return Err(Looks::No("no API of Kafka", 4)) };
    if !api.knows(head.version) {
        // Asked for with a version that is not known: nothing more can be checked.
        return if bytes.len() < window { Err(Looks::More) } else { Ok(()) };
    }
    facts.clear();
    let is_flexible = api.is_flexible(head.version);
    let mut walker = Walker::new(bytes, head.body, PREFIX + size, head.version, is_flexible);
    let walked = walker.message(api.request, facts);
    // What a request is about is text: bytes of another protocol that fit by chance are not. Names are judged before what
    // stands behind them, so that a part of the message is judged as the whole is.
    let (topics, count) = (facts.topics, facts.topic_count.min(facts.topics.len()));
    let is_text = |span: &Span| span.of(bytes).iter().all(|byte| *byte >= 0x20 && *byte != 0x7f);
    // The number of acknowledgements stands between the transaction and the topics.
    if is_text(&facts.transaction) && head.key == PRODUCE && !matches!(facts.acks, Some(-1..=1) | None) {
        return Err(Looks::No("no number of acknowledgements", head.body));
    }
    if !topics[..count].iter().chain([&facts.group, &facts.transaction, &facts.mechanism]).all(is_text) {
        return Err(Looks::No("a name that is no text", head.body));
    }
    match walked {
        Err(Stop::Malformed(reason, at)) => Err(Looks::No(reason, at)),
        Err(Stop::Cut) if bytes.len() < window => Err(Looks::More),
        _ => Ok(()),
    }
}
