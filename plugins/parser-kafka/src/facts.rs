//! What a message tells, collected while it is walked through: places in its bytes, so that nothing is copied.

use crate::schema::Role;

/// Topics of a message that are kept for its attributes.
const TOPICS: usize = 8;
/// Runs of records of a message that are looked into.
const RUNS: usize = 4;

/// A piece of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub const fn new(start: usize, length: usize) -> Span {
        Span { start: start as u32, length: length as u32 }
    }

    pub const fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The bytes, none when they are not there.
    pub fn of(self, message: &[u8]) -> &[u8] {
        let start = self.start as usize;
        message.get(start..start + self.length as usize).unwrap_or_default()
    }
}

pub(crate) type TopicId = [u8; 16];

/// Cleared for each message and used again.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// The first error code, and the first that is one.
    pub error: Option<i16>,
    pub failure: i16,
    pub error_message: Span,
    pub topics: [Span; TOPICS],
    pub topic_count: usize,
    pub topic_ids: [TopicId; TOPICS],
    pub topic_id_count: usize,
    pub partition: Option<i32>,
    pub partition_count: usize,
    pub group: Span,
    pub transaction: Span,
    pub key: Span,
    pub key_type: u8,
    pub acks: Option<i16>,
    pub throttle: i32,
    pub mechanism: Span,
    pub software_name: Span,
    pub software_version: Span,
    pub subscription: Span,
    pub assignment: Span,
    pub records: [Span; RUNS],
    pub run_count: usize,
    /// Names of topics with the ids that stand behind them.
    pub pairs: Vec<(Span, TopicId)>,
    /// The field before this one was the name of a topic.
    named: Option<Span>,
}

impl Facts {
    pub fn clear(&mut self) {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        *self = Facts { pairs, ..Facts::default() };
    }

    #[inline]
    pub fn see_fixed(&mut self, role: Role, bytes: &[u8]) {
        match (role, bytes) {
            (Role::Error, [high, low]) => {
                let code = i16::from_be_bytes([*high, *low]);
                self.error.get_or_insert(code);
                if self.failure == 0 {
                    self.failure = code;
                }
            }
            (Role::Partition, [a, b, c, d]) => {
                self.partition.get_or_insert(i32::from_be_bytes([*a, *b, *c, *d]));
                self.partition_count += 1;
            }
            (Role::TopicId, bytes) => self.see_topic_id(bytes),
            (Role::Acks, [high, low]) => self.acks = Some(i16::from_be_bytes([*high, *low])),
            (Role::Throttle, [a, b, c, d]) => self.throttle = i32::from_be_bytes([*a, *b, *c, *d]),
            (Role::KeyType, [kind]) => self.key_type = *kind,
            _ => {}
        }
    }

    fn see_topic_id(&mut self, bytes: &[u8]) {
        let Ok(id) = TopicId::try_from(bytes) else { return };
        if let Some(name) = self.named.take() {
            self.pairs.push((name, id));
        }
        if id != [0; 16] {
            if let Some(place) = self.topic_ids.get_mut(self.topic_id_count) {
                *place = id;
            }
            self.topic_id_count += 1;
        }
    }

    #[inline]
    pub fn see_text(&mut self, role: Role, span: Span) {
        match role {
            Role::Topic => {
                if let Some(place) = self.topics.get_mut(self.topic_count) {
                    *place = span;
                }
                self.topic_count += 1;
                self.named = Some(span);
            }
            Role::Group => first(&mut self.group, span),
            Role::Transaction => first(&mut self.transaction, span),
            Role::Key => first(&mut self.key, span),
            Role::Mechanism => first(&mut self.mechanism, span),
            Role::SoftwareName => first(&mut self.software_name, span),
            Role::SoftwareVersion => first(&mut self.software_version, span),
            Role::ErrorMessage => first(&mut self.error_message, span),
            _ => {}
        }
    }

    pub fn see_bytes(&mut self, role: Role, span: Span) {
        match role {
            Role::Records => {
                if let Some(place) = self.records.get_mut(self.run_count) {
                    *place = span;
                    self.run_count += 1;
                }
            }
            Role::Subscription => first(&mut self.subscription, span),
            Role::Assignment => first(&mut self.assignment, span),
            _ => {}
        }
    }
}

fn first(place: &mut Span, span: Span) {
    if place.length == 0 {
        *place = span;
    }
}
