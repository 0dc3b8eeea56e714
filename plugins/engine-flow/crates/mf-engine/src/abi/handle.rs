//! What a handle points at, and the structures of the ABI.

use std::cell::RefCell;

use crate::engine::Engine;

/// An engine with what it last answered.
pub struct Handle {
    pub(super) engine: Engine,
    /// bytes of the last answer; valid until the next call
    pub(super) answer: Vec<u8>,
    pub(super) error: String,
    /// the engine panicked and is not to be used any more
    pub(super) broken: bool,
}

impl Handle {
    pub(super) fn new(engine: Engine) -> Self {
        Handle { engine, answer: Vec::new(), error: String::new(), broken: false }
    }
}

/// Bytes of the engine, valid until the next call with the same handle.
#[repr(C)]
#[derive(Debug)]
pub struct Raw {
    /// first byte
    pub ptr: *const u8,
    /// number of bytes
    pub len: usize,
}

/// A batch for a parser that the host runs.
#[repr(C)]
#[derive(Debug)]
pub struct WorkItem {
    /// the parser's index
    pub parser: u32,
    /// 1 check, 2 parse
    pub op: u32,
    /// the batch; it stays until `mfe_complete`
    pub ptr: *const u8,
    /// its length
    pub len: u32,
}

thread_local! {
    /// Why the thread's last `mfe_new` failed: there is no handle to keep it in.
    static NEW_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the reason why no engine was made.
pub(super) fn set_new_error(sentence: &str) {
    NEW_ERROR.with(|error| *error.borrow_mut() = sentence.to_string());
}

/// Shows the kept reason; it stays in place until the thread's next `mfe_new`.
pub(super) fn new_error() -> Raw {
    NEW_ERROR.with(|error| {
        let error = error.borrow();
        Raw { ptr: error.as_ptr(), len: error.len() }
    })
}
