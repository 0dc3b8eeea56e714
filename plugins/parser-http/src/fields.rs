//! Which header fields matter, and finding them fast: most fields of a message are passed over by their length alone.

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

/// Attributes a message can have from headers: a bound for the table of one head.
pub(crate) const MOST_ATTRIBUTES: usize = 32;
/// Request-id and client headers: more than anyone has.
const MOST_NAMES: usize = 16;

/// The fields of interest.
pub(crate) struct Fields {
    request_id: Vec<String>,
    client_ip: Vec<String>,
    /// Header name and attribute name.
    attributes: Vec<(String, String)>,
    /// Names by length (63: 63 or more).
    by_length: Vec<Vec<(Name, Use)>>,
    /// A first look at a name.
    names: Names,
}

impl Default for Fields {
    fn default() -> Fields {
        let mut fields = Fields {
            request_id: vec!["x-request-id".to_owned()],
            client_ip: vec!["x-forwarded-for".to_owned()],
            attributes: Vec::new(),
            by_length: Vec::new(),
            names: Names::default(),
        };
        fields.set_attributes(&[]);
        fields
    }
}

impl Fields {
    pub fn set_request_id(&mut self, names: &[String]) {
        self.request_id = names.iter().take(MOST_NAMES).cloned().collect();
        self.index();
    }

    pub fn set_client_ip(&mut self, names: &[String]) {
        self.client_ip = names.iter().take(MOST_NAMES).cloned().collect();
        self.index();
    }

    /// Attributes besides `http_user_agent` and `http_referer`; they are called like their headers.
    pub fn set_attributes(&mut self, names: &[String]) {
        let standard = [("user-agent", "http_user_agent"), ("referer", "http_referer")];
        self.attributes = standard.iter().map(|(header, name)| ((*header).to_owned(), (*name).to_owned())).collect();
        self.attributes.extend(names.iter().map(|name| (name.clone(), name.clone())));
        self.attributes.truncate(MOST_ATTRIBUTES);
        self.index();
    }

    /// The attribute's name.
    pub fn attribute_name(&self, index: usize) -> &str {
        self.attributes.get(index).map_or("", |(_, name)| name)
    }

    fn index(&mut self) {
        let mut table = vec![Vec::new(); 64];
        let mut names = Names::default();
        let mut add = |name: &str, field: Use| {
            names.add(name);
            table[name.len().min(63)].push((Name::new(name), field));
        };
        add("host", Use::Host);
        add("content-length", Use::ContentLength);
        add("transfer-encoding", Use::TransferEncoding);
        add("upgrade", Use::Upgrade);
        for (index, name) in self.request_id.iter().enumerate() {
            add(name, Use::RequestId(index as u8));
        }
        for (index, name) in self.client_ip.iter().enumerate() {
            add(name, Use::ClientIp(index as u8));
        }
        for (index, (name, _)) in self.attributes.iter().enumerate() {
            add(name, Use::Attribute(index as u8));
        }
        self.by_length = table;
        self.names = names;
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
