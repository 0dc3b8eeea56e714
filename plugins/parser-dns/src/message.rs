//! One message: read into a scratch that is reused, then written as one record.

use crate::header::{self, Header};
use crate::variant::Variant;
use crate::wire::{fault, u16_at, u32_at, Fault};
use crate::{name, rdata, types};

const OPT: u16 = 41;
const SOA: u16 = 6;
/// IXFR and AXFR: their answer may take many messages.
const TRANSFERS: [u16; 2] = [251, 252];
/// Bytes of answers as text that are kept; the ABI cuts a cell at 65,535.
const LONGEST_RESULT: usize = 8 << 10;

/// What a message says. Clear it by reading the next one.
#[derive(Default)]
pub(crate) struct Message {
    /// Whose message it is, as far as ports tell; set before reading.
    pub variant: Variant,
    /// NetBIOS: asked of everybody.
    pub is_broadcast: bool,
    pub id: u16,
    pub is_response: bool,
    pub opcode: u8,
    /// With the high bits of EDNS.
    pub rcode: u16,
    /// Set flags as `dig` writes them, `do` included.
    pub flags: String,
    /// First question.
    pub domain: String,
    /// All questions, joined by `;`.
    pub resource: String,
    /// Types of the questions, joined by `;` where they differ.
    pub kinds: String,
    /// Answers, joined by `;`.
    pub result: String,
    /// The question asks for a zone transfer.
    pub is_transfer: bool,
    /// Answers, and whether the first and the last of them are SOA records.
    pub answers: u16,
    pub starts_with_soa: bool,
    pub ends_with_soa: bool,
    /// What is wrong behind the questions; what stands before it is good.
    pub damage: Option<Fault>,
}

/// A resource record without its owner name.
struct Record {
    kind: u16,
    ttl: u32,
    start: usize,
    end: usize,
}

impl Message {
    /// Read a message, `is_cut`: of which the capture kept the beginning. A fault behind the questions is kept in `damage`: the rest is still worth a row.
    ///
    /// # Errors
    /// A fault in the header or the questions: this is not a message.
    pub fn read(&mut self, message: &[u8], is_cut: bool) -> Result<(), Fault> {
        let header = Header::read(message)?;
        header.check(if is_cut { usize::MAX } else { message.len() }, self.variant)?;
        self.is_broadcast = self.variant == Variant::Nbns && header.is_broadcast();
        self.id = header.id;
        self.is_response = header.is_response();
        self.opcode = header.opcode();
        self.rcode = header.rcode();
        self.flags.clear();
        for name in header.flag_names() {
            push_joined(&mut self.flags, " ", name);
        }
        self.result.clear();
        self.answers = header.answers;
        self.starts_with_soa = false;
        self.ends_with_soa = false;
        let at = self.read_questions(message, &header)?;
        self.damage = self.read_records(message, at, &header).err();
        Ok(())
    }

    fn read_questions(&mut self, message: &[u8], header: &Header) -> Result<usize, Fault> {
        self.domain.clear();
        self.resource.clear();
        self.kinds.clear();
        self.is_transfer = false;
        let mut at = header::SIZE;
        for index in 0..header.questions {
            if index > 0 {
                self.resource.push(';');
            }
            let start = self.resource.len();
            at = name::read(message, at, &mut self.resource)?;
            let kind = u16_at(message, at)?;
            check_class(u16_at(message, at + 2)?, at + 2)?;
            at += 4;
            self.is_transfer |= TRANSFERS.contains(&kind);
            self.variant.readable(&mut self.resource, start);
            let kind = self.variant.type_name(kind).map_or_else(|| types::name(kind), Into::into);
            if index == 0 {
                // Names differ by case only where a resolver mixes it against spoofing.
                self.domain.push_str(&self.resource[start..]);
                self.domain.make_ascii_lowercase();
                self.kinds.push_str(&kind);
            } else if !self.kinds.split(';').any(|known| known == kind) {
                push_joined(&mut self.kinds, ";", &kind);
            }
        }
        Ok(at)
    }

