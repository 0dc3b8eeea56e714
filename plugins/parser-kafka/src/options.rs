//! The options of the parser; names, types and defaults also stand in `kafka.metaflow.toml`.

use metaflow_parser_sdk::options::{number, unknown};
use metaflow_parser_sdk::trace::TraceRules;

/// What an operator can change.
#[derive(Debug)]
pub(crate) struct Options {
    /// Bytes of a message that are looked at.
    pub max_message_bytes: usize,
    /// Bytes of a batch that are decompressed to find a trace; 0: none.
    pub max_decompressed_bytes: usize,
    pub trace: TraceRules,
}

impl Default for Options {
    fn default() -> Options {
        Options { max_message_bytes: 32 << 10, max_decompressed_bytes: 16 << 10, trace: TraceRules::default() }
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
            "max_decompressed_bytes" => self.max_decompressed_bytes = number(key, value, 0..=1 << 20)?,
            "trace_headers" => self.trace = TraceRules::parse(value)?,
            _ => return Err(unknown(key, &["max_message_bytes", "max_decompressed_bytes", "trace_headers"])),
        }
        Ok(())
    }
}
