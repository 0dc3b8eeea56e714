//! Messages for the tests, written by hand from RFC 1035.
#![allow(dead_code)] // each test file uses a part

/// A message under construction.
pub struct Build(pub Vec<u8>);

impl Build {
    /// A header with these flags and no records.
    pub fn new(id: u16, flags: u16) -> Build {
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(&[0; 8]);
        Build(bytes)
    }

    fn count(&mut self, section: usize) {
        self.0[5 + 2 * section] += 1;
    }

    fn name(&mut self, name: &str) {
        for label in name.split('.').filter(|label| !label.is_empty()) {
            self.0.push(label.len() as u8);
            self.0.extend_from_slice(label.as_bytes());
        }
        self.0.push(0);
    }

    /// Add a question of class IN.
    pub fn question(mut self, name: &str, kind: u16) -> Build {
        self.count(0);
        self.name(name);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&[0, 1]);
        self
    }

    /// Add a record to a section (1 answers, 2 authorities, 3 additionals), its owner a pointer to the first question.
    pub fn record(mut self, section: usize, kind: u16, data: &[u8]) -> Build {
        self.count(section);
        self.0.extend_from_slice(&[0xc0, 12]);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        self.0.extend_from_slice(&(data.len() as u16).to_be_bytes());
        self.0.extend_from_slice(data);
        self
    }

    /// Add an OPT record with this TTL field.
    pub fn edns(mut self, ttl: u32) -> Build {
        self.count(3);
        self.0.extend_from_slice(&[0, 0, 41, 4, 0xd0]);
        self.0.extend_from_slice(&ttl.to_be_bytes());
        self.0.extend_from_slice(&[0, 0]);
        self
    }

    /// The message behind its length, for TCP.
    pub fn framed(&self) -> Vec<u8> {
        [&(self.0.len() as u16).to_be_bytes()[..], &self.0].concat()
    }
}

/// A query with recursion desired.
pub fn query(id: u16, name: &str, kind: u16) -> Build {
    Build::new(id, 0x0100).question(name, kind)
}

/// A recursive answer with a response code.
pub fn answer(id: u16, rcode: u16, name: &str, kind: u16) -> Build {
    Build::new(id, 0x8180 | rcode).question(name, kind)
}