    fn read_records(&mut self, message: &[u8], mut at: usize, header: &Header) -> Result<(), Fault> {
        for index in 0..header.answers {
            if header.questions == 0 && index == 0 && self.resource.is_empty() {
                // A message of answers only (mDNS): the first owner is what it is about.
                name::read(message, at, &mut self.resource)?;
                self.variant.readable(&mut self.resource, 0);
                self.domain.push_str(&self.resource);
                self.domain.make_ascii_lowercase();
            }
            let record = read_record(message, at)?;
            if header.questions == 0 && index == 0 {
                let own = self.variant.type_name(record.kind);
                self.kinds.push_str(&own.map_or_else(|| types::name(record.kind), Into::into));
            }
            self.starts_with_soa |= index == 0 && record.kind == SOA;
            self.ends_with_soa = record.kind == SOA;
            if self.is_response && self.result.len() < LONGEST_RESULT {
                if !self.result.is_empty() {
                    self.result.push(';');
                }
                let data = message.get(record.start..record.end).unwrap_or_default();
                if !self.variant.write_data(record.kind, data, &mut self.result)? {
                    rdata::write(message, record.kind, record.start, record.end, &mut self.result)?;
                }
            }
            at = record.end;
        }
        for _ in 0..u32::from(header.authorities) + u32::from(header.additionals) {
            let record = read_record(message, at)?;
            if record.kind == OPT {
                // RFC 6891, 6.1.3: the TTL holds the high bits of the response code, the version and DO.
                self.rcode |= (record.ttl >> 24 << 4) as u16;
                if record.ttl & 0x8000 != 0 {
                    push_joined(&mut self.flags, " ", "do");
                }
            }
            at = record.end;
        }
        if at < message.len() {
            return fault("bytes behind the last record", at);
        }
        Ok(())
    }
}

/// Bytes of the message that begins here, told by its records alone; `None`: they go on behind what there is.
///
/// # Errors
/// This is not a message.
pub(crate) fn extent(message: &[u8]) -> Result<Option<usize>, Fault> {
    if message.len() < header::SIZE {
        return Ok(None);
    }
    let header = Header::read(message)?;
    header.check(u16::MAX.into(), Variant::Dns)?;
    match walk(message, &header) {
        Ok(end) => Ok((end <= message.len()).then_some(end)),
        Err(fault) if fault.offset >= message.len() => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn walk(message: &[u8], header: &Header) -> Result<usize, Fault> {
    let mut at = header::SIZE;
    for _ in 0..header.questions {
        at = name::skip(message, at)?;
        check_class(u16_at(message, at + 2)?, at + 2)?;
        at += 4;
    }
    for _ in 0..u32::from(header.answers) + u32::from(header.authorities) + u32::from(header.additionals) {
        at = name::skip(message, at)?;
        let kind = u16_at(message, at)?;
        if kind != OPT {
            check_class(u16_at(message, at + 2)?, at + 2)?;
        }
        at += 10 + usize::from(u16_at(message, at + 8)?);
    }
    Ok(at)
}

/// IN, CH, HS, NONE and ANY; mDNS uses the highest bit for itself (RFC 6762, 5.4 and 10.2).
pub(crate) fn check_class(class: u16, at: usize) -> Result<(), Fault> {
    match class & 0x7fff {
        1 | 3 | 4 | 254 | 255 => Ok(()),
        _ => fault("a class that is not assigned", at),
    }
}

fn read_record(message: &[u8], at: usize) -> Result<Record, Fault> {
    let at = name::skip(message, at)?;
    let kind = u16_at(message, at)?;
    let ttl = u32_at(message, at + 4)?;
    if kind != OPT {
        check_class(u16_at(message, at + 2)?, at + 2)?;
    }
    let start = at + 10;
    let end = start + usize::from(u16_at(message, at + 8)?);
    if end > message.len() {
        return fault("a record longer than the message", at + 8);
    }
    Ok(Record { kind, ttl, start, end })
}

fn push_joined(text: &mut String, separator: &str, item: &str) {
    if !text.is_empty() {
        text.push_str(separator);
    }
    text.push_str(item);
}
