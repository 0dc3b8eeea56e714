//! The border: pointers become references, panics become errors.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::handle::Handle;

/// Bytes that the caller lends for the length of the call.
///
/// # Safety
/// `ptr` must be valid for reading `len` bytes, or `len` must be 0.
pub(super) unsafe fn bytes<'a>(ptr: *const u8, len: u32) -> &'a [u8] {
    if ptr.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: the caller promises that the bytes can be read.
    unsafe { std::slice::from_raw_parts(ptr, len as usize) }
}

/// Runs a call on a handle. An error, a panic or a null handle gives `failed`; the sentence is kept in the handle.
///
/// # Safety
/// `handle` must come from `mfe_new`, must not have been freed, and must not be in use by another thread.
pub(super) unsafe fn call<T>(handle: *mut Handle, failed: T, work: impl FnOnce(&mut Handle) -> Result<T, String>) -> T {
    // SAFETY: as promised by the caller.
    let Some(handle) = (unsafe { handle.as_mut() }) else { return failed };
    if handle.broken {
        return failed;
    }
    match catch_unwind(AssertUnwindSafe(|| work(handle))) {
        Ok(Ok(value)) => value,
        Ok(Err(sentence)) => {
            handle.error = sentence;
            failed
        }
        Err(panic) => {
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            handle.error = format!(
                "the engine met a mistake in itself and stopped; please report it: {}",
                text.unwrap_or("no text")
            );
            handle.broken = true;
            failed
        }
    }
}
