//! Which header fields matter, and finding them fast: most fields of a message are passed over by their length alone.

use metaflow_parser_sdk::http::options::HeaderNames;
use metaflow_parser_sdk::trace::Names;

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Host,
    ContentLength,
    TransferEncoding,
    Upgrade,
    /// An attribute, by index into [`Fields::attribute_name`].
    Attribute(u8),
    /// A request id; the lowest number wins.
    RequestId(u8),
    /// The client before the proxies; the lowest number wins.
    ClientIp(u8),
}

/// The fields of interest.
pub(crate) struct Fields {
    /// Names of attributes.
    attributes: Vec<String>,
    /// Names by length (63: 63 or more).
    by_length: Vec<Vec<(Name, Use)>>,
    /// A first look at a name.
    names: Names,
}

impl From<&HeaderNames> for Fields {
    fn from(asked: &HeaderNames) -> Fields {
        let mut by_length = vec![Vec::new(); 64];
        let mut names = Names::default();
        let mut add = |name: &str, field: Use| {
            names.add(name);
            by_length[name.len().min(63)].push((Name::new(name), field));
        };
        add("host", Use::Host);
        add("content-length", Use::ContentLength);
        add("transfer-encoding", Use::TransferEncoding);
        add("upgrade", Use::Upgrade);
        for (index, name) in asked.request_id.iter().enumerate() {
            add(name, Use::RequestId(index as u8));
        }
        for (index, name) in asked.client_ip.iter().enumerate() {
            add(name, Use::ClientIp(index as u8));
        }
        for (index, (name, _)) in asked.attributes.iter().enumerate() {
            add(name, Use::Attribute(index as u8));
        }
        let attributes = asked.attributes.iter().map(|(_, name)| name.clone()).collect();
        Fields { attributes, by_length, names }
    }
}

impl Fields {
    /// The attribute's name.
    pub fn attribute_name(&self, index: usize) -> &str {
        self.attributes.get(index).map_or("", String::as_str)
    }

    /// The names of the fields.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Whether a field of this name may be of interest; a no is certain.
    #[inline]
    pub fn may_use(&self, name: &[u8]) -> bool {
        self.names.may_have(name)
    }

    /// What a field is for; it may be for several things.
    #[inline]
    pub fn uses<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = Use> + 'a {
        let candidates = self.by_length.get(name.len().min(63)).map_or(&[][..], Vec::as_slice);
        candidates.iter().filter(|(known, _)| known.is(name)).map(|(_, field)| *field)
    }
}

/// A name that is found in any case, eight bytes at a time.
#[derive(Clone)]
struct Name {
    length: usize,
    /// Lower-case bytes, and the bit that tells the cases of a letter apart where one stands.
    words: Vec<(u64, u64)>,
}

impl Name {
    fn new(name: &str) -> Name {
        let lower = name.to_ascii_lowercase();
        let case = |byte: &u8| if byte.is_ascii_lowercase() { 0x20 } else { 0 };
        let words = lower.as_bytes().chunks(8).map(|bytes| {
            let cases: Vec<u8> = bytes.iter().map(case).collect();
            (word(bytes), word(&cases))
        });
        Name { length: name.len(), words: words.collect() }
    }

    #[inline]
    fn is(&self, name: &[u8]) -> bool {
        name.len() == self.length
            && name.chunks(8).zip(&self.words).all(|(bytes, (known, cases))| word(bytes) | cases == *known)
    }
}

/// Up to eight bytes as a number.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_found_in_any_case_and_nothing_else_is() {
        for known in ["host", "content-length", "x-request-id", "b3", "x-1_2.3~4", "transfer-encoding"] {
            let name = Name::new(known);
            assert!(name.is(known.as_bytes()) && name.is(known.to_ascii_uppercase().as_bytes()), "{known}");
            for at in 0..known.len() {
                for byte in 0..=255 {
                    let mut other = known.as_bytes().to_vec();
                    other[at] = byte;
                    assert_eq!(name.is(&other), other.eq_ignore_ascii_case(known.as_bytes()), "{known} {at} {byte}");
                }
            }
            assert!(!name.is(&known.as_bytes()[1..]));
        }
    }
}
