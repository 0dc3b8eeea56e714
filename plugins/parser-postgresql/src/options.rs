//! The options of `postgresql.metaflow.toml`.

/// Parser options, the same for every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
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
    fn default() -> Self {
        Self { max_statement_bytes: 4096, max_prepared: 512, obfuscate: false, endpoint: true }
    }
}

impl Options {
    /// Applies one `key=value`; `Err` is a sentence that names key, value and what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "max_statement_bytes" => self.max_statement_bytes = number(key, value, 64, 65536)?,
            "max_prepared" => self.max_prepared = number(key, value, 0, 65536)?,
            "obfuscate" => self.obfuscate = boolean(key, value)?,
            "endpoint" => self.endpoint = boolean(key, value)?,
            _ => {
                return Err(format!(
                    "PostgreSQL has no option {key:?}; known are max_statement_bytes, max_prepared, obfuscate and endpoint."
                ))
            }
        }
        Ok(())
    }
}

fn number(key: &str, value: &str, low: usize, high: usize) -> Result<usize, String> {
    match value.parse::<usize>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("PostgreSQL option {key} is {value:?}; expected a whole number from {low} to {high}.")),
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("PostgreSQL option {key} is {value:?}; expected true or false.")),
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
        assert_eq!(options.max_statement_bytes, 100);
        assert!(options.obfuscate);
        assert!(options.set("max_statement_bytes", "7").unwrap_err().contains("from 64 to 65536"));
        assert!(options.set("endpoint", "maybe").unwrap_err().contains("true or false"));
        assert!(options.set("speed", "1").unwrap_err().contains("no option"));
    }
}
