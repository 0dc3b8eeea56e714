//! The header of a message (RFC 1035, 4.1.1) and what makes it one.

use crate::types;
use crate::variant::Variant;
use crate::wire::{fault, u16_at, Fault};

/// Bytes of a header.
pub(crate) const SIZE: usize = 12;

/// Twelve bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub id: u16,
    flags: u16,
    pub questions: u16,
    pub answers: u16,
    pub authorities: u16,
    pub additionals: u16,
}

impl Header {
    pub fn read(message: &[u8]) -> Result<Header, Fault> {
        Ok(Header {
            id: u16_at(message, 0)?,
            flags: u16_at(message, 2)?,
            questions: u16_at(message, 4)?,
            answers: u16_at(message, 6)?,
            authorities: u16_at(message, 8)?,
            additionals: u16_at(message, 10)?,
        })
    }

    pub const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub const fn opcode(&self) -> u8 {
        (self.flags >> 11 & 0xf) as u8
    }

    pub const fn rcode(&self) -> u16 {
        self.flags & 0xf
    }

    /// The last bit of the flags of NetBIOS (RFC 1002, 4.2.1.1), which DNS has for `cd`.
    pub const fn is_broadcast(&self) -> bool {
        self.flags & 0x0010 != 0
    }

    /// Flag bits that are set, as `dig` writes them, separated by spaces.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(u16, &str); 6] =
            [(0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0020, "ad"), (0x0010, "cd")];
        let flags = self.flags;
        NAMES.into_iter().filter(move |(bit, _)| flags & bit != 0).map(|(_, name)| name)
    }

    /// Refuse what no DNS software sends; the fault is what inference tells.
    pub fn check(&self, length: usize, variant: Variant) -> Result<(), Fault> {
        let opcode = variant.opcode(self.opcode()).unwrap_or_else(|| types::opcode(self.opcode()));
        if opcode.is_empty() {
            return fault("an opcode that is not assigned", 2);
        }
        if self.flags & 0x0040 != 0 {
            return fault("the reserved header bit is set", 3);
        }
        if !self.is_response() && self.rcode() != 0 {
            return fault("a query with a response code", 3);
        }
        let records = u32::from(self.answers) + u32::from(self.authorities) + u32::from(self.additionals);
        if self.questions == 0 && (!self.is_response() || (records == 0 && self.rcode() == 0)) && self.opcode() != 6 {
            return fault("no question", 4);
        }
        if self.questions > 32 {
            return fault("more than 32 questions", 4);
        }
        // A question takes 5 bytes at least, a record 11.
        let least = SIZE as u64 + 5 * u64::from(self.questions) + 11 * u64::from(records);
        if least > length as u64 {
            return fault("more records than the message has room for", 6);
        }
        Ok(())
    }
}
