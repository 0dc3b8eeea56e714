//! How a parser is called.

use std::fmt;

use crate::abi::ids::SEGMENT_HEADER;
use crate::abi::Batch;

/// What a batch asks of a parser. The numbers are those of the C ABI's `Work`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Op {
    /// `mf_check`: is this your protocol?
    Check = 1,
    /// `mf_parse`.
    Parse = 2,
}

/// Why a parser gave no usable result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It says that the batch is malformed (-1).
    Batch,
    /// It has no memory for the batch (-2, or no input arena).
    NoMemory,
    /// It does not support what it was asked (-3).
    Unsupported,
    /// It failed (-4, or any other negative number).
    Internal,
    /// It trapped, ran out of time or died; in words.
    Trap(String),
    /// Its result cannot be true; in words.
    Lied(String),
}

impl Fault {
    /// The fault for a negative result of the ABI.
    pub fn from_code(code: i64) -> Self {
        match code {
            -1 => Fault::Batch,
            -2 => Fault::NoMemory,
            -3 => Fault::Unsupported,
            _ => Fault::Internal,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Batch => f.write_str("the parser found the batch malformed"),
            Fault::NoMemory => f.write_str("the parser has no memory for the batch"),
            Fault::Unsupported => f.write_str("the parser does not support the batch"),
            Fault::Internal => f.write_str("the parser failed"),
            Fault::Trap(words) | Fault::Lied(words) => f.write_str(words),
        }
    }
}

/// What a parser said of a segment that it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// So many bytes behind it, in its direction, will be passed over unseen.
    pub passes: u64,
    /// A violation is among the records: they should be collected now.
    pub withdrew: bool,
}

/// A parser that the engine itself calls: a native library, or code in this process.
///
/// The engine writes a batch into the slice from `input`, then calls `check` or `parse` with the batch's length. The
/// returned bytes (`Checks` or `Records`) are read before the next call.
pub trait ParserRuntime {
    /// The input arena with room for at least `cap` bytes, `None` when there is no memory.
    fn input(&mut self, cap: usize) -> Option<&mut [u8]>;

    /// Looks at the first bytes of flows.
    ///
    /// # Errors
    /// When the parser failed; the batch is lost.
    fn check(&mut self, len: usize) -> Result<&[u8], Fault>;

    /// Parses the segments.
    ///
    /// # Errors
    /// When the parser failed; the batch's messages are lost.
    fn parse(&mut self, len: usize) -> Result<&[u8], Fault>;

    /// Whether segments can be shown one by one, where they lie: [`ParserRuntime::segment`] and
    /// [`ParserRuntime::collect`] instead of batches for [`ParserRuntime::parse`].
    fn takes_segments(&self) -> bool {
        false
    }

    /// Takes one segment. Records count segments from the last `collect` on.
    ///
    /// # Errors
    /// When the parser failed; the messages since the last `collect` are lost.
    fn segment(&mut self, _header: &[u8; SEGMENT_HEADER], _payload: &[u8]) -> Result<Seen, Fault> {
        Err(Fault::Unsupported)
    }

    /// The `Records` of the segments taken one by one since it was last called.
    ///
    /// # Errors
    /// When the parser failed; the messages are lost.
    fn collect(&mut self) -> Result<&[u8], Fault> {
        Err(Fault::Unsupported)
    }

    /// Replaces the instance by a new one after a fault; all its sessions are forgotten.
    ///
    /// # Errors
    /// When no new instance can be made; the parser is then in quarantine, and is restarted again after it.
    fn restart(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Who runs a parser.
pub enum Runtime {
    /// The engine, inline.
    Native(Box<dyn ParserRuntime>),
    /// The host: it pulls work and completes it.
    External,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Runtime::Native(_) => "Native",
            Runtime::External => "External",
        })
    }
}

/// A batch that the host shall have processed by an external parser.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// Index of the parser, as `add_parser` gave it.
    pub parser: u16,
    /// Check or parse.
    pub op: Op,
    /// The batch. It stays in place until `complete`.
    pub bytes: &'a [u8],
}

/// Runs one batch.
///
/// # Errors
/// The parser's fault.
pub fn run<'a>(runtime: &'a mut dyn ParserRuntime, op: Op, batch: &Batch) -> Result<&'a [u8], Fault> {
    if op == Op::Parse && runtime.takes_segments() {
        for (header, payload) in batch.unseen() {
            runtime.segment(&header, payload)?;
        }
        return runtime.collect();
    }
    let batch = batch.bytes();
    let arena = runtime.input(batch.len()).ok_or(Fault::NoMemory)?;
    arena.get_mut(..batch.len()).ok_or(Fault::NoMemory)?.copy_from_slice(batch);
    match op {
        Op::Check => runtime.check(batch.len()),
        Op::Parse => runtime.parse(batch.len()),
    }
}
