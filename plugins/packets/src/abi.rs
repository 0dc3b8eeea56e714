//! The C ABI, called by ctypes. The only place of the crate with `unsafe`.
//!
//! Safety of all functions: a handle comes from its `_new`, is used by one thread at a time and not after its `_free`; a pointer with a
//! length can be read for that length (or the length is 0); an `out` pointer can be written. Nothing unwinds into the caller: a panic
//! gives the value for "failed".
#![allow(unsafe_code)]
#![allow(clippy::missing_safety_doc)] // stated once above

use std::panic::{catch_unwind, AssertUnwindSafe};

use mf_packet::Addr;

use crate::{Finder, Keeper, Wanted};

/// Bytes of a handle, valid until its next call.
#[repr(C)]
pub struct Raw {
    ptr: *const u8,
    len: usize,
}

/// A flow as the caller says it: addresses as 16 bytes (IPv4 mapped into IPv6).
#[repr(C)]
pub struct RawFlow {
    one: [u8; 16],
    other: [u8; 16],
    one_port: u16,
    other_port: u16,
    protocol: u32,
    from_ns: u64,
    to_ns: u64,
}

/// Version of this ABI.
#[no_mangle]
pub extern "C" fn mfk_abi_version() -> u32 {
    1
}

/// A keeper of so many bytes of payload a packet.
#[no_mangle]
pub extern "C" fn mfk_new(payload_bytes: u32) -> *mut Keeper {
    Box::into_raw(Box::new(Keeper::new(payload_bytes)))
}

/// Frees a keeper. Null does nothing.
#[no_mangle]
pub unsafe extern "C" fn mfk_free(keeper: *mut Keeper) {
    if !keeper.is_null() {
        // SAFETY: stated for the module.
        drop(unsafe { Box::from_raw(keeper) });
    }
}

/// Takes a block; gives the number of its frames, -1 when it cannot be read.
#[no_mangle]
pub unsafe extern "C" fn mfk_push(
    keeper: *mut Keeper,
    source: u32,
    format: u32,
    flags: u32,
    link_type: u32,
    block: *const u8,
    len: u32,
) -> i64 {
    // SAFETY: stated for the module.
    let (keeper, block) = unsafe { (keeper.as_mut(), bytes(block, len as usize)) };
    let Some(keeper) = keeper else { return -1 };
    let pushed = catch_unwind(AssertUnwindSafe(|| keeper.push(source, format, flags, link_type, block)));
    pushed.ok().flatten().map_or(-1, |frames| frames as i64)
}

/// Bytes that wait for the next chunk.
#[no_mangle]
pub unsafe extern "C" fn mfk_waiting(keeper: *const Keeper) -> u64 {
    // SAFETY: stated for the module.
    unsafe { keeper.as_ref() }.map_or(0, |keeper| keeper.waiting() as u64)
}

/// The chunk of what waits; empty when nothing does.
#[no_mangle]
pub unsafe extern "C" fn mfk_take(keeper: *mut Keeper, out: *mut Raw) {
    // SAFETY: stated for the module.
    unsafe {
        let taken = keeper.as_mut().and_then(|keeper| {
            catch_unwind(AssertUnwindSafe(|| {
                keeper.take();
            }))
            .ok()?;
            Some(keeper.chunk())
        });
        answer(out, taken);
    }
}

/// A finder of one flow, whose file has at most about so many bytes. Null for a null flow.
#[no_mangle]
pub unsafe extern "C" fn mfk_finder_new(flow: *const RawFlow, most_bytes: u64) -> *mut Finder {
    // SAFETY: stated for the module.
    let Some(flow) = (unsafe { flow.as_ref() }) else { return std::ptr::null_mut() };
    let wanted = Wanted {
        one: (Addr::v6(&flow.one), flow.one_port),
        other: (Addr::v6(&flow.other), flow.other_port),
        protocol: flow.protocol as u8,
        from_ns: flow.from_ns,
        to_ns: flow.to_ns,
    };
    Box::into_raw(Box::new(Finder::new(wanted, usize::try_from(most_bytes).unwrap_or(usize::MAX))))
}

/// Frees a finder. Null does nothing.
#[no_mangle]
pub unsafe extern "C" fn mfk_finder_free(finder: *mut Finder) {
    if !finder.is_null() {
        // SAFETY: stated for the module.
        drop(unsafe { Box::from_raw(finder) });
    }
}

/// Looks through chunks; gives where the whole ones end, -1 on a failure.
#[no_mangle]
pub unsafe extern "C" fn mfk_finder_add(finder: *mut Finder, chunks: *const u8, len: u64, found: *mut u64) -> i64 {
    // SAFETY: stated for the module.
    let (finder, chunks) = unsafe { (finder.as_mut(), bytes(chunks, len as usize)) };
    let Some(finder) = finder else { return -1 };
    let Ok((packets, end)) = catch_unwind(AssertUnwindSafe(|| finder.add(chunks))) else { return -1 };
    // SAFETY: stated for the module.
    unsafe { found.write(packets) };
    end as i64
}

/// The capture file so far; gives the packets that are not in it.
#[no_mangle]
pub unsafe extern "C" fn mfk_finder_file(finder: *mut Finder, out: *mut Raw) -> u64 {
    // SAFETY: stated for the module.
    unsafe {
        let left_out = finder.as_ref().map_or(0, Finder::left_out);
        answer(out, finder.as_mut().map(Finder::file));
        left_out
    }
}

unsafe fn bytes<'a>(ptr: *const u8, len: usize) -> &'a [u8] {
    if ptr.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: the caller promises that the bytes can be read.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}

unsafe fn answer(out: *mut Raw, found: Option<&[u8]>) {
    let found = found.unwrap_or(&[]);
    // SAFETY: stated for the module.
    unsafe { out.write(Raw { ptr: found.as_ptr(), len: found.len() }) }
}
