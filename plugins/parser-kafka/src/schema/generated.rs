// Made by tools/generate.py from the message descriptions of kafka-clients; not to be edited.

use super::{field, Api, Field, Kind, Role};

const F0: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 13),
    field(Kind::Records, Role::Records, 0, 13),
];

const F1: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 12),
    field(Kind::Fixed(16), Role::TopicId, 13, 13),
    field(Kind::Struct, Role::None, 0, 13).array().of(F0),
];

const F2: &[Field] = &[
    field(Kind::Text, Role::Transaction, 3, 13),
    field(Kind::Fixed(2), Role::Acks, 0, 13),
    field(Kind::Fixed(4), Role::None, 0, 13),
    field(Kind::Struct, Role::None, 0, 13).array().of(F1),
];

const F3: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 8, 13),
    field(Kind::Text, Role::None, 8, 13),
];

const F4: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 13),
    field(Kind::Fixed(2), Role::Error, 0, 13),
    field(Kind::Fixed(8), Role::None, 0, 13),
    field(Kind::Fixed(8), Role::None, 2, 13),
    field(Kind::Fixed(8), Role::None, 5, 13),
    field(Kind::Struct, Role::None, 8, 13).array().of(F3),
    field(Kind::Text, Role::ErrorMessage, 8, 13),
];

const F5: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 12),
    field(Kind::Fixed(16), Role::TopicId, 13, 13),
    field(Kind::Struct, Role::None, 0, 13).array().of(F4),
];

const F6: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 13).array().of(F5),
    field(Kind::Fixed(4), Role::Throttle, 1, 13),
];

const F7: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 18),
    field(Kind::Fixed(4), Role::None, 9, 18),
    field(Kind::Fixed(8), Role::None, 0, 18),
    field(Kind::Fixed(4), Role::None, 12, 18),
    field(Kind::Fixed(8), Role::None, 5, 18),
    field(Kind::Fixed(4), Role::None, 0, 18),
];

const F8: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 12),
    field(Kind::Fixed(16), Role::TopicId, 13, 18),
    field(Kind::Struct, Role::None, 0, 18).array().of(F7),
];

const F9: &[Field] = &[
    field(Kind::Text, Role::Topic, 7, 12),
    field(Kind::Fixed(16), Role::TopicId, 13, 18),
    field(Kind::Fixed(4), Role::Partition, 7, 18).array(),
];

const F10: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 14),
    field(Kind::Fixed(8), Role::None, 0, 18),
    field(Kind::Fixed(4), Role::None, 3, 18),
    field(Kind::Fixed(1), Role::None, 4, 18),
    field(Kind::Fixed(8), Role::None, 7, 18),
    field(Kind::Struct, Role::None, 0, 18).array().of(F8),
    field(Kind::Struct, Role::None, 7, 18).array().of(F9),
    field(Kind::Text, Role::None, 11, 18),
];

const F11: &[Field] = &[
    field(Kind::Fixed(16), Role::None, 4, 18),
];

const F12: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 18),
    field(Kind::Fixed(2), Role::Error, 0, 18),
    field(Kind::Fixed(8), Role::None, 0, 18),
    field(Kind::Fixed(8), Role::None, 4, 18),
    field(Kind::Fixed(8), Role::None, 5, 18),
    field(Kind::Struct, Role::None, 4, 18).array().of(F11),
    field(Kind::Fixed(4), Role::None, 11, 18),
    field(Kind::Records, Role::Records, 0, 18),
];

const F13: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 12),
    field(Kind::Fixed(16), Role::TopicId, 13, 18),
    field(Kind::Struct, Role::None, 0, 18).array().of(F12),
];

const F14: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 18),
    field(Kind::Fixed(2), Role::Error, 7, 18),
    field(Kind::Fixed(4), Role::None, 7, 18),
    field(Kind::Struct, Role::None, 0, 18).array().of(F13),
];

const F15: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 10),
    field(Kind::Fixed(4), Role::None, 4, 10),
    field(Kind::Fixed(8), Role::None, 0, 10),
    field(Kind::Fixed(4), Role::None, 0, 0),
];

const F16: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F15),
];

const F17: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 10),
    field(Kind::Fixed(1), Role::None, 2, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F16),
    field(Kind::Fixed(4), Role::None, 10, 10),
];

const F18: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 10),
    field(Kind::Fixed(2), Role::Error, 0, 10),
    field(Kind::Fixed(8), Role::None, 0, 0).array(),
    field(Kind::Fixed(16), Role::None, 1, 10),
    field(Kind::Fixed(4), Role::None, 4, 10),
];

const F19: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F18),
];

const F20: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 2, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F19),
];

const F21: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 10, 127),
    field(Kind::Text, Role::Topic, 0, 127),
];

const F22: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F21),
    field(Kind::Fixed(1), Role::None, 4, 127),
    field(Kind::Fixed(1), Role::None, 8, 10),
    field(Kind::Fixed(1), Role::None, 8, 127),
];

const F23: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 1, 127),
];

const F24: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 7, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 5, 127).array(),
];

const F25: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(16), Role::TopicId, 10, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F24),
    field(Kind::Fixed(4), Role::None, 8, 127),
];

const F26: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 3, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F23),
    field(Kind::Text, Role::None, 2, 127),
    field(Kind::Fixed(4), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F25),
    field(Kind::Fixed(4), Role::None, 8, 10),
    field(Kind::Fixed(2), Role::Error, 13, 127),
];

const F27: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 1),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 3, 127).array(),
    field(Kind::Fixed(4), Role::None, 3, 127).array(),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Fixed(1), Role::None, 6, 127),
];

const F28: &[Field] = &[
    field(Kind::Text, Role::Topic, 2, 127),
    field(Kind::Fixed(16), Role::TopicId, 5, 127),
    field(Kind::Struct, Role::None, 2, 127).array().of(F27),
];

const F29: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F30: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 7, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 2, 127),
    field(Kind::Fixed(1), Role::None, 5, 127),
    field(Kind::Struct, Role::None, 0, 1).array().of(F27),
    field(Kind::Struct, Role::None, 2, 127).array().of(F28),
    field(Kind::Struct, Role::None, 0, 127).array().of(F29),
];

const F31: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 4),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F32: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 5, 127),
    field(Kind::Struct, Role::None, 5, 127).array().of(F31),
];

