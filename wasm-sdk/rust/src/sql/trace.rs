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

/// Looks for trace context in the comments of the parts of a statement that are known: its beginning, and its end.
///
/// `/* */`, `-- ` and `# ` up to the end of the line; what stands in quotes is no comment.
pub fn trace(parts: [&[u8]; 2]) -> Option<Trace> {
    let mut found = Trace::default();
    let [head, tail] = parts;
    if !comments(head, true, &mut found) {
        // A quote that does not end: a backslash was one, or the statement is cut. Quotes are not looked at then.
        comments(head, false, &mut found);
    }
    comments(tail, false, &mut found);
    (found != Trace::default()).then_some(found)
}

/// Reads the comments of a text; false when it ends inside a quote.
fn comments(text: &[u8], quotes: bool, found: &mut Trace) -> bool {
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|byte| matches!(byte, b'/' | b'-' | b'#' | b'\'' | b'"' | b'`')) {
        at += next;
        let rest = &text[at..];
        let length = match rest {
            [b'/', b'*', body @ ..] => {
                let Some(end) = find(body, b"*/") else { break };
                pairs(&body[..end], found);
                end + 4
            }
            [b'-', b'-', body @ ..] | [b'#', body @ ..] => {
                let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
                pairs(&body[..end], found);
                rest.len() - body.len() + end
            }
            [quote @ (b'\'' | b'"' | b'`'), body @ ..] if quotes => match closing(*quote, body) {
                Some(end) => end + 2,
                None => return false,
            },
            _ => 1,
        };
        at += length;
    }
    true
}

/// Where a quoted text ends. A doubled quote is two quoted texts, which comes to the same.
fn closing(quote: u8, body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *body.get(at)? {
            b'\\' if quote != b'`' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}

fn find(text: &[u8], pair: &[u8; 2]) -> Option<usize> {
    text.windows(2).position(|window| window == pair)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Reads `key=value`, `key: value` and `"key":"value"`, the values with or without quotes, in one comment.
fn pairs(comment: &[u8], found: &mut Trace) {
    let mut rest = &comment[..comment.len().min(MAX_COMMENT)];
    while let Some(start) = rest.iter().position(|byte| is_word(*byte)) {
        rest = &rest[start..];
        let end = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        let (key, behind) = rest.split_at(end);
        let behind = behind.strip_prefix(b"\"").or_else(|| behind.strip_prefix(b"'")).unwrap_or(behind);
        let [b'=' | b':', value @ ..] = behind.trim_ascii_start() else {
            rest = behind;
            continue;
        };
        let from = value.trim_ascii_start();
        let (value, length) = match from {
            [quote @ (b'\'' | b'"'), body @ ..] => {
                let end = body.iter().position(|byte| byte == quote).unwrap_or(body.len());
                (&body[..end], end + 2)
            }
            _ => {
                let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b'}');
                let end = from.iter().position(is_end).unwrap_or(from.len());
                (&from[..end], end)
            }
        };
        pair(key, value, found);
        rest = &from[length.min(from.len())..];
    }
}

fn pair(key: &[u8], value: &[u8], found: &mut Trace) {
    let value = decode(value);
    let (Ok(key), Ok(value)) = (std::str::from_utf8(key), String::from_utf8(value)) else { return };
    if value.is_empty() || value.len() > 256 {
        return;
    }
    let is = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
    if is(&["traceparent"]) {
        traceparent(value.as_bytes(), found);
    } else if is(&["trace_id", "traceid", "trace-id", "x-b3-traceid"]) {
        if found.trace_id.is_empty() {
            found.trace_id = value;
        }
    } else if is(&["span_id", "spanid", "span-id", "x-b3-spanid"]) {
        if found.span_id.is_empty() {
            found.span_id = value;
        }
    } else if is(&["x-request-id", "x_request_id", "request_id"]) {
        if found.x_request_id.is_empty() {
            found.x_request_id = value;
        }
    } else if found.trace_id.is_empty() && is(&["sw8", "sw6", "sw3", "b3", "uber-trace-id"]) {
        if let Some((trace_id, span_id)) = crate::trace::ids_of(key, &value) {
            (found.trace_id, found.span_id) = (trace_id, span_id);
        }
    }
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
            format!("SELECT 1 -- traceparent: {PARENT}"),
            format!("-- traceparent={PARENT}\nSELECT 1"),
            format!("# traceparent='{PARENT}'\nSELECT 'x'"),
            format!("SELECT 'it''s' /* traceparent={PARENT} */"),
            format!("SELECT 'it\\'s' -- traceparent={PARENT}\n"),
            // PostgreSQL: a backslash is one.
            format!("SELECT 'C:\\' /* traceparent={PARENT} */"),
            format!("/* a */ SELECT /* b=c */ 1 /* db: shop traceparent={PARENT} */"),
        ] {
            let found = trace([text.as_bytes(), b""]).expect(&text);
            assert_eq!(found.trace_id, "0af7651916cd43dd8448eb211c80319c", "{text}");
            assert_eq!(found.span_id, "b7ad6b7169203331", "{text}");
        }
        assert_eq!(trace([b"", b"/* X-Request-ID=abc */"]).unwrap().x_request_id, "abc");
        for none in [
            "SELECT 1",
            "SELECT /* plain */ 1",
            "/* traceparent=00-xyz-1-01 */",
            "/* trace_id=a",
            "/* = */",
            "/*:*/ -- =",
            "SELECT '/* trace_id=abc */'",
            "SELECT \"-- trace_id=abc\"",
            "SELECT 1 - 2 / 3",
            "/* trace_id= */",
        ] {
            assert_eq!(trace([none.as_bytes(), b""]), None, "{none}");
        }
    }

    #[test]
    fn ids_of_skywalking_are_found_before_and_behind_the_statement() {
        const SW8: &str = "1-MWU1LjE2MjY-ZGI4NTIuOC4xNg==-3-c2Vydg==-aW5z-L2FwaQ==-MTI3LjAuMC4xOjMzMDY=";
        for text in [
            format!("/* sw8: {SW8} */ select 1"),
            format!("select 1 /*sw8='{SW8}'*/"),
            format!("select 1 -- sw8={SW8}"),
            format!("/*{{\"sw8\":\"{SW8}\"}}*/ select 1"),
        ] {
            let found = trace([text.as_bytes(), b""]).expect(&text);
            assert_eq!((&*found.trace_id, &*found.span_id), ("1e5.1626", "db852.8.16-3"), "{text}");
        }
        assert_eq!(trace([b"/* sw8: 1-x */ select 1", b""]), None);
    }
}
