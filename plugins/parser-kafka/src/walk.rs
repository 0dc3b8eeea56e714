//! Walks through a message by its table of fields, as far as its bytes are there.

use crate::facts::{Facts, Span};
use crate::schema::{Field, Kind, Role};

/// Why a walk ended before the message did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The rest of the message is not there.
    Cut,
    /// This is no such message: why, and at which byte.
    Malformed(&'static str, usize),
}

/// A place in a message of which the first bytes are there.
#[derive(Clone, Debug)]
pub(crate) struct Walker<'a> {
    bytes: &'a [u8],
    /// Where the message ends, counted in the same bytes.
    end: usize,
    pub at: usize,
    version: i16,
    is_flexible: bool,
}

const TOO_LONG: &str = "a field is longer than its message";

impl<'a> Walker<'a> {
    pub fn new(bytes: &'a [u8], at: usize, end: usize, version: i16, is_flexible: bool) -> Walker<'a> {
        Walker { bytes: &bytes[..bytes.len().min(end)], end, at, version, is_flexible }
    }

    /// Walk through the fields of the message itself.
    pub fn message(&mut self, fields: &'static [Field], facts: &mut Facts) -> Result<(), Stop> {
        self.fields(fields, facts)?;
        if self.at == self.end {
            Ok(())
        } else {
            Err(Stop::Malformed("bytes behind the last field", self.at))
        }
    }

    fn fields(&mut self, fields: &'static [Field], facts: &mut Facts) -> Result<(), Stop> {
        for field in fields {
            if field.since <= self.version && self.version <= field.until {
                self.field(field, facts)?;
            }
        }
        if self.is_flexible {
            self.tags()?;
        }
        Ok(())
    }

    /// Pass over tagged fields.
    pub fn tags(&mut self) -> Result<(), Stop> {
        let start = self.at;
        let count = self.uvarint()?;
        if count as usize > self.end - self.at {
            return Err(Stop::Malformed("more tagged fields than bytes", start));
        }
        for _ in 0..count {
            self.uvarint()?;
            let size = self.uvarint()? as usize;
            self.take(size)?;
        }
        Ok(())
    }

    #[inline]
    fn field(&mut self, field: &'static Field, facts: &mut Facts) -> Result<(), Stop> {
        if !field.is_array {
            if field.null_since <= self.version && self.take(1)?[0] & 0x80 != 0 {
                return Ok(());
            }
            return self.value(field, facts);
        }
        let start = self.at;
        let count = self.length(4)?.unwrap_or(0);
        if count > self.end - self.at {
            return Err(Stop::Malformed("an array of more elements than bytes", start));
        }
        if let (Kind::Fixed(size), Role::None) = (field.kind, field.role) {
            return self.take(count.saturating_mul(size.into())).map(|_| ());
        }
        for _ in 0..count {
            let before = self.at;
            self.value(field, facts)?;
            if self.at == before {
                return Err(Stop::Malformed("an element without a byte", before));
            }
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, field: &'static Field, facts: &mut Facts) -> Result<(), Stop> {
        match field.kind {
            Kind::Fixed(size) => {
                let bytes = self.take(size.into())?;
                if field.role != Role::None {
                    facts.see_fixed(field.role, bytes);
                }
            }
            Kind::Text => {
                if let Some(length) = self.length(2)? {
                    let span = Span::new(self.at, length);
                    self.take(length)?;
                    if field.role != Role::None {
                        facts.see_text(field.role, span);
                    }
                }
            }
            Kind::Bytes | Kind::Records => {
                if let Some(length) = self.length(4)? {
                    let span = Span::new(self.at, length.min(self.bytes.len().saturating_sub(self.at)));
                    if length <= self.end - self.at && field.role != Role::None {
                        facts.see_bytes(field.role, span);
                    }
                    self.take(length)?;
                }
            }
            Kind::Struct => self.fields(field.fields, facts)?,
        }
        Ok(())
    }

    /// A length: of `size` bytes, or compact. `None`: null.
    #[inline]
    fn length(&mut self, size: usize) -> Result<Option<usize>, Stop> {
        let start = self.at;
        let length = if self.is_flexible {
            i64::from(self.uvarint()?) - 1
        } else if size == 2 {
            i64::from(i16::from_be_bytes(self.array()?))
        } else {
            i64::from(i32::from_be_bytes(self.array()?))
        };
        match length {
            -1 => Ok(None),
            0.. => Ok(Some(length as usize)),
            _ => Err(Stop::Malformed("a negative length", start)),
        }
    }

    /// An unsigned number of 7 bits a byte, the lowest first.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, Stop> {
        let start = self.at;
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if shift < 28 || byte < 0x10 { Ok(value) } else { break_long(start) };
            }
        }
        break_long(start)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        Ok(self.take(N)?.try_into().unwrap_or([0; N]))
    }

    #[inline]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        if count > self.end - self.at {
            return Err(Stop::Malformed(TOO_LONG, self.at));
        }
        let bytes = self.bytes.get(self.at..self.at + count).ok_or(Stop::Cut)?;
        self.at += count;
        Ok(bytes)
    }
}

fn break_long(start: usize) -> Result<u32, Stop> {
    Err(Stop::Malformed("a number of more than 32 bits", start))
}