const F33: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 4).array().of(F31),
    field(Kind::Struct, Role::None, 5, 127).array().of(F32),
];

const F34: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 0),
    field(Kind::Fixed(4), Role::Partition, 0, 0),
];

const F35: &[Field] = &[
    field(Kind::Text, Role::Topic, 1, 2),
    field(Kind::Fixed(4), Role::Partition, 1, 2).array(),
];

const F36: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 3, 127),
    field(Kind::Fixed(5), Role::None, 3, 127),
];

const F37: &[Field] = &[
    field(Kind::Text, Role::Topic, 3, 127),
    field(Kind::Struct, Role::None, 3, 127).array().of(F36),
];

const F38: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 4, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 1, 127),
    field(Kind::Fixed(1), Role::None, 0, 2),
    field(Kind::Struct, Role::None, 0, 0).array().of(F34),
    field(Kind::Struct, Role::None, 1, 2).array().of(F35),
    field(Kind::Struct, Role::None, 3, 127).array().of(F37),
];

const F39: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F40: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F39),
];

const F41: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 4),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 4, 127).array(),
];

const F42: &[Field] = &[
    field(Kind::Text, Role::Topic, 5, 127),
    field(Kind::Fixed(16), Role::TopicId, 7, 127),
    field(Kind::Struct, Role::None, 5, 127).array().of(F41),
];

const F43: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 1, 127),
    field(Kind::Text, Role::None, 1, 127),
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Fixed(2), Role::None, 1, 127),
];

const F44: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 0),
    field(Kind::Fixed(4), Role::None, 0, 0),
    field(Kind::Struct, Role::None, 1, 127).array().of(F43),
    field(Kind::Text, Role::None, 2, 127),
];

const F45: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 8, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 5, 127),
    field(Kind::Struct, Role::None, 0, 4).array().of(F41),
    field(Kind::Struct, Role::None, 5, 127).array().of(F42),
    field(Kind::Struct, Role::None, 0, 127).array().of(F44),
];

const F46: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F47: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 2, 127),
];

const F48: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
];

const F49: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F48),
];

const F50: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 10),
    field(Kind::Fixed(8), Role::None, 0, 10),
    field(Kind::Fixed(4), Role::None, 6, 10),
    field(Kind::Fixed(8), Role::None, 1, 1),
    field(Kind::Text, Role::None, 0, 10),
];

const F51: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 9),
    field(Kind::Fixed(16), Role::TopicId, 10, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F50),
];

const F52: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 10),
    field(Kind::Fixed(4), Role::None, 1, 10),
    field(Kind::Text, Role::None, 1, 10),
    field(Kind::Text, Role::None, 7, 10),
    field(Kind::Fixed(8), Role::None, 2, 4),
    field(Kind::Struct, Role::None, 0, 10).array().of(F51),
];

const F53: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 10),
    field(Kind::Fixed(2), Role::Error, 0, 10),
];

const F54: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 9),
    field(Kind::Fixed(16), Role::TopicId, 10, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F53),
];

const F55: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 3, 10),
    field(Kind::Struct, Role::None, 0, 10).array().of(F54),
];

const F56: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 7),
    field(Kind::Fixed(4), Role::Partition, 0, 7).array(),
];

const F57: &[Field] = &[
    field(Kind::Text, Role::Topic, 8, 9),
    field(Kind::Fixed(16), Role::TopicId, 10, 10),
    field(Kind::Fixed(4), Role::Partition, 8, 10).array(),
];

const F58: &[Field] = &[
    field(Kind::Text, Role::Group, 8, 10),
    field(Kind::Text, Role::None, 9, 10),
    field(Kind::Fixed(4), Role::None, 9, 10),
    field(Kind::Struct, Role::None, 8, 10).array().of(F57),
];

const F59: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 7),
    field(Kind::Struct, Role::None, 0, 7).array().of(F56),
    field(Kind::Struct, Role::None, 8, 10).array().of(F58),
    field(Kind::Fixed(1), Role::None, 7, 10),
];

const F60: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 7),
    field(Kind::Fixed(8), Role::None, 0, 7),
    field(Kind::Fixed(4), Role::None, 5, 7),
    field(Kind::Text, Role::None, 0, 7),
    field(Kind::Fixed(2), Role::Error, 0, 7),
];

const F61: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 7),
    field(Kind::Struct, Role::None, 0, 7).array().of(F60),
];

const F62: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 8, 10),
    field(Kind::Fixed(12), Role::None, 8, 10),
    field(Kind::Text, Role::None, 8, 10),
    field(Kind::Fixed(2), Role::Error, 8, 10),
];

const F63: &[Field] = &[
    field(Kind::Text, Role::Topic, 8, 9),
    field(Kind::Fixed(16), Role::TopicId, 10, 10),
    field(Kind::Struct, Role::None, 8, 10).array().of(F62),
];

const F64: &[Field] = &[
    field(Kind::Text, Role::Group, 8, 10),
    field(Kind::Struct, Role::None, 8, 10).array().of(F63),
    field(Kind::Fixed(2), Role::Error, 8, 10),
];

const F65: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 3, 10),
    field(Kind::Struct, Role::None, 0, 7).array().of(F61),
    field(Kind::Fixed(2), Role::Error, 2, 7),
    field(Kind::Struct, Role::None, 8, 10).array().of(F64),
];

const F66: &[Field] = &[
    field(Kind::Text, Role::Key, 0, 3),
    field(Kind::Fixed(1), Role::KeyType, 1, 127),
    field(Kind::Text, Role::Key, 4, 127).array(),
];

const F67: &[Field] = &[
    field(Kind::Text, Role::Key, 4, 127),
    field(Kind::Fixed(4), Role::None, 4, 127),
    field(Kind::Text, Role::None, 4, 127),
    field(Kind::Fixed(4), Role::None, 4, 127),
    field(Kind::Fixed(2), Role::Error, 4, 127),
    field(Kind::Text, Role::ErrorMessage, 4, 127),
];

const F68: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Text, Role::ErrorMessage, 1, 3),
    field(Kind::Fixed(4), Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(4), Role::None, 0, 3),
    field(Kind::Struct, Role::None, 4, 127).array().of(F67),
];

