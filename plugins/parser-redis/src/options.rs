//! The options of `redis.metaflow.toml`.

use metaflow_parser_sdk::options::{choice, number, unknown};

/// How much of a command line is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Obfuscate {
    /// Nothing.
    Off,
    /// Passwords and other secrets of AUTH, HELLO, ACL, CONFIG SET and MIGRATE.
    #[default]
    Secrets,
    /// Secrets, and every value that an application stores; command, keys and fields stay. Results are hidden too.
    Values,
}

/// Parser options, the same for every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a command line kept in `request_resource`.
    pub max_command_bytes: usize,
    /// Bytes of a reply kept in `response_result` and in the text of an error.
    pub max_result_bytes: usize,
    /// What is masked with `?`.
    pub obfuscate: Obfuscate,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_command_bytes: 1024, max_result_bytes: 256, obfuscate: Obfuscate::Secrets }
    }
}

impl Options {
    /// Applies one `key=value`; `Err` is a sentence that names key, value and what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max_command_bytes" => self.max_command_bytes = number(key, value, 64..=65_536)?,
            "max_result_bytes" => self.max_result_bytes = number(key, value, 64..=65_536)?,
            "obfuscate" => {
                let words = [("off", Obfuscate::Off), ("secrets", Obfuscate::Secrets), ("values", Obfuscate::Values)];
                self.obfuscate = choice(key, value, &words)?;
            }
            _ => return Err(unknown(key, &["max_command_bytes", "max_result_bytes", "obfuscate"])),
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
        options.set("max_command_bytes", "100").unwrap();
        options.set("obfuscate", "values").unwrap();
        assert_eq!(options.max_command_bytes, 100);
        assert_eq!(options.obfuscate, Obfuscate::Values);
        assert!(options.set("max_result_bytes", "7").unwrap_err().contains("from 64 to 65536"));
        assert!(options.set("obfuscate", "yes").unwrap_err().contains("off, secrets or values"));
        assert!(options.set("speed", "1").unwrap_err().starts_with("Unknown option"));
    }
}
