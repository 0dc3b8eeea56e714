//! Which header fields matter: a name becomes a class once, and from there on nobody compares names.

use crate::hpack::STATIC_TABLE;

/// A field that every message may have once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Slot {
    Method,
    Authority,
    Path,
    Status,
    Host,
    ContentLength,
    ContentType,
    ContentEncoding,
    GrpcStatus,
    GrpcMessage,
    TriVersion,
}

impl Slot {
    /// Number of slots.
    pub const COUNT: usize = 11;
}

const NAMES: [(&str, Slot); Slot::COUNT] = [
    (":method", Slot::Method),
    (":authority", Slot::Authority),
    (":path", Slot::Path),
    (":status", Slot::Status),
    ("host", Slot::Host),
    ("content-length", Slot::ContentLength),
    ("content-type", Slot::ContentType),
    ("content-encoding", Slot::ContentEncoding),
    ("grpc-status", Slot::GrpcStatus),
    ("grpc-message", Slot::GrpcMessage),
    ("tri-service-version", Slot::TriVersion),
];

/// What a field is for; numbers are ranks in the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Slot(Slot),
    RequestId(u8),
    ClientIp(u8),
    /// An attribute, by index into [`Fields::attribute_name`].
    Attribute(u8),
    /// Trace context.
    Trace,
}

/// A name, as far as it is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u16);

impl Class {
    /// A name of no use.
    pub const NONE: Class = Class(0);
    /// A name that was not captured.
    pub const UNKNOWN: Class = Class(1);

    /// Whether the value is wanted.
    pub const fn is_used(self) -> bool {
        self.0 > 1
    }
}

/// Attributes a message can have from headers.
pub(crate) const MOST_ATTRIBUTES: usize = 32;
/// Names that an option can have.
const MOST_NAMES: usize = 32;

/// The fields of interest.
pub(crate) struct Fields {
    request_id: Vec<String>,
    client_ip: Vec<String>,
    trace: Vec<String>,
    /// Header name and attribute name.
    attributes: Vec<(String, String)>,
    /// Name and uses of a class, from class 2 on.
    classes: Vec<(String, Vec<Use>)>,
    /// Classes by length of the name (63: 63 or more).
    by_length: Vec<Vec<Class>>,
    /// Classes of the static table's names.
    fixed: [Class; STATIC_TABLE.len()],
}

impl Default for Fields {
    fn default() -> Fields {
        let mut fields = Fields {
            request_id: vec!["x-request-id".to_owned()],
            client_ip: vec!["x-forwarded-for".to_owned()],
            trace: Vec::new(),
            attributes: Vec::new(),
            classes: Vec::new(),
            by_length: Vec::new(),
            fixed: [Class::NONE; STATIC_TABLE.len()],
        };
        fields.set_attributes(&[]);
        fields.set_trace("traceparent,sw8,sw6,sw3,b3,x-b3-traceid,uber-trace-id");
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

    /// The names in an option of trace headers (the SDK's rules read their values).
    pub fn set_trace(&mut self, option: &str) {
        let names = option.split(',').filter_map(|item| item.split('=').next());
        self.trace = names.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
        if option.to_ascii_lowercase().contains("x-b3-traceid") {
            self.trace.extend(["x-b3-spanid".to_owned(), "x-b3-parentspanid".to_owned()]);
        }
        self.index();
    }

    /// The attribute's name.
    pub fn attribute_name(&self, index: usize) -> &str {
        self.attributes.get(index).map_or("", |(_, name)| name)
    }

    /// The class of a name.
    #[inline]
    pub fn class(&self, name: &[u8]) -> Class {
        let candidates = self.by_length.get(name.len().min(63)).map_or(&[][..], Vec::as_slice);
        candidates.iter().copied().find(|class| self.name(*class).as_bytes() == name).unwrap_or(Class::NONE)
    }

    /// Class and value of an index of the static table.
    #[inline]
    pub fn fixed(&self, index: usize) -> Option<(Class, &'static str)> {
        let at = index.checked_sub(1)?;
        Some((*self.fixed.get(at)?, STATIC_TABLE[at].1))
    }

    /// The name of a class that is used.
    pub fn name(&self, class: Class) -> &str {
        self.at(class).map_or("", |(name, _)| name)
    }

    /// What a class is for.
    #[inline]
    pub fn uses(&self, class: Class) -> &[Use] {
        self.at(class).map_or(&[], |(_, uses)| uses)
    }

    fn at(&self, class: Class) -> Option<&(String, Vec<Use>)> {
        self.classes.get(usize::from(class.0).checked_sub(2)?)
    }

    fn index(&mut self) {
        let mut all: Vec<(&str, Use)> = NAMES.iter().map(|(name, slot)| (*name, Use::Slot(*slot))).collect();
        let ranked = |names: &[String]| names.len().min(MOST_NAMES) as u8;
        all.extend(
            (0..ranked(&self.request_id)).map(|rank| (&*self.request_id[usize::from(rank)], Use::RequestId(rank))),
        );
        all.extend((0..ranked(&self.client_ip)).map(|rank| (&*self.client_ip[usize::from(rank)], Use::ClientIp(rank))));
        let named = self.attributes.iter().enumerate();
        all.extend(named.map(|(index, (name, _))| (&**name, Use::Attribute(index as u8))));
        all.extend(self.trace.iter().map(|name| (&**name, Use::Trace)));
        let mut classes: Vec<(String, Vec<Use>)> = Vec::new();
        for (name, purpose) in all {
            match classes.iter_mut().find(|(known, _)| known == name) {
                Some((_, uses)) => uses.push(purpose),
                None => classes.push((name.to_owned(), vec![purpose])),
            }
        }
        self.by_length = vec![Vec::new(); 64];
        for (at, (name, _)) in classes.iter().enumerate() {
            self.by_length[name.len().min(63)].push(Class(at as u16 + 2));
        }
        self.classes = classes;
        for (at, (name, _)) in STATIC_TABLE.iter().enumerate() {
            self.fixed[at] = self.class(name.as_bytes());
        }
    }
}