const F69: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Bytes, Role::Subscription, 0, 127),
];

const F70: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 1, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 5, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F69),
    field(Kind::Text, Role::None, 8, 127),
];

const F71: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 5, 127),
    field(Kind::Bytes, Role::None, 0, 127),
];

const F72: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 2, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 7, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 9, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F71),
];

const F73: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 3, 127),
];

const F74: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F75: &[Field] = &[
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Text, Role::None, 5, 127),
];

const F76: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 2),
    field(Kind::Struct, Role::None, 3, 127).array().of(F75),
];

const F77: &[Field] = &[
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Fixed(2), Role::Error, 3, 127),
];

const F78: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 3, 127).array().of(F77),
];

const F79: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Bytes, Role::Assignment, 0, 127),
];

const F80: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Text, Role::None, 5, 127),
    field(Kind::Text, Role::None, 5, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F79),
];

const F81: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::None, 5, 127),
    field(Kind::Text, Role::None, 5, 127),
    field(Kind::Bytes, Role::Assignment, 0, 127),
];

const F82: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127).array(),
    field(Kind::Fixed(1), Role::None, 3, 127),
];

const F83: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 4, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
];

const F84: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 6, 127),
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F83),
    field(Kind::Fixed(4), Role::None, 3, 127),
];

const F85: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F84),
];

const F86: &[Field] = &[
    field(Kind::Text, Role::None, 4, 127).array(),
    field(Kind::Text, Role::None, 5, 127).array(),
];

const F87: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 4, 127),
    field(Kind::Text, Role::None, 5, 127),
];

const F88: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F87),
];

const F89: &[Field] = &[
    field(Kind::Text, Role::Mechanism, 0, 127),
];

const F90: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::None, 0, 127).array(),
];

const F91: &[Field] = &[
    field(Kind::Text, Role::SoftwareName, 3, 127),
    field(Kind::Text, Role::SoftwareVersion, 3, 127),
];

const F92: &[Field] = &[
    field(Kind::Fixed(6), Role::None, 0, 127),
];

const F93: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F92),
    field(Kind::Fixed(4), Role::Throttle, 1, 127),
];

const F94: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 7),
    field(Kind::Fixed(4), Role::None, 0, 7).array(),
];

const F95: &[Field] = &[
    field(Kind::Text, Role::None, 0, 7),
    field(Kind::Text, Role::None, 0, 7),
];

const F96: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 7),
    field(Kind::Fixed(6), Role::None, 0, 7),
    field(Kind::Struct, Role::None, 0, 7).array().of(F94),
    field(Kind::Struct, Role::None, 0, 7).array().of(F95),
];

const F97: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 7).array().of(F96),
    field(Kind::Fixed(4), Role::None, 0, 7),
    field(Kind::Fixed(1), Role::None, 1, 7),
];

const F98: &[Field] = &[
    field(Kind::Text, Role::None, 5, 7),
    field(Kind::Text, Role::None, 5, 7),
    field(Kind::Fixed(3), Role::None, 5, 7),
];

const F99: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 7),
    field(Kind::Fixed(16), Role::TopicId, 7, 7),
    field(Kind::Fixed(2), Role::Error, 0, 7),
    field(Kind::Text, Role::ErrorMessage, 1, 7),
    field(Kind::Fixed(6), Role::None, 5, 7),
    field(Kind::Struct, Role::None, 5, 7).array().of(F98),
];

const F100: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 2, 7),
    field(Kind::Struct, Role::None, 0, 7).array().of(F99),
];

const F101: &[Field] = &[
    field(Kind::Text, Role::Topic, 6, 6),
    field(Kind::Fixed(16), Role::TopicId, 6, 6),
];

const F102: &[Field] = &[
    field(Kind::Struct, Role::None, 6, 6).array().of(F101),
    field(Kind::Text, Role::Topic, 0, 5).array(),
    field(Kind::Fixed(4), Role::None, 0, 6),
];

const F103: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 6),
    field(Kind::Fixed(16), Role::TopicId, 6, 6),
    field(Kind::Fixed(2), Role::Error, 0, 6),
    field(Kind::Text, Role::ErrorMessage, 5, 6),
];

const F104: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 1, 6),
    field(Kind::Struct, Role::None, 0, 6).array().of(F103),
];

const F105: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F106: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F105),
];

const F107: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F106),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F108: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F109: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F108),
];

const F110: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F109),
];

const F111: &[Field] = &[
    field(Kind::Text, Role::Transaction, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(10), Role::None, 3, 127),
    field(Kind::Fixed(2), Role::None, 6, 127),
];

const F112: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(10), Role::None, 0, 127),
    field(Kind::Fixed(10), Role::None, 6, 127),
];

const F113: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 4),
    field(Kind::Fixed(4), Role::None, 2, 4),
    field(Kind::Fixed(4), Role::None, 0, 4),
];

const F114: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F113),
];

const F115: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 3, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F114),
];

const F116: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 4),
    field(Kind::Fixed(4), Role::Partition, 0, 4),
    field(Kind::Fixed(4), Role::None, 1, 4),
    field(Kind::Fixed(8), Role::None, 0, 4),
];

const F117: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F116),
];

const F118: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 2, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F117),
];

const F119: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127).array(),
];

const F120: &[Field] = &[
    field(Kind::Text, Role::Transaction, 4, 127),
    field(Kind::Fixed(11), Role::None, 4, 127),
    field(Kind::Struct, Role::None, 4, 127).array().of(F119),
];

const F121: &[Field] = &[
    field(Kind::Struct, Role::None, 4, 127).array().of(F120),
    field(Kind::Text, Role::Transaction, 0, 3),
    field(Kind::Fixed(10), Role::None, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F119),
];

const F122: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F123: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F122),
];

const F124: &[Field] = &[
    field(Kind::Text, Role::Transaction, 4, 127),
    field(Kind::Struct, Role::None, 4, 127).array().of(F123),
];

const F125: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 4, 127),
    field(Kind::Struct, Role::None, 4, 127).array().of(F124),
    field(Kind::Struct, Role::None, 0, 3).array().of(F123),
];

const F126: &[Field] = &[
    field(Kind::Text, Role::Transaction, 0, 127),
    field(Kind::Fixed(10), Role::None, 0, 127),
    field(Kind::Text, Role::Group, 0, 127),
];

