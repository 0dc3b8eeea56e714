//! The options of the parser; names, types and defaults also stand in `http2.metaflow.toml`.

use crate::fields::Fields;
use metaflow_parser_sdk::http::endpoint::EndpointRules;
use metaflow_parser_sdk::http::masks::Masks;
use metaflow_parser_sdk::trace::TraceRules;

/// What an operator can change.
pub(crate) struct Options {
    /// Longest header block in bytes; a longer one is reported as `parse_failed`.
    pub max_head_bytes: usize,
    /// First octets of bodies that refiners see; 0 for none.
    pub body_bytes: usize,
    pub endpoint: EndpointRules,
    /// What of addresses is not kept.
    pub masks: Masks,
    pub trace: TraceRules,
    pub fields: Fields,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_head_bytes: 64 << 10,
            body_bytes: 0,
            endpoint: EndpointRules::default(),
            masks: Masks::default(),
            trace: TraceRules::default(),
            fields: Fields::default(),
        }
    }
}

impl Options {
    /// Take one option.
    ///
    /// # Errors
    /// A sentence: what was found, what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max_head_bytes" => self.max_head_bytes = number(key, value, 1024, 1 << 20)?,
            "body_bytes" => self.body_bytes = number(key, value, 0, 64 << 10)?,
            "endpoint_keep_segments" => self.endpoint.keep = number(key, value, 0, 64)?,
            "mask_parameters" => self.masks = Masks::parse(value),
            "endpoint_rules" => self.endpoint.set_rules(value)?,
            "trace_headers" => {
                self.trace = TraceRules::parse(value)?;
                self.fields.set_trace(value);
            }
            "x_request_id_headers" => self.fields.set_request_id(&names(key, value)?),
            "client_ip_headers" => self.fields.set_client_ip(&names(key, value)?),
            "attribute_headers" => self.fields.set_attributes(&names(key, value)?),
            _ => {
                return Err(format!(
                    "Unknown option {key:?}: expected max_head_bytes, body_bytes, endpoint_keep_segments, endpoint_rules, mask_parameters, trace_headers, \
                     x_request_id_headers, client_ip_headers or attribute_headers."
                ))
            }
        }
        Ok(())
    }
}

fn number(key: &str, value: &str, min: usize, max: usize) -> Result<usize, String> {
    value
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| format!("Option {key} is {value:?}: expected a whole number from {min} to {max}."))
}

/// Header names separated by commas, in lower case.
fn names(key: &str, value: &str) -> Result<Vec<String>, String> {
    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
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

/// A character of a header name (RFC 9110, 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}
