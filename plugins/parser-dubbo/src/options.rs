//! The options of the parser; names, types and defaults also stand in `dubbo.metaflow.toml`.

use metaflow_parser_sdk::options::{boolean, number, unknown};
use metaflow_parser_sdk::trace::TraceRules;

const TRACE: &str = "traceparent,sw8,sw6,sw3,b3,x-b3-traceid,uber-trace-id,eagleeye-traceid,eagleeye-trace-id,traceid";

/// What an operator can change.
#[derive(Debug)]
pub(crate) struct Options {
    /// Bytes of a message that are looked at.
    pub max_message_bytes: usize,
    /// A response that carries an exception of the service is a server_error, whatever its status says.
    pub exceptions_are_errors: bool,
    pub trace: TraceRules,
    /// The names in `trace`, for bodies that are only searched.
    pub names: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        let trace = TraceRules::parse(TRACE).unwrap_or_default();
        Options { max_message_bytes: 32 << 10, exceptions_are_errors: false, trace, names: names(TRACE) }
    }
}

impl Options {
    /// Take one option.
    ///
    /// # Errors
    /// A sentence: what was found, what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max_message_bytes" => self.max_message_bytes = number(key, value, 1024..=1 << 20)?,
            "exceptions_are_errors" => self.exceptions_are_errors = boolean(key, value)?,
            "trace_headers" => {
                self.trace = TraceRules::parse(value)?;
                self.names = names(value);
            }
            _ => return Err(unknown(key, &["max_message_bytes", "exceptions_are_errors", "trace_headers"])),
        }
        Ok(())
    }
}

/// The names of a list of rules, and those that belong to the trace of one of them.
fn names(rules: &str) -> Vec<String> {
    let mut found: Vec<String> = rules
        .split(',')
        .map(|rule| rule.split('=').next().unwrap_or("").trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if found.iter().any(|name| name == "x-b3-traceid") {
        found.extend(["x-b3-spanid".to_owned(), "x-b3-parentspanid".to_owned()]);
    }
    found
}