const F127: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F128: &[Field] = &[
    field(Kind::Text, Role::Transaction, 0, 127),
    field(Kind::Fixed(11), Role::None, 0, 127),
];

const F129: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(10), Role::None, 5, 127),
];

const F130: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 1),
    field(Kind::Fixed(4), Role::Partition, 0, 1).array(),
];

const F131: &[Field] = &[
    field(Kind::Fixed(11), Role::None, 0, 1),
    field(Kind::Struct, Role::None, 0, 1).array().of(F130),
    field(Kind::Fixed(4), Role::None, 0, 1),
];

const F132: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 1).array().of(F131),
];

const F133: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 1),
    field(Kind::Fixed(2), Role::Error, 0, 1),
];

const F134: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 1),
    field(Kind::Struct, Role::None, 0, 1).array().of(F133),
];

const F135: &[Field] = &[
    field(Kind::Fixed(8), Role::None, 0, 1),
    field(Kind::Struct, Role::None, 0, 1).array().of(F134),
];

const F136: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 1).array().of(F135),
];

const F137: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 2, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F138: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F137),
];

const F139: &[Field] = &[
    field(Kind::Text, Role::Transaction, 0, 127),
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Fixed(10), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 3, 127),
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Text, Role::None, 3, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F138),
];

const F140: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F123),
];

const F141: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(1), Role::None, 1, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(2), Role::None, 0, 3),
];

const F142: &[Field] = &[
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(2), Role::None, 0, 3),
];

const F143: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(1), Role::None, 1, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F142),
];

const F144: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 3),
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Text, Role::ErrorMessage, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F143),
];

const F145: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 3).array().of(F141),
];

const F146: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Text, Role::ErrorMessage, 0, 3),
];

const F147: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F146),
];

const F148: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Text, Role::ErrorMessage, 0, 3),
    field(Kind::Fixed(1), Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(1), Role::None, 1, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Fixed(2), Role::None, 0, 3),
];

const F149: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Text, Role::ErrorMessage, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F148),
];

const F150: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F149),
];

const F151: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 4),
    field(Kind::Text, Role::None, 0, 4),
    field(Kind::Text, Role::None, 0, 4).array(),
];

const F152: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 4).array().of(F151),
    field(Kind::Fixed(1), Role::None, 1, 4),
    field(Kind::Fixed(1), Role::None, 3, 4),
];

const F153: &[Field] = &[
    field(Kind::Text, Role::None, 1, 4),
    field(Kind::Text, Role::None, 1, 4),
    field(Kind::Fixed(1), Role::None, 1, 4),
];

const F154: &[Field] = &[
    field(Kind::Text, Role::None, 0, 4),
    field(Kind::Text, Role::None, 0, 4),
    field(Kind::Fixed(1), Role::None, 0, 4),
    field(Kind::Fixed(1), Role::None, 0, 0),
    field(Kind::Fixed(1), Role::None, 1, 4),
    field(Kind::Fixed(1), Role::None, 0, 4),
    field(Kind::Struct, Role::None, 1, 4).array().of(F153),
    field(Kind::Fixed(1), Role::None, 3, 4),
    field(Kind::Text, Role::None, 3, 4),
];

const F155: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 4),
    field(Kind::Text, Role::ErrorMessage, 0, 4),
    field(Kind::Fixed(1), Role::None, 0, 4),
    field(Kind::Text, Role::None, 0, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F154),
];

const F156: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F155),
];

const F157: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F158: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
];

const F159: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F158),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F160: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F161: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F160),
];

const F162: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 2),
    field(Kind::Fixed(4), Role::Partition, 0, 2).array(),
];

const F163: &[Field] = &[
    field(Kind::Text, Role::None, 0, 2),
    field(Kind::Struct, Role::None, 0, 2).array().of(F162),
];

const F164: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 2).array().of(F163),
];

const F165: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 2),
    field(Kind::Fixed(2), Role::Error, 0, 2),
];

const F166: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 2),
    field(Kind::Struct, Role::None, 0, 2).array().of(F165),
];

const F167: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 2),
    field(Kind::Struct, Role::None, 0, 2).array().of(F166),
];

const F168: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 4),
    field(Kind::Fixed(4), Role::Partition, 0, 4).array(),
];

const F169: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 4).array().of(F168),
];

const F170: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 4),
    field(Kind::Fixed(17), Role::None, 0, 4),
];

const F171: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F170),
];

const F172: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 4),
    field(Kind::Text, Role::None, 0, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F171),
    field(Kind::Fixed(16), Role::None, 4, 4),
];

const F173: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 4),
    field(Kind::Fixed(2), Role::Error, 3, 4),
    field(Kind::Struct, Role::None, 0, 4).array().of(F172),
];

const F174: &[Field] = &[
    field(Kind::Bytes, Role::None, 0, 127),
];

const F175: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 1, 127),
];

const F176: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
];

const F177: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F176),
];

const F178: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F177),
    field(Kind::Fixed(5), Role::None, 0, 127),
];

const F179: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F180: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F179),
];

const F181: &[Field] = &[
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
];

const F182: &[Field] = &[
    field(Kind::Text, Role::None, 3, 3),
    field(Kind::Text, Role::None, 3, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F181),
    field(Kind::Fixed(8), Role::None, 0, 3),
];

const F183: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 3, 3),
    field(Kind::Text, Role::None, 3, 3),
    field(Kind::Fixed(24), Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Bytes, Role::None, 0, 3),
    field(Kind::Fixed(4), Role::Throttle, 0, 3),
];

const F184: &[Field] = &[
    field(Kind::Bytes, Role::None, 0, 2),
    field(Kind::Fixed(8), Role::None, 0, 2),
];

const F185: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 2),
    field(Kind::Fixed(8), Role::None, 0, 2),
    field(Kind::Fixed(4), Role::Throttle, 0, 2),
];

const F186: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 3).array().of(F181),
];

const F187: &[Field] = &[
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Text, Role::None, 3, 3),
    field(Kind::Text, Role::None, 3, 3),
    field(Kind::Fixed(24), Role::None, 0, 3),
    field(Kind::Text, Role::None, 0, 3),
    field(Kind::Bytes, Role::None, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F181),
];

const F188: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F187),
    field(Kind::Fixed(4), Role::Throttle, 0, 3),
];

