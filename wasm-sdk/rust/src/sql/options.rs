//! The options that every parser of a database has; names, types and defaults also stand in its manifest.

use crate::options::{boolean, number, unknown};

/// What is kept of statements. Options of a parser of its own come before [`Options::set`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a statement kept in `request_resource`.
    pub max_statement_bytes: usize,
    /// Prepared statements remembered for a session.
    pub max_prepared: usize,
    /// Literals of statements become `?`.
    pub obfuscate: bool,
    /// `VERB table` is worked out.
    pub endpoint: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { max_statement_bytes: 4096, max_prepared: 512, obfuscate: false, endpoint: true }
    }
}

impl Options {
    /// Take one option.
    ///
    /// # Errors
    /// A sentence: what was found, what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max_statement_bytes" => self.max_statement_bytes = number(key, value, 64..=65_536)?,
            "max_prepared" => self.max_prepared = number(key, value, 0..=65_536)?,
            "obfuscate" => self.obfuscate = boolean(key, value)?,
            "endpoint" => self.endpoint = boolean(key, value)?,
            _ => return Err(unknown(key, &["max_statement_bytes", "max_prepared", "obfuscate", "endpoint"])),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_wrong_ones_are_told() {
        let mut options = Options::default();
        options.set("max_statement_bytes", "100").unwrap();
        options.set("obfuscate", "True").unwrap();
        assert_eq!(options, Options { max_statement_bytes: 100, obfuscate: true, ..Options::default() });
        assert!(options.set("max_statement_bytes", "7").unwrap_err().contains("from 64 to 65536"));
        assert!(options.set("endpoint", "maybe").unwrap_err().contains("true or false"));
        assert!(options.set("speed", "1").unwrap_err().starts_with("Unknown option \"speed\""));
    }
}
