//! The head of a message: one walk over its lines, without copies.

use crate::fields::{Fields, Use};
use crate::known::{Known, Says};
use crate::scan;
use metaflow_parser_sdk::lossy;
use metaflow_parser_sdk::trace::{Trace, TraceRules};
use std::borrow::Cow;
use std::ops::Range;

/// What `Content-Length` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContentLength {
    #[default]
    Absent,
    Bytes(u64),
    /// Not a number, or several that differ: the length of the body is not known (RFC 9112, 6.3).
    Wrong,
}

/// What `Transfer-Encoding` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Coding {
    #[default]
    Absent,
    /// The last coding is chunked.
    Chunked,
    /// Something else: the body ends with the connection.
    Other,
}

/// Attributes that a head keeps without memory of its own: the two that are always wanted, and two more.
const FEW_ATTRIBUTES: usize = 4;

/// The fields of interest of one head. Values are as on the wire, folded lines included; [`text`] reads them.
#[derive(Default)]
pub(crate) struct Head<'a> {
    pub host: &'a [u8],
    pub upgrade: &'a [u8],
    pub content_length: ContentLength,
    pub coding: Coding,
    request_id: Option<(u8, &'a [u8])>,
    client_ip: Option<(u8, &'a [u8])>,
    attributes: [&'a [u8]; FEW_ATTRIBUTES],
    more_attributes: Vec<&'a [u8]>,
    attribute_bits: u32,
}

impl<'a> Head<'a> {
    /// Walk over the lines behind the first one, from `from` on. Where the head ends, behind its empty line; `None`: the
    /// bytes are a part of it, and the fields are those that are whole. What the head has in common with `known` is not
    /// looked at again; then it takes its place.
    pub fn read(
        &mut self,
        bytes: &'a [u8],
        from: usize,
        (fields, rules): (&Fields, &TraceRules),
        trace: &mut Trace,
        known: &mut Known,
    ) -> Option<usize> {
        trace.clear();
        let bytes = bytes.get(from..)?;
        let (known_bytes, is_whole) = known.common(bytes);
        for fact in known.facts() {
            match fact.says {
                Says::Field(field) => self.keep(field, fact.value(bytes)),
                Says::Trace(start, end) => {
                    let name = bytes.get(usize::from(start)..usize::from(end)).unwrap_or_default();
                    rules.see(name, fact.value(bytes), trace);
                }
            }
        }
        let length = if is_whole { known_bytes } else { self.walk(bytes, known_bytes, (fields, rules), trace, known)? };
        Some(from + length)
    }

    fn walk(
        &mut self,
        bytes: &'a [u8],
        mut from: usize,
        (fields, rules): (&Fields, &TraceRules),
        trace: &mut Trace,
        known: &mut Known,
    ) -> Option<usize> {
        let mut line_feeds = scan::LineFeeds::new(bytes, from);
        while let Some(newline) = line_feeds.next() {
            let line = scan::without_cr(&bytes[from..newline]);
            if line.is_empty() {
                known.ends(&bytes[..newline + 1]);
                return Some(newline + 1);
            }
            let mut next = newline + 1;
            let mut end = from + line.len();
            // A line that starts with white space goes on with the field before (RFC 9112, 5.2).
            while let Some(b' ' | b'\t') = bytes.get(next) {
                let newline = line_feeds.next()?;
                end = next + scan::without_cr(&bytes[next..newline]).len();
                next = newline + 1;
            }
            known.line(from, next);
            if fields.names().may_have_line(rules.names(), line) {
                self.field(bytes, from..end, (fields, rules), trace, known);
            }
            from = next;
        }
        None
    }

    fn field(
        &mut self,
        bytes: &'a [u8],
        place: Range<usize>,
        (fields, rules): (&Fields, &TraceRules),
        trace: &mut Trace,
        known: &mut Known,
    ) {
        let start = place.start;
        let line = &bytes[place];
        let Some(colon) = scan::find(line, 0, b':') else { return };
        let (mut name, mut name_at) = (&line[..colon], start);
        // White space before the colon is wrong, but some send it.
        if let (Some(first), Some(last)) = (name.first(), name.last()) {
            if first.is_ascii_whitespace() || last.is_ascii_whitespace() {
                name_at += colon - name.trim_ascii_start().len();
                name = name.trim_ascii();
            }
        }
        let is_trace = rules.names().may_have(name);
        if !is_trace && !fields.may_use(name) {
            return;
        }
        let behind = line[colon + 1..].trim_ascii_start();
        let value = behind.trim_ascii_end();
        let value_at = start + line.len() - behind.len();
        for field in fields.uses(name) {
            self.keep(field, value);
            known.fact(start, Says::Field(field), value_at, value_at + value.len());
        }
        if is_trace {
            rules.see(name, value, trace);
            let says = Says::Trace(name_at as u16, (name_at + name.len()) as u16);
            known.fact(start, says, value_at, value_at + value.len());
        }
    }

    fn keep(&mut self, field: Use, value: &'a [u8]) {
        match field {
            Use::Host => self.host = value,
            Use::Upgrade => self.upgrade = value,
            Use::ContentLength => self.content_length = content_length(self.content_length, value),
            Use::TransferEncoding => self.coding = coding(value),
            Use::RequestId(rank) => keep_better(&mut self.request_id, rank, value),
            Use::ClientIp(rank) => keep_better(&mut self.client_ip, rank, value),
            Use::Attribute(index) => self.keep_attribute(usize::from(index), value),
        }
    }

    fn keep_attribute(&mut self, index: usize, value: &'a [u8]) {
        self.attribute_bits |= 1 << index;
        match index.checked_sub(FEW_ATTRIBUTES) {
            None => self.attributes[index] = value,
            Some(index) => {
                if self.more_attributes.len() <= index {
                    self.more_attributes.resize(index + 1, &[]);
                }
                self.more_attributes[index] = value;
            }
        }
    }

    pub fn request_id(&self) -> &'a [u8] {
        self.request_id.map_or(&[], |(_, value)| value)
    }

    /// The first address of the list: the client that the first proxy saw.
    pub fn client_ip(&self) -> &'a [u8] {
        let list = self.client_ip.map_or(&[][..], |(_, value)| value);
        list.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii()
    }

    /// Index (of [`Fields::attribute_name`]) and value of the attributes that are there.
    pub fn attributes(&self) -> impl Iterator<Item = (usize, &'a [u8])> + '_ {
        let mut bits = self.attribute_bits;
        std::iter::from_fn(move || {
            let index = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            let value = match index.checked_sub(FEW_ATTRIBUTES) {
                None => self.attributes.get(index)?,
                Some(index) => self.more_attributes.get(index)?,
            };
            Some((index, *value))
        })
    }
}

fn keep_better<'a>(slot: &mut Option<(u8, &'a [u8])>, rank: u8, value: &'a [u8]) {
    if !value.is_empty() && slot.is_none_or(|(best, _)| rank < best) {
        *slot = Some((rank, value));
    }
}

