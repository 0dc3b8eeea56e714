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
    /// Lower-case names, by length (63: 63 or more).
    by_length: Vec<Vec<(String, Use)>>,
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
            table[name.len().min(63)].push((name.to_owned(), field));
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

    /// Whether a field of this name may be of interest; a no is certain.
    #[inline]
    pub fn may_use(&self, name: &[u8]) -> bool {
        self.names.may_have(name)
    }

    /// What a field is for; it may be for several things.
    #[inline]
    pub fn uses<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = Use> + 'a {
        let candidates = self.by_length.get(name.len().min(63)).map_or(&[][..], Vec::as_slice);
        candidates.iter().filter(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(_, field)| *field)
    }
}
