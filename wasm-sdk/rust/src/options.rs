//! Reading the values of options: each gives the value, or the sentence for the person who wrote it.
//!
//! ```
//! use metaflow_parser_sdk::options;
//!
//! let mut longest = 4096;
//! let mut set = |key: &str, value: &str| -> Result<(), String> {
//!     match key {
//!         "max_message_bytes" => longest = options::number(key, value, 64..=65_536)?,
//!         _ => return Err(options::unknown(key, &["max_message_bytes"])),
//!     }
//!     Ok(())
//! };
//! assert_eq!(set("max_message_bytes", "1000"), Ok(()));
//! assert_eq!(set("speed", "1"), Err("Unknown option \"speed\": expected max_message_bytes.".to_owned()));
//! ```

use std::ops::RangeInclusive;

/// A whole number in a range.
///
/// # Errors
/// The sentence says what was found and which range was expected.
pub fn number(key: &str, value: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    value.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        format!("Option {key} is {value:?}: expected a whole number from {} to {}.", range.start(), range.end())
    })
}

/// Yes or no: true, on, yes and 1, or false, off, no and 0, in any case.
///
/// # Errors
/// Any other word.
pub fn boolean(key: &str, value: &str) -> Result<bool, String> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(format!("Option {key} is {value:?}: expected true or false.")),
    }
}

/// One of several words.
///
/// # Errors
/// Any other word; the sentence lists those that are known.
pub fn choice<T: Copy>(key: &str, value: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == value.trim()).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("Option {key} is {value:?}: expected {}.", listed(&known))
    })
}

/// What is said of an option that a parser does not have.
pub fn unknown(key: &str, known: &[&str]) -> String {
    format!("Unknown option {key:?}: expected {}.", listed(known))
}

/// `a, b or c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [many @ .., last] => format!("{} or {last}", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_wrong_ones_are_told() {
        assert_eq!(number("size", " 64", 64..=128), Ok(64));
        let told = number("size", "7", 64..=128).unwrap_err();
        assert_eq!(told, "Option size is \"7\": expected a whole number from 64 to 128.");
        assert_eq!((boolean("on", "True"), boolean("on", "0")), (Ok(true), Ok(false)));
        assert_eq!(boolean("on", "maybe").unwrap_err(), "Option on is \"maybe\": expected true or false.");
        assert_eq!(choice("mode", "b", &[("a", 1), ("b", 2)]), Ok(2));
        let told = choice("mode", "d", &[("a", 1), ("b", 2), ("c", 3)]).unwrap_err();
        assert_eq!(told, "Option mode is \"d\": expected a, b or c.");
        assert_eq!(unknown("x", &[]), "Unknown option \"x\": expected none.");
    }
}
