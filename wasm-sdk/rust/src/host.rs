//! What stands between the symbols and a parser: the arena, the walk over a batch, the result. Safe code for both targets.

use crate::abi_generated as abi;
use crate::check::Checks;
use crate::segment::{self, Batch};
use crate::{Parser, Records};

/// Why a call gave no result; the symbols return the negative of the ABI's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The batch is not one, or a length in it does not fit.
    Malformed,
    /// A buffer could not be had.
    NoMemory,
    /// The parser does not offer this.
    Unsupported,
    /// The parser failed (a panic in a native build).
    Internal,
}

impl Failure {
    /// The value that the symbols return.
    pub const fn code(self) -> i64 {
        -(match self {
            Failure::Malformed => abi::ERROR_MALFORMED,
            Failure::NoMemory => abi::ERROR_NO_MEMORY,
            Failure::Unsupported => abi::ERROR_UNSUPPORTED,
            Failure::Internal => abi::ERROR_INTERNAL,
        } as i64)
    }
}

/// Bit of a `mf_segment` result: a violation is among the records, which should be collected now.
pub const SEGMENT_WITHDRAWN: u64 = 1 << 62;

/// A parser with its buffers: the context of a native build, the instance of a Wasm one.
pub struct Host<P> {
    parser: P,
    input: Vec<u8>,
    output: Vec<u8>,
    records: Records,
    checks: Checks,
    /// Segments taken one by one since the last `collect`.
    taken: u32,
}

impl<P: Parser> Default for Host<P> {
    fn default() -> Host<P> {
        Host::new()
    }
}

impl<P: Parser> Host<P> {
    /// A new parser with empty buffers.
    pub fn new() -> Host<P> {
        Host {
            parser: P::new(),
            input: Vec::new(),
            output: Vec::new(),
            records: Records::default(),
            checks: Checks::default(),
            taken: 0,
        }
    }

    /// The input arena with room for at least `capacity` bytes; it stays where it is until the next call of this.
    pub fn input(&mut self, capacity: usize) -> Option<&mut [u8]> {
        if capacity > self.input.len() {
            self.input.try_reserve_exact(capacity - self.input.len()).ok()?;
            self.input.resize(capacity, 0);
        }
        Some(&mut self.input)
    }

    /// Take `key=value` lines from the arena. The result is empty, or one sentence a line for each option refused.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when the arena is shorter than `len` or does not hold UTF-8.
    pub fn configure(&mut self, len: usize) -> Result<&[u8], Failure> {
        let bytes = self.input.get(..len).ok_or(Failure::Malformed)?;
        let text = std::str::from_utf8(bytes).map_err(|_| Failure::Malformed)?;
        self.output.clear();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let refused = match line.split_once('=') {
                Some((key, value)) => self.parser.configure(key.trim(), value.trim()).err(),
                None => Some(format!("Line {line:?} is not an option: expected key=value.")),
            };
            if let Some(sentence) = refused {
                self.output.extend_from_slice(sentence.replace('\n', " ").as_bytes());
                self.output.push(b'\n');
            }
        }
        Ok(&self.output)
    }

    /// Check the batch in the arena: a `Checks` result.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when the batch is not one.
    pub fn check(&mut self, len: usize) -> Result<&[u8], Failure> {
        let mut batch = self.input.get(..len).and_then(Batch::new).ok_or(Failure::Malformed)?;
        self.checks.clear();
        while let Some((index, segment)) = batch.next() {
            self.checks.set(index, self.parser.check(&segment));
        }
        if batch.malformed {
            return Err(Failure::Malformed);
        }
        // segments of a kind that is not known were not shown to the parser, at the end of the batch too
        self.checks.fill(batch.index);
        self.checks.write(&mut self.output);
        Ok(&self.output)
    }

    /// Parse the batch in the arena: a `Records` result.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when the batch is not one; the segments before the wrong length were taken.
    pub fn parse(&mut self, len: usize) -> Result<&[u8], Failure> {
        let mut batch = self.input.get(..len).and_then(Batch::new).ok_or(Failure::Malformed)?;
        self.records.clear();
        self.taken = 0;
        while let Some((index, segment)) = batch.next() {
            self.records.at_segment(index);
            self.parser.parse(&segment, &mut self.records);
            self.records.announce();
        }
        if batch.malformed {
            return Err(Failure::Malformed);
        }
        self.records.write(&mut self.output);
        Ok(&self.output)
    }

    /// Parse one segment where it lies; its records are kept until [`collect`](Host::collect).
    ///
    /// The result is the number of bytes behind it that the parser passes over, with [`SEGMENT_WITHDRAWN`]
    /// set when a violation is among the records.
    ///
    /// # Errors
    /// [`Failure::Malformed`] when the header is too short.
    pub fn segment(&mut self, header: &[u8], payload: &[u8]) -> Result<u64, Failure> {
        let view = segment::view(header, payload).ok_or(Failure::Malformed)?;
        if self.taken == 0 {
            self.records.clear();
        }
        self.records.at_segment(self.taken);
        self.taken += 1;
        if let Some(segment) = view {
            self.parser.parse(&segment, &mut self.records);
            self.records.end();
        }
        let withdrawn = if self.records.has_withdrawn() { SEGMENT_WITHDRAWN } else { 0 };
        Ok(self.records.passed().min(SEGMENT_WITHDRAWN - 1) | withdrawn)
    }

    /// The records of the segments taken one by one since the last call: a `Records` result.
    pub fn collect(&mut self) -> &[u8] {
        if self.taken == 0 {
            self.records.clear();
        }
        self.taken = 0;
        self.records.write(&mut self.output);
        &self.output
    }

    /// The parser, for tests.
    pub fn parser(&self) -> &P {
        &self.parser
    }
}
