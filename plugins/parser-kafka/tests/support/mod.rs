//! What the tests share: a small writer of Kafka's messages.
#![allow(dead_code)] // each user needs its own part

use metaflow_parser_sdk::testing::Script;

/// Bytes with the types of Kafka.
#[derive(Clone, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn i8(mut self, value: i8) -> Bytes {
        self.0.push(value as u8);
        self
    }

    pub fn i16(mut self, value: i16) -> Bytes {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn i32(mut self, value: i32) -> Bytes {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn i64(mut self, value: i64) -> Bytes {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn raw(mut self, bytes: &[u8]) -> Bytes {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text with a length of two bytes.
    pub fn text(self, text: &str) -> Bytes {
        self.i16(text.len() as i16).raw(text.as_bytes())
    }

    /// Bytes with a length of four bytes.
    pub fn bytes(self, bytes: &[u8]) -> Bytes {
        self.i32(bytes.len() as i32).raw(bytes)
    }

    /// An unsigned number of 7 bits a byte.
    pub fn uvarint(mut self, mut value: u32) -> Bytes {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    /// A signed one.
    pub fn varint(self, value: i64) -> Bytes {
        self.uvarint((value << 1 ^ value >> 63) as u32)
    }

    /// A compact text.
    pub fn compact(self, text: &str) -> Bytes {
        self.uvarint(text.len() as u32 + 1).raw(text.as_bytes())
    }
}

pub fn bytes() -> Bytes {
    Bytes::default()
}

/// A length in front.
pub fn framed(body: Bytes) -> Vec<u8> {
    bytes().bytes(&body.0).0
}

/// A request with the head of versions that are not flexible.
pub fn request(key: i16, version: i16, correlation: i32, body: Bytes) -> Vec<u8> {
    framed(bytes().i16(key).i16(version).i32(correlation).text("shop").raw(&body.0))
}

/// A request of a flexible version.
pub fn flexible(key: i16, version: i16, correlation: i32, body: Bytes) -> Vec<u8> {
    framed(bytes().i16(key).i16(version).i32(correlation).text("shop").uvarint(0).raw(&body.0))
}

pub fn response(correlation: i32, body: Bytes) -> Vec<u8> {
    framed(bytes().i32(correlation).raw(&body.0))
}

/// A batch of magic 2 with one record for each list of headers.
pub fn batch(flags: i16, records: &[&[(&str, &str)]]) -> Vec<u8> {
    let mut body = bytes();
    for headers in records {
        let mut record =
            bytes().i8(0).varint(0).varint(0).varint(-1).varint(5).raw(b"value").varint(headers.len() as i64);
        for (name, value) in *headers {
            record = record.varint(name.len() as i64).raw(name.as_bytes());
            record = record.varint(value.len() as i64).raw(value.as_bytes());
        }
        body = body.varint(record.0.len() as i64).raw(&record.0);
    }
    packed(flags, records.len() as i32, &body.0)
}

/// A batch around records that may be compressed.
pub fn packed(flags: i16, count: i32, records: &[u8]) -> Vec<u8> {
    let rest = bytes().i32(-1).i8(2).i32(0).i16(flags).i32(count - 1).i64(0).i64(0).i64(-1).i16(-1).i32(-1).i32(count);
    bytes().i64(0).bytes(&rest.raw(records).0).0
}

/// Produce, version 3.
pub fn produce(correlation: i32, acks: i16, topic: &str, partition: i32, records: &[u8]) -> Vec<u8> {
    let body = bytes().i16(-1).i16(acks).i32(1000).i32(1).text(topic).i32(1).i32(partition).bytes(records);
    request(0, 3, correlation, body)
}

pub fn produced(correlation: i32, topic: &str, partition: i32, error: i16) -> Vec<u8> {
    let body = bytes().i32(1).text(topic).i32(1).i32(partition).i16(error).i64(7).i64(-1).i32(0);
    response(correlation, body)
}

/// Heartbeat, version 0.
pub fn heartbeat(correlation: i32) -> Vec<u8> {
    request(12, 0, correlation, bytes().text("billing").i32(1).text("member"))
}

/// ApiVersions, version 0, and its answer.
pub fn versions(correlation: i32) -> Vec<u8> {
    request(18, 0, correlation, bytes())
}

pub fn versions_answer(correlation: i32, error: i16) -> Vec<u8> {
    response(correlation, bytes().i16(error).i32(1).i16(18).i16(0).i16(3))
}

pub fn talk() -> Script {
    Script::new(9092)
}
