//! The options that every version of HTTP has; names, types and defaults also stand in the manifests.

use super::endpoint::EndpointRules;
use super::masks::Masks;
use crate::options::{number, unknown};
use crate::trace::TraceRules;

/// Attributes a message can have from headers: a bound for the table of one head.
pub const MOST_ATTRIBUTES: usize = 32;
/// Header names that one option can have: more than anyone has.
const MOST_NAMES: usize = 32;

/// Which headers the options ask for, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderNames {
    /// Where a request id may stand; the first that a message has wins.
    pub request_id: Vec<String>,
    /// Where the client before the proxies may stand; the first that a message has wins.
    pub client_ip: Vec<String>,
    /// Header name and attribute name: `http_user_agent`, `http_referer`, and those that are asked for by their own names.
    pub attributes: Vec<(String, String)>,
    /// Headers whose values the trace rules read.
    pub trace: Vec<String>,
}

impl Default for HeaderNames {
    fn default() -> HeaderNames {
        let mut names = HeaderNames {
            request_id: vec!["x-request-id".to_owned()],
            client_ip: vec!["x-forwarded-for".to_owned()],
            attributes: Vec::new(),
            trace: Vec::new(),
        };
        names.set_attributes(Vec::new());
        names.set_trace("traceparent,sw8,sw6,sw3,b3,x-b3-traceid,uber-trace-id");
        names
    }
}

impl HeaderNames {
    fn set_attributes(&mut self, asked: Vec<String>) {
        let standard = [("user-agent", "http_user_agent"), ("referer", "http_referer")];
        self.attributes = standard.iter().map(|(header, name)| ((*header).to_owned(), (*name).to_owned())).collect();
        self.attributes.extend(asked.into_iter().map(|name| (name.clone(), name)));
        self.attributes.truncate(MOST_ATTRIBUTES);
    }

    fn set_trace(&mut self, option: &str) {
        let names = option.split(',').filter_map(|item| item.split('=').next());
        self.trace = names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
        if self.trace.iter().any(|name| name == "x-b3-traceid") {
            self.trace.extend(["x-b3-spanid".to_owned(), "x-b3-parentspanid".to_owned()]);
        }
    }
}

/// What an operator can change. `F` is the parser's own table of the fields that matter, made anew whenever an option changes
/// their names.
pub struct Options<F> {
    /// Longest head in bytes; a longer one is reported as `parse_failed`.
    pub max_head_bytes: usize,
    /// First bytes of bodies that are kept for those who refine messages; 0 for none.
    pub body_bytes: usize,
    /// How a path becomes an endpoint.
    pub endpoint: EndpointRules,
    /// What of addresses is not kept.
    pub masks: Masks,
    /// How trace ids are read.
    pub trace: TraceRules,
    /// The parser's table of header fields.
    pub fields: F,
    names: HeaderNames,
}

impl<F: for<'a> From<&'a HeaderNames>> Default for Options<F> {
    fn default() -> Options<F> {
        let names = HeaderNames::default();
        Options {
            max_head_bytes: 64 << 10,
            body_bytes: 0,
            endpoint: EndpointRules::default(),
            masks: Masks::default(),
            trace: TraceRules::default(),
            fields: F::from(&names),
            names,
        }
    }
}

impl<F: for<'a> From<&'a HeaderNames>> Options<F> {
    /// Take one option.
    ///
    /// # Errors
    /// A sentence: what was found, what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max_head_bytes" => self.max_head_bytes = number(key, value, 1024..=1 << 20)?,
            "body_bytes" => self.body_bytes = number(key, value, 0..=64 << 10)?,
            "endpoint_keep_segments" => self.endpoint.keep = number(key, value, 0..=64)?,
            "mask_parameters" => self.masks = Masks::parse(value),
            "endpoint_rules" => self.endpoint.set_rules(value)?,
            "trace_headers" => {
                self.trace = TraceRules::parse(value)?;
                self.names.set_trace(value);
            }
            "x_request_id_headers" => self.names.request_id = header_names(key, value)?,
            "client_ip_headers" => self.names.client_ip = header_names(key, value)?,
            "attribute_headers" => self.names.set_attributes(header_names(key, value)?),
            _ => {
                let known = [
                    "max_head_bytes",
                    "body_bytes",
                    "endpoint_keep_segments",
                    "endpoint_rules",
                    "mask_parameters",
                    "trace_headers",
                    "x_request_id_headers",
                    "client_ip_headers",
                    "attribute_headers",
                ];
                return Err(unknown(key, &known));
            }
        }
        self.fields = F::from(&self.names);
        Ok(())
    }
}

/// Header names separated by commas, in lower case.
fn header_names(key: &str, value: &str) -> Result<Vec<String>, String> {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty()).take(MOST_NAMES);
    names
        .map(|name| {
            if name.bytes().all(is_token) {
                Ok(name.to_ascii_lowercase())
            } else {
                Err(format!(
                    "Option {key} names {name:?}: expected header names separated by commas, for example x-tenant."
                ))
            }
        })
        .collect()
}

/// A character of a token: a method, a header name (RFC 9110, 5.6.2).
#[inline]
pub const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Seen(HeaderNames);

    impl From<&HeaderNames> for Seen {
        fn from(names: &HeaderNames) -> Seen {
            Seen(names.clone())
        }
    }

    #[test]
    fn header_names_reach_the_parsers_table() {
        let mut options = Options::<Seen>::default();
        assert_eq!(options.fields.0, HeaderNames::default());
        options.set("attribute_headers", "X-Tenant, x-shard").unwrap();
        options.set("x_request_id_headers", "").unwrap();
        options.set("trace_headers", "x-b3-traceid").unwrap();
        let names = &options.fields.0;
        assert_eq!(names.attributes[2], ("x-tenant".to_owned(), "x-tenant".to_owned()));
        assert_eq!((names.attributes.len(), names.request_id.len()), (4, 0));
        assert_eq!(names.trace, ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid"]);
        assert!(options.set("client_ip_headers", "a b").unwrap_err().contains("for example x-tenant"));
        assert!(options.set("colour", "1").unwrap_err().contains("max_head_bytes, body_bytes"));
    }
}