/// A field's value as text: folded lines are joined by a space, what is not UTF-8 becomes U+FFFD.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    let text = lossy(value);
    if !value.contains(&b'\n') {
        return text;
    }
    let joined: Vec<&str> = text.split(['\r', '\n']).map(str::trim).filter(|part| !part.is_empty()).collect();
    joined.join(" ").into()
}

/// Digits that always fit 64 bits.
const LONGEST_NUMBER: usize = 19;

/// A length, or a list of equal ones (RFC 9112, 6.3, rule 5).
fn content_length(before: ContentLength, value: &[u8]) -> ContentLength {
    if before == ContentLength::Absent
        && (1..=LONGEST_NUMBER).contains(&value.len())
        && value.iter().all(u8::is_ascii_digit)
    {
        let number = value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        return ContentLength::Bytes(number);
    }
    let mut known = before;
    for item in value.split(|byte| *byte == b',') {
        let item = item.trim_ascii();
        let is_number = !item.is_empty() && item.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(item).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
        known = match (number, known) {
            (Some(number), ContentLength::Absent) => ContentLength::Bytes(number),
            (Some(number), ContentLength::Bytes(other)) if number == other => known,
            _ => ContentLength::Wrong,
        };
    }
    known
}

fn coding(value: &[u8]) -> Coding {
    let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if last.eq_ignore_ascii_case(b"chunked") {
        Coding::Chunked
    } else if last.eq_ignore_ascii_case(b"identity") {
        Coding::Absent
    } else {
        Coding::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metaflow_parser_sdk::http::options::HeaderNames;

    fn read<'a>(bytes: &'a [u8], fields: &Fields) -> (Head<'a>, Trace) {
        let mut trace = Trace::default();
        let mut head = Head::default();
        head.read(bytes, 0, (fields, &TraceRules::default()), &mut trace, &mut Known::default());
        (head, trace)
    }

    #[test]
    fn fields_are_found_in_any_case_and_with_any_line_end() {
        let fields = Fields::from(&HeaderNames::default());
        let bytes = b"hOsT:  a.example \r\nX-REQUEST-ID:7\nUser-Agent: one\r\n two\r\n\tthree\r\nno colon\r\n: none\r\nReferer:r\r\n\r\nHost: body";
        let (head, _) = read(bytes, &fields);
        assert_eq!((head.host, head.request_id()), (&b"a.example"[..], &b"7"[..]));
        let attributes: Vec<_> =
            head.attributes().map(|(index, value)| (fields.attribute_name(index), text(value))).collect();
        assert_eq!(attributes, [("http_user_agent", "one two three".into()), ("http_referer", "r".into())]);
    }

    /// Everything that was read of a head, to be compared.
    fn all(head: &Head, trace: &Trace, end: Option<usize>) -> String {
        let (id, ip) = (head.request_id(), head.client_ip());
        let attributes: Vec<_> = head.attributes().collect();
        let length = (head.content_length, head.coding);
        let ids = [trace.trace_id(), trace.trace_id_2(), trace.span_id(), trace.parent_span_id()];
        format!("{end:?} {:?} {:?} {length:?} {id:?} {ip:?} {attributes:?} {ids:?}", head.host, head.upgrade)
    }

    #[test]
    fn a_head_says_the_same_whatever_was_read_before() {
        let asked: Vec<(String, String)> = (0..6).map(|n| (format!("a{n}"), format!("a{n}"))).collect();
        let fields = Fields::from(&HeaderNames { attributes: asked, ..HeaderNames::default() });
        let rules = TraceRules::default();
        let long = format!("a2: {}", "x".repeat(1500));
        let lines = [
            "Host: a.example",
            "host:b",
            "Content-Length: 12",
            "Content-Length: 13",
            "a0: one",
            " two",
            "\tthree",
            "a1:",
            "X-Request-Id: 7",
            "X-Request-Id: 77777",
            "traceparent : 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "Traceparent: 00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "sw8: x",
            "Upgrade: h2c",
            "none",
            ":",
            "a5: z",
            "Transfer-Encoding: chunked",
            "Date: Sat, 28 Nov 2026 12:00:00 GMT",
            "Date: Sat, 28 Nov 2026 12:00:01 GMT",
            &long,
        ];
        let (mut random, mut known) = (metaflow_parser_sdk::testing::Random::new(5), Known::default());
        let (mut before, mut trace, mut fresh) = (Vec::new(), Trace::default(), Trace::default());
        for _ in 0..20_000 {
            // A head like the one before: some lines are other ones, one more or one less.
            let mut chosen: Vec<&str> = std::mem::take(&mut before);
            for _ in 0..random.below(3) {
                let (at, line) = (random.below(chosen.len() + 1), lines[random.below(lines.len())]);
                match random.below(3) {
                    0 if at < chosen.len() => drop(chosen.remove(at)),
                    1 if at < chosen.len() => chosen[at] = line,
                    _ if chosen.len() < 12 => chosen.insert(at, line),
                    _ => {}
                }
            }
            let ends = if random.below(9) == 0 { "\n" } else { "\r\n" };
            let mut text: Vec<u8> =
                chosen.iter().flat_map(|line| [line.as_bytes(), ends.as_bytes()].concat()).collect();
            text.extend_from_slice(ends.as_bytes());
            text.extend_from_slice(b"body\r\n\r\n");
            if random.below(5) == 0 {
                text.truncate(random.below(text.len()));
            }
            let (mut head, mut expected) = (Head::default(), Head::default());
            let end = head.read(&text, 0, (&fields, &rules), &mut trace, &mut known);
            let expected_end = expected.read(&text, 0, (&fields, &rules), &mut fresh, &mut Known::default());
            let shown = all(&head, &trace, end);
            assert_eq!(shown, all(&expected, &fresh, expected_end), "{}", String::from_utf8_lossy(&text));
            before = chosen;
        }
    }

    #[test]
    fn the_length_of_a_body() {
        let fields = Fields::from(&HeaderNames::default());
        for (value, expected) in [
            ("Content-Length: 12\r\n", ContentLength::Bytes(12)),
            ("Content-Length: 12, 12\r\ncontent-length: 12\r\n", ContentLength::Bytes(12)),
            ("Content-Length: 12\r\nContent-Length: 13\r\n", ContentLength::Wrong),
            ("Content-Length: -1\r\n", ContentLength::Wrong),
            ("Content-Length: +1\r\n", ContentLength::Wrong),
            ("Content-Length: 99999999999999999999999\r\n", ContentLength::Wrong),
            ("Content-Length:\r\n", ContentLength::Wrong),
            ("X: 1\r\n", ContentLength::Absent),
        ] {
            assert_eq!(read(value.as_bytes(), &fields).0.content_length, expected, "{value}");
        }
        assert_eq!(read(b"Transfer-Encoding: gzip, Chunked\r\n", &fields).0.coding, Coding::Chunked);
        assert_eq!(read(b"Transfer-Encoding: gzip\r\n", &fields).0.coding, Coding::Other);
    }

    #[test]
    fn the_first_name_of_a_list_wins_whatever_the_order_on_the_wire() {
        let client_ip = vec!["x-real-ip".to_owned(), "x-forwarded-for".to_owned()];
        let fields = Fields::from(&HeaderNames { client_ip, ..HeaderNames::default() });
        let (head, _) = read(b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nX-Real-IP: 192.0.2.7\r\n", &fields);
        assert_eq!(head.client_ip(), b"192.0.2.7");
        let (head, _) = read(b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", &fields);
        assert_eq!(head.client_ip(), b"10.0.0.1");
    }
}
