//! The head of a message: one walk over its lines, without copies.

use crate::fields::{Fields, Use, MOST_ATTRIBUTES};
use crate::scan;
use metaflow_parser_sdk::lossy;
use metaflow_parser_sdk::trace::{Trace, TraceRules};
use std::borrow::Cow;

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

/// The fields of interest of one head. Values are as on the wire, folded lines included; [`text`] reads them.
#[derive(Default)]
pub(crate) struct Head<'a> {
    pub host: &'a [u8],
    pub upgrade: &'a [u8],
    pub content_length: ContentLength,
    pub coding: Coding,
    request_id: Option<(u8, &'a [u8])>,
    client_ip: Option<(u8, &'a [u8])>,
    attributes: [&'a [u8]; MOST_ATTRIBUTES],
    attribute_bits: u32,
}

impl<'a> Head<'a> {
    /// Walk over the lines behind the first one; a part of a head gives the fields that are whole.
    pub fn read(bytes: &'a [u8], fields: &Fields, rules: &TraceRules, trace: &mut Trace) -> Head<'a> {
        let mut head = Head::default();
        trace.clear();
        let mut from = 0;
        while let Some((line, mut next)) = scan::line(bytes, from) {
            if line.is_empty() {
                break;
            }
            let mut end = from + line.len();
            // A line that starts with white space goes on with the field before (RFC 9112, 5.2).
            while let Some(b' ' | b'\t') = bytes.get(next) {
                let Some((folded, behind)) = scan::line(bytes, next) else { return head };
                end = next + folded.len();
                next = behind;
            }
            head.field(&bytes[from..end], fields, rules, trace);
            from = next;
        }
        head
    }

    #[inline]
    fn field(&mut self, line: &'a [u8], fields: &Fields, rules: &TraceRules, trace: &mut Trace) {
        let Some(colon) = scan::find(line, 0, b':') else { return };
        let mut name = &line[..colon];
        // White space before the colon is wrong, but some send it.
        if let (Some(first), Some(last)) = (name.first(), name.last()) {
            if first.is_ascii_whitespace() || last.is_ascii_whitespace() {
                name = name.trim_ascii();
            }
        }
        if !fields.may_use(name) && !rules.names().may_have(name) {
            return;
        }
        let value = line[colon + 1..].trim_ascii();
        for field in fields.uses(name) {
            match field {
                Use::Host => self.host = value,
                Use::Upgrade => self.upgrade = value,
                Use::ContentLength => self.content_length = content_length(self.content_length, value),
                Use::TransferEncoding => self.coding = coding(value),
                Use::RequestId(rank) => keep_better(&mut self.request_id, rank, value),
                Use::ClientIp(rank) => keep_better(&mut self.client_ip, rank, value),
                Use::Attribute(index) => {
                    self.attributes[usize::from(index)] = value;
                    self.attribute_bits |= 1 << index;
                }
            }
        }
        rules.see(name, value, trace);
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
            Some((index, *self.attributes.get(index)?))
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

/// A length, or a list of equal ones (RFC 9112, 6.3, rule 5).
fn content_length(before: ContentLength, value: &[u8]) -> ContentLength {
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

    fn read<'a>(bytes: &'a [u8], fields: &Fields) -> (Head<'a>, Trace) {
        let mut trace = Trace::default();
        let head = Head::read(bytes, fields, &TraceRules::default(), &mut trace);
        (head, trace)
    }

    #[test]
    fn fields_are_found_in_any_case_and_with_any_line_end() {
        let fields = Fields::default();
        let bytes = b"hOsT:  a.example \r\nX-REQUEST-ID:7\nUser-Agent: one\r\n two\r\n\tthree\r\nno colon\r\n: none\r\nReferer:r\r\n\r\nHost: body";
        let (head, _) = read(bytes, &fields);
        assert_eq!((head.host, head.request_id()), (&b"a.example"[..], &b"7"[..]));
        let attributes: Vec<_> =
            head.attributes().map(|(index, value)| (fields.attribute_name(index), text(value))).collect();
        assert_eq!(attributes, [("http_user_agent", "one two three".into()), ("http_referer", "r".into())]);
    }

    #[test]
    fn the_length_of_a_body() {
        let fields = Fields::default();
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
        let mut fields = Fields::default();
        fields.set_client_ip(&["x-real-ip".to_owned(), "x-forwarded-for".to_owned()]);
        let (head, _) = read(b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nX-Real-IP: 192.0.2.7\r\n", &fields);
        assert_eq!(head.client_ip(), b"192.0.2.7");
        let (head, _) = read(b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", &fields);
        assert_eq!(head.client_ip(), b"10.0.0.1");
    }
}