const F189: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127).array(),
];

const F190: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F191: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F190),
];

const F192: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F193: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F194: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F193),
];

const F195: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F194),
];

const F196: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F197: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F196),
];

const F198: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F197),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F199: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
];

const F200: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F199),
];

const F201: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F200),
];

const F202: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F194),
];

const F203: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
];

const F204: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
];

const F205: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F204),
];

const F206: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F205),
];

const F207: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
];

const F208: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F207),
];

const F209: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F208),
];

const F210: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F123),
];

const F211: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F196),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F212: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F213: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
    field(Kind::Struct, Role::None, 0, 127).array().of(F212),
];

const F214: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F213),
];

const F215: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(9), Role::None, 0, 127),
];

const F216: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
    field(Kind::Struct, Role::None, 0, 127).array().of(F215),
];

const F217: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F216),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F218: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
];

const F219: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F218),
];

const F220: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
];

const F221: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F220),
];

const F222: &[Field] = &[
    field(Kind::Fixed(1), Role::Mechanism, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F223: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F222),
];

const F224: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F223),
];

const F225: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::Mechanism, 0, 127),
];

const F226: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::Mechanism, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
];

const F227: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F225),
    field(Kind::Struct, Role::None, 0, 127).array().of(F226),
];

const F228: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F229: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F228),
];

const F230: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Fixed(32), Role::None, 1, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 2, 127),
];

const F231: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F230),
];

const F232: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F231),
];

const F233: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(9), Role::None, 0, 127),
];

const F234: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F233),
];

const F235: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F234),
];

const F236: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(16), Role::None, 1, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F237: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F236),
];

const F238: &[Field] = &[
    field(Kind::Text, Role::None, 1, 127),
    field(Kind::Text, Role::None, 1, 127),
    field(Kind::Fixed(2), Role::None, 1, 127),
];

const F239: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F237),
    field(Kind::Struct, Role::None, 1, 127).array().of(F238),
];

const F240: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F241: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F240),
];

const F242: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F241),
];

const F243: &[Field] = &[
    field(Kind::Fixed(20), Role::None, 1, 127),
];

const F244: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 0).array(),
    field(Kind::Struct, Role::None, 1, 127).array().of(F243),
];

const F245: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F244),
];

const F246: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F245),
    field(Kind::Struct, Role::None, 1, 127).array().of(F238),
];

const F247: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F208),
];

const F248: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Fixed(16), Role::None, 2, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Fixed(16), Role::None, 1, 127),
];

const F249: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 2, 127),
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F248),
    field(Kind::Struct, Role::None, 0, 127).array().of(F248),
];

const F250: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F249),
];

const F251: &[Field] = &[
    field(Kind::Text, Role::None, 2, 127),
    field(Kind::Text, Role::None, 2, 127),
    field(Kind::Fixed(2), Role::None, 2, 127),
];

const F252: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 2, 127),
    field(Kind::Struct, Role::None, 2, 127).array().of(F251),
];

const F253: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 2, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F250),
    field(Kind::Struct, Role::None, 2, 127).array().of(F252),
];

const F254: &[Field] = &[
    field(Kind::Fixed(12), Role::None, 3, 3),
];

const F255: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 3),
    field(Kind::Fixed(4), Role::None, 0, 3),
    field(Kind::Fixed(4), Role::None, 0, 2).array(),
    field(Kind::Struct, Role::None, 3, 3).array().of(F254),
    field(Kind::Fixed(1), Role::None, 1, 3),
    field(Kind::Fixed(4), Role::None, 0, 3),
];

const F256: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 1),
    field(Kind::Fixed(16), Role::TopicId, 2, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F255),
];

const F257: &[Field] = &[
    field(Kind::Fixed(12), Role::None, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F256),
];

const F258: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 3),
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Fixed(8), Role::None, 0, 3),
    field(Kind::Fixed(4), Role::None, 0, 3).array(),
    field(Kind::Fixed(1), Role::None, 1, 3),
    field(Kind::Fixed(4), Role::None, 0, 3),
];

const F259: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 1),
    field(Kind::Fixed(16), Role::TopicId, 2, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F258),
];

const F260: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 3),
    field(Kind::Fixed(2), Role::Error, 0, 3),
    field(Kind::Struct, Role::None, 0, 3).array().of(F259),
];

const F261: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(2), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 0, 0),
    field(Kind::Fixed(1), Role::None, 1, 127),
];

const F262: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F261),
    field(Kind::Fixed(1), Role::None, 1, 127),
];

const F263: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 1).array().of(F228),
];

const F264: &[Field] = &[
    field(Kind::Bytes, Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
];

const F265: &[Field] = &[
    field(Kind::Bytes, Role::None, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
];

const F266: &[Field] = &[
    field(Kind::Fixed(12), Role::None, 0, 127),
];

const F267: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).of(F266),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F268: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F267),
];

const F269: &[Field] = &[
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F268),
];

const F270: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).of(F266),
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Records, Role::None, 0, 127),
];

const F271: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F270),
];

const F272: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F271),
];

const F273: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Fixed(1), Role::None, 2, 127),
];

const F274: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 2, 127),
];

const F275: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F274),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F276: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
];

const F277: &[Field] = &[
    field(Kind::Fixed(36), Role::None, 0, 127),
];

const F278: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F277),
];

const F279: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F278),
];

const F280: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F279),
];

const F281: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F282: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F283: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F281),
    field(Kind::Struct, Role::None, 0, 127).array().of(F282),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
    field(Kind::Fixed(16), Role::None, 2, 127).array(),
    field(Kind::Fixed(8), Role::None, 3, 127),
];

const F284: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F285: &[Field] = &[
    field(Kind::Fixed(22), Role::None, 0, 127),
];

const F286: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(3), Role::None, 0, 127),
];

const F287: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F288: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F289: &[Field] = &[
    field(Kind::Text, Role::Transaction, 0, 127).array(),
];

const F290: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::Transaction, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(22), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
];

const F291: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F290),
];

const F292: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127).array(),
    field(Kind::Fixed(8), Role::None, 0, 127).array(),
    field(Kind::Fixed(8), Role::None, 1, 127),
    field(Kind::Text, Role::None, 2, 127),
];

