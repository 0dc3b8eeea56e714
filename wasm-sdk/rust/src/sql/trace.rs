//! Trace context in the comments of a statement: sqlcommenter (`/*traceparent='00-...'*/`), plain pairs, and JSON.

/// Trace context found in a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Trace id.
    pub trace_id: String,
    /// Span id of the caller.
    pub span_id: String,
    /// X-Request-ID.
    pub x_request_id: String,
}

/// Longest comment that is read.
const MAX_COMMENT: usize = 1024;

/// Looks for trace context in the comments of the parts of a statement that are known.
pub fn trace(parts: [&[u8]; 2]) -> Option<Trace> {
    let mut found = Trace::default();
    for part in parts {
        let mut rest = part;
        while let Some(start) = find(rest, b"/*") {
            let body = &rest[start + 2..];
            let Some(end) = find(body, b"*/") else { break };
            if end <= MAX_COMMENT {
                pairs(&body[..end], &mut found);
            }
            rest = &body[end + 2..];
        }
    }
    (found != Trace::default()).then_some(found)
}

fn find(text: &[u8], pair: &[u8; 2]) -> Option<usize> {
    text.windows(2).position(|window| window == pair)
}

/// Reads `key=value` and `"key":"value"`, with or without quotes, in one comment.
fn pairs(comment: &[u8], found: &mut Trace) {
    let is_edge = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'{' | b'}');
    for pair in comment.split(|byte| matches!(byte, b',' | b';' | b'\n')).flat_map(split_blanks) {
        let Some(middle) = pair.iter().position(|byte| matches!(byte, b'=' | b':')) else { continue };
        let key = trim(&pair[..middle], is_edge);
        let value = decode(trim(&pair[middle + 1..], is_edge));
        if value.is_empty() || value.len() > 256 {
            continue;
        }
        let Ok(value) = String::from_utf8(value) else { continue };
        let is = |name: &str| key.eq_ignore_ascii_case(name.as_bytes());
        if is("traceparent") {
            traceparent(value.as_bytes(), found);
        } else if is("trace_id") || is("traceid") || is("trace-id") || is("x-b3-traceid") {
            if found.trace_id.is_empty() {
                found.trace_id = value;
            }
        } else if is("span_id") || is("spanid") || is("span-id") || is("x-b3-spanid") {
            if found.span_id.is_empty() {
                found.span_id = value;
            }
        } else if (is("x-request-id") || is("x_request_id") || is("request_id")) && found.x_request_id.is_empty() {
            found.x_request_id = value;
        }
    }
}

/// Pairs may be parted by blanks, when a blank does not stand beside the sign of a pair.
fn split_blanks(part: &[u8]) -> impl Iterator<Item = &[u8]> {
    let signs = part.iter().filter(|byte| **byte == b'=').count();
    let split = signs > 1 && !part.windows(2).any(|pair| pair == b"= " || pair == b" =");
    part.split(move |byte| split && *byte == b' ')
}

fn trim(mut text: &[u8], is_edge: impl Fn(&u8) -> bool) -> &[u8] {
    while let Some((_, rest)) = text.split_first().filter(|(first, _)| is_edge(first)) {
        text = rest;
    }
    while let Some((_, rest)) = text.split_last().filter(|(last, _)| is_edge(last)) {
        text = rest;
    }
    text
}

/// sqlcommenter writes values percent-encoded.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, hex(0), hex(1)) {
            out.push((high << 4 | low) as u8);
            rest = &tail[2..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

/// Reads `00-<32 hex>-<16 hex>-<2 hex>` (<https://www.w3.org/TR/trace-context/>).
pub fn traceparent(value: &[u8], found: &mut Trace) {
    let mut fields = value.split(|byte| *byte == b'-');
    let (Some(version), Some(trace), Some(span)) = (fields.next(), fields.next(), fields.next()) else { return };
    let hex = |text: &[u8], size: usize| {
        let is_hex = text.len() == size && text.iter().all(u8::is_ascii_hexdigit);
        is_hex.then(|| String::from_utf8_lossy(text).into_owned())
    };
    if let (Some(_), Some(trace), Some(span)) = (hex(version, 2), hex(trace, 32), hex(span, 16)) {
        found.trace_id = trace;
        found.span_id = span;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_every_form() {
        const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for text in [
            format!("SELECT 1 /*traceparent='{PARENT}',tracestate='a%3D1'*/"),
            format!("/* traceparent={PARENT} */ SELECT 1"),
            format!("/* {{\"traceparent\": \"{PARENT}\"}} */ SELECT 1"),
            format!("SELECT 1 /* app=x traceparent={PARENT} */"),
            "SELECT 1 /* trace_id=0af7651916cd43dd8448eb211c80319c, span_id=b7ad6b7169203331 */".to_owned(),
        ] {
            let found = trace([text.as_bytes(), b""]).expect(&text);
            assert_eq!(found.trace_id, "0af7651916cd43dd8448eb211c80319c", "{text}");
            assert_eq!(found.span_id, "b7ad6b7169203331", "{text}");
        }
        assert_eq!(trace([b"", b"/* X-Request-ID=abc */"]).unwrap().x_request_id, "abc");
        for none in ["SELECT 1", "SELECT /* plain */ 1", "/* traceparent=00-xyz-1-01 */", "/* trace_id=a", "/* = */"] {
            assert_eq!(trace([none.as_bytes(), b""]), None, "{none}");
        }
    }
}
