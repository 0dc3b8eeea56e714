//! Application documents: `application` and `application_map`, the RED metrics of services and paths.

use mf_column::Table;
use mf_packet::Mixer;

use super::columns::{APP_TAGS, END_TAGS, PATH_TAGS};
use super::documents::{Documents, EdgeKey, Meter};
use super::key::{End, Path};
use super::meters::Latency;
use super::store::hash_text;
use super::window::Spot;
use super::write::Writer;

/// What an application document has beside its path or end. `T` is `&str` for looking up, `Box<str>` when kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppTags<T = Box<str>> {
    /// `l7_protocol` number
    pub l7_protocol: u8,
    /// `biz_type` number
    pub biz_type: u8,
    /// read from inside an encrypted connection
    pub is_tls: bool,
    /// the parser's `app_service`
    pub app_service: T,
    /// the parser's `app_instance`
    pub app_instance: T,
    /// the request's endpoint
    pub endpoint: T,
}

/// Key of a two-ended application document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppKey {
    path: Path,
    tags: AppTags,
}

/// Requests, errors and durations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AppMeter {
    /// requests and one-way messages
    pub request: u64,
    /// responses
    pub response: u64,
    /// request-response times
    pub rrt: Latency,
    /// responses that say the client erred
    pub client_error: u64,
    /// responses that say the server erred
    pub server_error: u64,
    /// requests without an answer in time
    pub timeout: u64,
    /// largest score of the server's end
    pub direction_score: u8,
}

/// One thing to count: where, under which tags, and what.
#[derive(Clone, Debug)]
pub struct ExchangeCount<'a> {
    /// nanoseconds
    pub time_ns: u64,
    /// both ends
    pub path: &'a Path,
    /// hash of the path
    pub path_hash: u64,
    /// protocol and texts
    pub tags: AppTags<&'a str>,
    /// what is added
    pub meter: AppMeter,
}

impl Documents<AppKey, AppMeter> {
    /// Counts a request, a response or a timeout. `spot`: where the path's last one was counted.
    pub fn exchange(&mut self, count: &ExchangeCount<'_>, spot: &mut Spot) {
        let sum = self.window(count.time_ns).meter(
            spot,
            |key| key.tags.is(&count.tags),
            || hash_tags(&count.tags, count.path_hash),
            |key| key.path == *count.path && key.tags.is(&count.tags),
            || AppKey { path: *count.path, tags: count.tags.keep() },
        );
        sum.add(&count.meter, false);
    }
}

impl<T: AsRef<str>> AppTags<T> {
    #[inline]
    fn is(&self, other: &AppTags<&str>) -> bool {
        self.l7_protocol == other.l7_protocol
            && self.biz_type == other.biz_type
            && self.is_tls == other.is_tls
            && same(self.endpoint.as_ref(), other.endpoint)
            && same(self.app_service.as_ref(), other.app_service)
            && same(self.app_instance.as_ref(), other.app_instance)
    }

    fn keep(&self) -> AppTags {
        AppTags {
            l7_protocol: self.l7_protocol,
            biz_type: self.biz_type,
            is_tls: self.is_tls,
            app_service: self.app_service.as_ref().into(),
            app_instance: self.app_instance.as_ref().into(),
            endpoint: self.endpoint.as_ref().into(),
        }
    }

    fn write(&self, mut to: Writer<'_>) {
        to.u8(self.l7_protocol).u8(self.biz_type).bool(self.is_tls);
        to.str(self.app_service.as_ref()).str(self.app_instance.as_ref()).str(self.endpoint.as_ref());
    }
}

/// Equality that does not compare empty texts: they point nowhere, and the C library's masked loads from there take
/// hundreds of cycles on processors with AVX-512 (the fault is suppressed by an assist).
#[inline]
fn same(left: &str, right: &str) -> bool {
    left.len() == right.len() && (left.is_empty() || left == right)
}

#[inline]
fn hash_tags<T: AsRef<str>>(tags: &AppTags<T>, path_hash: u64) -> u64 {
    let hash = hash_text(Mixer::new(path_hash), tags.endpoint.as_ref());
    let hash = hash_text(hash, tags.app_service.as_ref());
    let hash = hash_text(hash, tags.app_instance.as_ref());
    hash.word(u64::from(tags.l7_protocol) | u64::from(tags.biz_type) << 8 | u64::from(tags.is_tls) << 16).finish()
}

impl EdgeKey for AppKey {
    type End = (End, AppTags);

    fn hash(&self, seed: u64) -> u64 {
        hash_tags(&self.tags, self.path.hash(seed))
    }

    fn hash_end(end: &Self::End, seed: u64) -> u64 {
        hash_tags(&end.1, end.0.hash(seed))
    }

    fn ends(&self) -> [Option<Self::End>; 2] {
        self.path.ends().map(|end| end.map(|end| (end, self.tags.clone())))
    }

    fn write(&self, table: &mut Table) {
        Writer::at(table, 1).path(&self.path);
        self.tags.write(Writer::at(table, PATH_TAGS.len()));
    }

    fn write_end(end: &Self::End, table: &mut Table) {
        Writer::at(table, 1).end(&end.0);
        end.1.write(Writer::at(table, END_TAGS.len()));
    }
}

impl Meter for AppMeter {
    fn add(&mut self, other: &Self, _reversed: bool) {
        self.request += other.request;
        self.response += other.response;
        self.rrt.merge(&other.rrt);
        self.client_error += other.client_error;
        self.server_error += other.server_error;
        self.timeout += other.timeout;
        self.direction_score = self.direction_score.max(other.direction_score);
    }

    fn add_later(&mut self, other: &Self) {
        self.add(other, false);
    }

    fn write(&self, table: &mut Table) {
        self.columns(Writer::at(table, PATH_TAGS.len() + APP_TAGS.len())).u8(self.direction_score);
    }

    fn write_end(&self, table: &mut Table) {
        self.columns(Writer::at(table, END_TAGS.len() + APP_TAGS.len()));
    }
}

impl AppMeter {
    fn columns<'a>(&self, mut to: Writer<'a>) -> Writer<'a> {
        to.u64(&[self.request, self.response]).latency(&self.rrt);
        to.u64(&[self.client_error, self.server_error, self.timeout, self.client_error + self.server_error]);
        to
    }
}