const F293: &[Field] = &[
    field(Kind::Text, Role::Transaction, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F294: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::None, 0, 127).array(),
    field(Kind::Struct, Role::None, 0, 127).array().of(F293),
];

const F295: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
];

const F296: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127).array(),
];

const F297: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Text, Role::None, 1, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F296),
];

const F298: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F296),
];

const F299: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F298),
];

const F300: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127).array(),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F301: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127).array(),
];

const F302: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F301),
];

const F303: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).of(F302),
    field(Kind::Struct, Role::None, 0, 127).of(F302),
    field(Kind::Fixed(1), Role::None, 1, 127),
];

const F304: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F303),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F305: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F304),
];

const F306: &[Field] = &[
    field(Kind::Fixed(21), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F281),
    field(Kind::Struct, Role::None, 0, 127).array().of(F282),
];

const F307: &[Field] = &[
    field(Kind::Fixed(16), Role::None, 0, 127),
];

const F308: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(20), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 0, 127).array(),
    field(Kind::Fixed(9), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127).array(),
];

const F309: &[Field] = &[
    field(Kind::Fixed(22), Role::None, 0, 127),
    field(Kind::Bytes, Role::None, 0, 127),
];

const F310: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F207),
];

const F311: &[Field] = &[
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F310),
];

const F312: &[Field] = &[
    field(Kind::Fixed(12), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F311),
];

const F313: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F122),
];

const F314: &[Field] = &[
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F313),
];

const F315: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F314),
];

const F316: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 1, 127).array(),
];

const F317: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 1, 127),
];

const F318: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F317),
];

const F319: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
];

const F320: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F319),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F48),
];

const F321: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
    field(Kind::Fixed(4), Role::None, 0, 127).array(),
];

const F322: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F321),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F323: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F322),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F48),
];

const F324: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127).array(),
];

const F325: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Struct, Role::None, 0, 127).of(F302),
];

const F326: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F325),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F327: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F326),
];

const F328: &[Field] = &[
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Fixed(1), Role::None, 0, 127).array(),
];

const F329: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 0),
    field(Kind::Struct, Role::None, 0, 127).array().of(F328),
];

const F330: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F329),
];

const F331: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F330),
    field(Kind::Struct, Role::None, 0, 127).array().of(F296),
];

const F332: &[Field] = &[
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F333: &[Field] = &[
    field(Kind::Fixed(18), Role::None, 0, 127),
];

const F334: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).of(F332),
    field(Kind::Records, Role::Records, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F333),
];

const F335: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F334),
];

const F336: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F337: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Fixed(4), Role::None, 1, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F335),
    field(Kind::Struct, Role::None, 0, 127).array().of(F336),
];

const F338: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F328),
];

const F339: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F338),
];

const F340: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F339),
];

const F341: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).of(F332),
];

const F342: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F341),
];

const F343: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F342),
    field(Kind::Struct, Role::None, 0, 127).array().of(F336),
];

const F344: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(2), Role::None, 0, 127),
];

const F345: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(24), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F344),
];

const F346: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(20), Role::None, 0, 127),
];

const F347: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(24), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F344),
    field(Kind::Struct, Role::None, 0, 127).of(F287),
];

const F348: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
];

const F349: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F348),
];

const F350: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F349),
];

const F351: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F193),
];

const F352: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F351),
];

const F353: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F354: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F353),
];

const F355: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F354),
];

const F356: &[Field] = &[
    field(Kind::Fixed(19), Role::None, 0, 127),
];

const F357: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F356),
];

const F358: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F357),
];

const F359: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F358),
];

const F360: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F356),
];

const F361: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F360),
];

const F362: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F361),
];

const F363: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F310),
];

const F364: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Fixed(16), Role::None, 0, 127),
];

const F365: &[Field] = &[
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F364),
];

const F366: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F365),
];

const F367: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(2), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
];

const F368: &[Field] = &[
    field(Kind::Fixed(2), Role::None, 0, 127).array(),
    field(Kind::Fixed(2), Role::None, 0, 127).array(),
    field(Kind::Fixed(2), Role::None, 0, 127).array(),
];

const F369: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Text, Role::None, 0, 127).array(),
    field(Kind::Struct, Role::None, 0, 127).array().of(F367),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Struct, Role::None, 0, 127).array().of(F367),
    field(Kind::Struct, Role::None, 0, 127).array().of(F368),
];

const F370: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F369),
];

const F371: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127).array(),
];

const F372: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(2), Role::None, 0, 127),
];

const F373: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
];

const F374: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F370),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F372),
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
    field(Kind::Struct, Role::None, 0, 127).array().of(F373),
    field(Kind::Struct, Role::None, 0, 127).array().of(F373),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F375: &[Field] = &[
    field(Kind::Fixed(1), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
];

const F376: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).of(F372),
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
];

const F377: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(16), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F375),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F376),
];

const F378: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Text, Role::Topic, 0, 127).array(),
    field(Kind::Struct, Role::None, 0, 127).array().of(F367),
    field(Kind::Struct, Role::None, 0, 127).array().of(F367),
];

const F379: &[Field] = &[
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F378),
];

const F380: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
    field(Kind::Struct, Role::None, 0, 127).array().of(F371),
];

const F381: &[Field] = &[
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(4), Role::None, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F372),
    field(Kind::Struct, Role::None, 0, 127).array().of(F157),
    field(Kind::Struct, Role::None, 0, 127).array().of(F373),
    field(Kind::Struct, Role::None, 0, 127).array().of(F373),
    field(Kind::Struct, Role::None, 0, 127).of(F380),
    field(Kind::Struct, Role::None, 0, 127).of(F380),
    field(Kind::Fixed(1), Role::None, 0, 127),
];

const F382: &[Field] = &[
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Text, Role::None, 0, 127),
    field(Kind::Fixed(8), Role::None, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).nullable(0).of(F379),
    field(Kind::Struct, Role::None, 0, 127).array().of(F381),
    field(Kind::Fixed(4), Role::None, 0, 127),
];

const F383: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F382),
];

const F384: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F119),
];

const F385: &[Field] = &[
    field(Kind::Struct, Role::None, 0, 127).array().of(F384),
];

const F386: &[Field] = &[
    field(Kind::Fixed(4), Role::Partition, 0, 127),
    field(Kind::Fixed(12), Role::None, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F387: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F386),
];

