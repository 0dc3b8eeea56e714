//! Which header fields matter: a name becomes a class once, and from there on nobody compares names.

use crate::hpack::STATIC_TABLE;
use metaflow_parser_sdk::http::options::HeaderNames;

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
    TriException,
}

impl Slot {
    /// Number of slots.
    pub const COUNT: usize = 12;
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
    ("tri-exception-code", Slot::TriException),
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

/// The fields of interest.
pub(crate) struct Fields {
    /// Names of attributes.
    attributes: Vec<String>,
    /// Name and uses of a class, from class 2 on.
    classes: Vec<(String, Vec<Use>)>,
    /// Classes by length of the name (63: 63 or more).
    by_length: Vec<Vec<Class>>,
    /// Classes of the static table's names.
    fixed: [Class; STATIC_TABLE.len()],
}

impl From<&HeaderNames> for Fields {
    fn from(names: &HeaderNames) -> Fields {
        let mut all: Vec<(&str, Use)> = NAMES.iter().map(|(name, slot)| (*name, Use::Slot(*slot))).collect();
        let ranks = || 0..=u8::MAX;
        all.extend(names.request_id.iter().zip(ranks()).map(|(name, rank)| (&**name, Use::RequestId(rank))));
        all.extend(names.client_ip.iter().zip(ranks()).map(|(name, rank)| (&**name, Use::ClientIp(rank))));
        all.extend(names.attributes.iter().zip(ranks()).map(|((name, _), index)| (&**name, Use::Attribute(index))));
        all.extend(names.trace.iter().map(|name| (&**name, Use::Trace)));
        let mut classes: Vec<(String, Vec<Use>)> = Vec::new();
        for (name, purpose) in all {
            match classes.iter_mut().find(|(known, _)| known == name) {
                Some((_, uses)) => uses.push(purpose),
                None => classes.push((name.to_owned(), vec![purpose])),
            }
        }
        let mut by_length = vec![Vec::new(); 64];
        for (at, (name, _)) in classes.iter().enumerate() {
            by_length[name.len().min(63)].push(Class(at as u16 + 2));
        }
        let attributes = names.attributes.iter().map(|(_, name)| name.clone()).collect();
        let mut fields = Fields { attributes, classes, by_length, fixed: [Class::NONE; STATIC_TABLE.len()] };
        for (at, (name, _)) in STATIC_TABLE.iter().enumerate() {
            fields.fixed[at] = fields.class(name.as_bytes());
        }
        fields
    }
}

impl Fields {
    /// The attribute's name.
    pub fn attribute_name(&self, index: usize) -> &str {
        self.attributes.get(index).map_or("", String::as_str)
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
}
