//! What every message of Kafka looks like: one table of fields for each API and side, over all versions.
//!
//! The table is made from Kafka's own descriptions (`tools/generate.py`); tagged fields are not in it, for a reader may
//! pass over them.

#[rustfmt::skip]
mod generated;

/// What a field is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// So many bytes.
    Fixed(u16),
    Text,
    Bytes,
    Records,
    Struct,
}

/// What a field means for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    None,
    Error,
    ErrorMessage,
    Topic,
    TopicId,
    Partition,
    Group,
    Transaction,
    /// What a coordinator is looked for, and what it is (0 group, 1 transaction, 2 share group).
    Key,
    KeyType,
    Records,
    Acks,
    Mechanism,
    Throttle,
    SoftwareName,
    SoftwareVersion,
    Subscription,
    Assignment,
}

/// A field, in the versions that have it.
#[derive(Debug)]
pub(crate) struct Field {
    pub kind: Kind,
    pub role: Role,
    pub since: i16,
    pub until: i16,
    /// A structure with a byte in front that says whether it is there, from this version on.
    pub null_since: i16,
    pub is_array: bool,
    pub fields: &'static [Field],
}

const fn field(kind: Kind, role: Role, since: i16, until: i16) -> Field {
    Field { kind, role, since, until, null_since: i16::MAX, is_array: false, fields: &[] }
}

impl Field {
    const fn array(mut self) -> Field {
        self.is_array = true;
        self
    }

    const fn nullable(mut self, since: i16) -> Field {
        self.null_since = since;
        self
    }

    const fn of(mut self, fields: &'static [Field]) -> Field {
        self.fields = fields;
        self
    }
}

/// An API of Kafka.
#[derive(Debug)]
pub(crate) struct Api {
    pub key: i16,
    pub name: &'static str,
    /// Versions that the table knows.
    pub since: i16,
    pub until: i16,
    /// First version with compact lengths and tagged fields.
    pub flexible: i16,
    pub request: &'static [Field],
    pub response: &'static [Field],
}

pub(crate) const PRODUCE: i16 = 0;
pub(crate) const FETCH: i16 = 1;
pub(crate) const SASL_HANDSHAKE: i16 = 17;
pub(crate) const API_VERSIONS: i16 = 18;
pub(crate) const SHARE_FETCH: i16 = 78;

impl Api {
    /// The API with this key.
    pub fn of(key: i16) -> Option<&'static Api> {
        // Keys are numbered without a hole so far; a hole would only cost the search.
        let index = usize::try_from(key).ok()?;
        let apis = &generated::APIS;
        apis.get(index).filter(|api| api.key == key).or_else(|| apis.iter().find(|api| api.key == key))
    }

    /// The table knows this version.
    pub const fn knows(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }

    pub const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }

    /// Tagged fields stand behind the correlation id of the response. Of ApiVersions they never do, for its client does
    /// not know yet what the broker can read.
    pub const fn has_response_tags(&self, version: i16) -> bool {
        self.is_flexible(version) && self.key != API_VERSIONS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_is_found_by_its_key() {
        for (index, api) in generated::APIS.iter().enumerate() {
            assert_eq!(Api::of(api.key).map(|found| found.name), Some(api.name));
            assert_eq!(usize::try_from(api.key), Ok(index));
        }
        assert!(Api::of(-1).is_none() && Api::of(9999).is_none());
    }
}