const F388: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F387),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F389: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F388),
];

const F390: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F106),
];

const F391: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F193),
];

const F392: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F391),
];

const F393: &[Field] = &[
    field(Kind::Text, Role::Group, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F319),
];

const F394: &[Field] = &[
    field(Kind::Text, Role::Topic, 0, 127),
    field(Kind::Fixed(16), Role::TopicId, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
];

const F395: &[Field] = &[
    field(Kind::Fixed(4), Role::Throttle, 0, 127),
    field(Kind::Fixed(2), Role::Error, 0, 127),
    field(Kind::Text, Role::ErrorMessage, 0, 127),
    field(Kind::Struct, Role::None, 0, 127).array().of(F394),
];

pub const APIS: [Api; 93] = [
    Api { key: 0, name: "Produce", since: 0, until: 13, flexible: 9, request: F2, response: F6 },
    Api { key: 1, name: "Fetch", since: 0, until: 18, flexible: 12, request: F10, response: F14 },
    Api { key: 2, name: "ListOffsets", since: 0, until: 10, flexible: 6, request: F17, response: F20 },
    Api { key: 3, name: "Metadata", since: 0, until: 13, flexible: 9, request: F22, response: F26 },
    Api { key: 4, name: "LeaderAndIsr", since: 0, until: 7, flexible: 4, request: F30, response: F33 },
    Api { key: 5, name: "StopReplica", since: 0, until: 4, flexible: 2, request: F38, response: F40 },
    Api { key: 6, name: "UpdateMetadata", since: 0, until: 8, flexible: 6, request: F45, response: F46 },
    Api { key: 7, name: "ControlledShutdown", since: 0, until: 3, flexible: 3, request: F47, response: F49 },
    Api { key: 8, name: "OffsetCommit", since: 0, until: 10, flexible: 8, request: F52, response: F55 },
    Api { key: 9, name: "OffsetFetch", since: 0, until: 10, flexible: 6, request: F59, response: F65 },
    Api { key: 10, name: "FindCoordinator", since: 0, until: 6, flexible: 3, request: F66, response: F68 },
    Api { key: 11, name: "JoinGroup", since: 0, until: 9, flexible: 6, request: F70, response: F72 },
    Api { key: 12, name: "Heartbeat", since: 0, until: 4, flexible: 4, request: F73, response: F74 },
    Api { key: 13, name: "LeaveGroup", since: 0, until: 5, flexible: 4, request: F76, response: F78 },
    Api { key: 14, name: "SyncGroup", since: 0, until: 5, flexible: 4, request: F80, response: F81 },
    Api { key: 15, name: "DescribeGroups", since: 0, until: 6, flexible: 5, request: F82, response: F85 },
    Api { key: 16, name: "ListGroups", since: 0, until: 5, flexible: 3, request: F86, response: F88 },
    Api { key: 17, name: "SaslHandshake", since: 0, until: 1, flexible: 127, request: F89, response: F90 },
    Api { key: 18, name: "ApiVersions", since: 0, until: 4, flexible: 3, request: F91, response: F93 },
    Api { key: 19, name: "CreateTopics", since: 0, until: 7, flexible: 5, request: F97, response: F100 },
    Api { key: 20, name: "DeleteTopics", since: 0, until: 6, flexible: 4, request: F102, response: F104 },
    Api { key: 21, name: "DeleteRecords", since: 0, until: 2, flexible: 2, request: F107, response: F110 },
    Api { key: 22, name: "InitProducerId", since: 0, until: 6, flexible: 2, request: F111, response: F112 },
    Api { key: 23, name: "OffsetForLeaderEpoch", since: 0, until: 4, flexible: 4, request: F115, response: F118 },
    Api { key: 24, name: "AddPartitionsToTxn", since: 0, until: 5, flexible: 3, request: F121, response: F125 },
    Api { key: 25, name: "AddOffsetsToTxn", since: 0, until: 4, flexible: 3, request: F126, response: F127 },
    Api { key: 26, name: "EndTxn", since: 0, until: 5, flexible: 3, request: F128, response: F129 },
    Api { key: 27, name: "WriteTxnMarkers", since: 0, until: 1, flexible: 1, request: F132, response: F136 },
    Api { key: 28, name: "TxnOffsetCommit", since: 0, until: 5, flexible: 3, request: F139, response: F140 },
    Api { key: 29, name: "DescribeAcls", since: 0, until: 3, flexible: 2, request: F141, response: F144 },
    Api { key: 30, name: "CreateAcls", since: 0, until: 3, flexible: 2, request: F145, response: F147 },
    Api { key: 31, name: "DeleteAcls", since: 0, until: 3, flexible: 2, request: F145, response: F150 },
    Api { key: 32, name: "DescribeConfigs", since: 0, until: 4, flexible: 4, request: F152, response: F156 },
    Api { key: 33, name: "AlterConfigs", since: 0, until: 2, flexible: 2, request: F159, response: F161 },
    Api { key: 34, name: "AlterReplicaLogDirs", since: 0, until: 2, flexible: 2, request: F164, response: F167 },
    Api { key: 35, name: "DescribeLogDirs", since: 0, until: 4, flexible: 2, request: F169, response: F173 },
    Api { key: 36, name: "SaslAuthenticate", since: 0, until: 2, flexible: 2, request: F174, response: F175 },
    Api { key: 37, name: "CreatePartitions", since: 0, until: 3, flexible: 2, request: F178, response: F180 },
    Api { key: 38, name: "CreateDelegationToken", since: 0, until: 3, flexible: 2, request: F182, response: F183 },
    Api { key: 39, name: "RenewDelegationToken", since: 0, until: 2, flexible: 2, request: F184, response: F185 },
    Api { key: 40, name: "ExpireDelegationToken", since: 0, until: 2, flexible: 2, request: F184, response: F185 },
    Api { key: 41, name: "DescribeDelegationToken", since: 0, until: 3, flexible: 2, request: F186, response: F188 },
    Api { key: 42, name: "DeleteGroups", since: 0, until: 2, flexible: 2, request: F189, response: F191 },
    Api { key: 43, name: "ElectLeaders", since: 0, until: 2, flexible: 2, request: F192, response: F195 },
    Api { key: 44, name: "IncrementalAlterConfigs", since: 0, until: 1, flexible: 1, request: F198, response: F161 },
    Api { key: 45, name: "AlterPartitionReassignments", since: 0, until: 1, flexible: 0, request: F201, response: F202 },
    Api { key: 46, name: "ListPartitionReassignments", since: 0, until: 0, flexible: 0, request: F203, response: F206 },
    Api { key: 47, name: "OffsetDelete", since: 0, until: 0, flexible: 127, request: F209, response: F210 },
    Api { key: 48, name: "DescribeClientQuotas", since: 0, until: 1, flexible: 1, request: F211, response: F214 },
    Api { key: 49, name: "AlterClientQuotas", since: 0, until: 1, flexible: 1, request: F217, response: F219 },
    Api { key: 50, name: "DescribeUserScramCredentials", since: 0, until: 0, flexible: 0, request: F221, response: F224 },
    Api { key: 51, name: "AlterUserScramCredentials", since: 0, until: 0, flexible: 0, request: F227, response: F229 },
    Api { key: 52, name: "Vote", since: 0, until: 2, flexible: 0, request: F232, response: F235 },
    Api { key: 53, name: "BeginQuorumEpoch", since: 0, until: 1, flexible: 1, request: F239, response: F242 },
    Api { key: 54, name: "EndQuorumEpoch", since: 0, until: 1, flexible: 1, request: F246, response: F242 },
    Api { key: 55, name: "DescribeQuorum", since: 0, until: 2, flexible: 0, request: F247, response: F253 },
    Api { key: 56, name: "AlterPartition", since: 0, until: 3, flexible: 0, request: F257, response: F260 },
    Api { key: 57, name: "UpdateFeatures", since: 0, until: 2, flexible: 0, request: F262, response: F263 },
    Api { key: 58, name: "Envelope", since: 0, until: 0, flexible: 0, request: F264, response: F265 },
    Api { key: 59, name: "FetchSnapshot", since: 0, until: 1, flexible: 0, request: F269, response: F272 },
    Api { key: 60, name: "DescribeCluster", since: 0, until: 2, flexible: 0, request: F273, response: F275 },
    Api { key: 61, name: "DescribeProducers", since: 0, until: 0, flexible: 0, request: F276, response: F280 },
    Api { key: 62, name: "BrokerRegistration", since: 0, until: 4, flexible: 0, request: F283, response: F284 },
    Api { key: 63, name: "BrokerHeartbeat", since: 0, until: 1, flexible: 0, request: F285, response: F286 },
    Api { key: 64, name: "UnregisterBroker", since: 0, until: 0, flexible: 0, request: F287, response: F288 },
    Api { key: 65, name: "DescribeTransactions", since: 0, until: 0, flexible: 0, request: F289, response: F291 },
    Api { key: 66, name: "ListTransactions", since: 0, until: 2, flexible: 0, request: F292, response: F294 },
    Api { key: 67, name: "AllocateProducerIds", since: 0, until: 0, flexible: 0, request: F266, response: F295 },
    Api { key: 68, name: "ConsumerGroupHeartbeat", since: 0, until: 1, flexible: 0, request: F297, response: F299 },
    Api { key: 69, name: "ConsumerGroupDescribe", since: 0, until: 1, flexible: 0, request: F300, response: F305 },
    Api { key: 70, name: "ControllerRegistration", since: 0, until: 0, flexible: 0, request: F306, response: F288 },
    Api { key: 71, name: "GetTelemetrySubscriptions", since: 0, until: 0, flexible: 0, request: F307, response: F308 },
    Api { key: 72, name: "PushTelemetry", since: 0, until: 0, flexible: 0, request: F309, response: F127 },
    Api { key: 73, name: "AssignReplicasToDirs", since: 0, until: 0, flexible: 0, request: F312, response: F315 },
    Api { key: 74, name: "ListConfigResources", since: 0, until: 1, flexible: 0, request: F316, response: F318 },
    Api { key: 75, name: "DescribeTopicPartitions", since: 0, until: 0, flexible: 0, request: F320, response: F323 },
    Api { key: 76, name: "ShareGroupHeartbeat", since: 1, until: 1, flexible: 0, request: F324, response: F299 },
    Api { key: 77, name: "ShareGroupDescribe", since: 1, until: 1, flexible: 0, request: F300, response: F327 },
    Api { key: 78, name: "ShareFetch", since: 1, until: 1, flexible: 0, request: F331, response: F337 },
    Api { key: 79, name: "ShareAcknowledge", since: 1, until: 1, flexible: 0, request: F340, response: F343 },
    Api { key: 80, name: "AddRaftVoter", since: 0, until: 0, flexible: 0, request: F345, response: F288 },
    Api { key: 81, name: "RemoveRaftVoter", since: 0, until: 0, flexible: 0, request: F346, response: F288 },
    Api { key: 82, name: "UpdateRaftVoter", since: 0, until: 0, flexible: 0, request: F347, response: F127 },
    Api { key: 83, name: "InitializeShareGroupState", since: 0, until: 0, flexible: 0, request: F350, response: F352 },
    Api { key: 84, name: "ReadShareGroupState", since: 0, until: 0, flexible: 0, request: F355, response: F359 },
    Api { key: 85, name: "WriteShareGroupState", since: 0, until: 0, flexible: 0, request: F362, response: F352 },
    Api { key: 86, name: "DeleteShareGroupState", since: 0, until: 0, flexible: 0, request: F363, response: F352 },
    Api { key: 87, name: "ReadShareGroupStateSummary", since: 0, until: 0, flexible: 0, request: F355, response: F366 },
    Api { key: 88, name: "StreamsGroupHeartbeat", since: 0, until: 0, flexible: 0, request: F374, response: F377 },
    Api { key: 89, name: "StreamsGroupDescribe", since: 0, until: 0, flexible: 0, request: F300, response: F383 },
    Api { key: 90, name: "DescribeShareGroupOffsets", since: 0, until: 0, flexible: 0, request: F385, response: F389 },
    Api { key: 91, name: "AlterShareGroupOffsets", since: 0, until: 0, flexible: 0, request: F390, response: F392 },
    Api { key: 92, name: "DeleteShareGroupOffsets", since: 0, until: 0, flexible: 0, request: F393, response: F395 },
];
