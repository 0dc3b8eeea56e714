//! Room for the host to write into. Native hosts hand in pointers to their own memory and need none of this.

use std::alloc::{alloc, dealloc, Layout};

/// Room for `len` bytes, aligned to 16; null when there is none. It stays until [`mfe_dealloc`].
#[no_mangle]
pub extern "C" fn mfe_alloc(len: u32) -> *mut u8 {
    match Layout::from_size_align(len.max(1) as usize, 16) {
        // SAFETY: the layout's size is not zero.
        Ok(layout) => unsafe { alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// Gives room back.
///
/// # Safety
/// `ptr` must come from [`mfe_alloc`] with the same `len`, and must not be used any more.
#[no_mangle]
pub unsafe extern "C" fn mfe_dealloc(ptr: *mut u8, len: u32) {
    if let (false, Ok(layout)) = (ptr.is_null(), Layout::from_size_align(len.max(1) as usize, 16)) {
        // SAFETY: the caller promises that it was allocated with this layout.
        unsafe { dealloc(ptr, layout) }
    }
}
