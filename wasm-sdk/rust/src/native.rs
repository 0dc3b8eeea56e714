//! The symbols of a native build: a context pointer in front, panics caught and turned into `-4` (`v1.md`, 3).
#![allow(unsafe_code)] // a C ABI is pointers; every other module of the SDK is safe code

use crate::host::{Failure, Host};
use crate::Parser;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The function table that an engine calls a native parser through.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Vtable {
    /// Major version of the ABI.
    pub abi: u32,
    /// Size of this structure in bytes.
    pub size: u32,
    /// `mf_create`
    pub create: unsafe extern "C" fn() -> *mut c_void,
    /// `mf_destroy`
    pub destroy: unsafe extern "C" fn(*mut c_void),
    /// `mf_input`
    pub input: unsafe extern "C" fn(*mut c_void, u32) -> *mut u8,
    /// `mf_configure`
    pub configure: unsafe extern "C" fn(*mut c_void, u32, *mut *const u8) -> i64,
    /// `mf_check`
    pub check: unsafe extern "C" fn(*mut c_void, u32, *mut *const u8) -> i64,
    /// `mf_parse`
    pub parse: unsafe extern "C" fn(*mut c_void, u32, *mut *const u8) -> i64,
    /// `mf_segment`, since 1.1; hosts that know a shorter table do not see it
    pub segment: unsafe extern "C" fn(*mut c_void, *const u8, *const u8, u32) -> i64,
    /// `mf_collect`, since 1.1
    pub collect: unsafe extern "C" fn(*mut c_void, *mut *const u8) -> i64,
}

/// The function table of a parser that is linked in, for tests and for engines built in one piece with their parsers.
pub const fn vtable<P: Parser>() -> Vtable {
    Vtable {
        abi: crate::abi_generated::VERSION,
        size: std::mem::size_of::<Vtable>() as u32,
        create: create::<P>,
        destroy: destroy::<P>,
        input: input::<P>,
        configure: configure::<P>,
        check: check::<P>,
        parse: parse::<P>,
        segment: segment::<P>,
        collect: collect::<P>,
    }
}

/// `mf_create`: a context, or null when the parser could not be made.
///
/// # Safety
/// None: any thread may call it.
pub unsafe extern "C" fn create<P: Parser>() -> *mut c_void {
    catch_unwind(|| Box::into_raw(Box::new(Host::<P>::new())).cast()).unwrap_or(std::ptr::null_mut())
}

/// `mf_destroy`.
///
/// # Safety
/// `context` is null or came from `create` of the same parser and is not used again.
pub unsafe extern "C" fn destroy<P: Parser>(context: *mut c_void) {
    if !context.is_null() {
        // SAFETY: the caller gives back what `create` made.
        let host = unsafe { Box::from_raw(context.cast::<Host<P>>()) };
        // A destructor that panics must not unwind into C; there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(host)));
    }
}

/// `mf_input`: the arena, or null when it cannot be had.
///
/// # Safety
/// `context` came from `create` of the same parser and is used by this thread only.
pub unsafe extern "C" fn input<P: Parser>(context: *mut c_void, capacity: u32) -> *mut u8 {
    // SAFETY: as promised by the caller.
    let host = unsafe { context.cast::<Host<P>>().as_mut() };
    host.and_then(|host| host.input(capacity as usize)).map_or(std::ptr::null_mut(), <[u8]>::as_mut_ptr)
}

/// Run a call on the context, catch a panic, hand the result out.
///
/// # Safety
/// `context` as for `input`; `out` is null or points to a pointer that may be written.
unsafe fn call<P: Parser>(
    context: *mut c_void,
    out: *mut *const u8,
    run: impl FnOnce(&mut Host<P>) -> Result<&[u8], Failure>,
) -> i64 {
    // SAFETY: as promised by the caller.
    let (host, out) = unsafe { (context.cast::<Host<P>>().as_mut(), out.as_mut()) };
    let (Some(host), Some(out)) = (host, out) else {
        return Failure::Malformed.code();
    };
    // The host drops a parser that failed, so state left half-changed by a panic is not used again.
    match catch_unwind(AssertUnwindSafe(|| run(host))) {
        Ok(Ok(result)) => {
            *out = result.as_ptr();
            result.len() as i64
        }
        Ok(Err(failure)) => failure.code(),
        Err(_) => Failure::Internal.code(),
    }
}

/// `mf_configure`.
///
/// # Safety
/// As for [`input`]; `out` points to a pointer that may be written.
pub unsafe extern "C" fn configure<P: Parser>(context: *mut c_void, len: u32, out: *mut *const u8) -> i64 {
    // SAFETY: as promised by the caller.
    unsafe { call::<P>(context, out, |host| host.configure(len as usize)) }
}

/// `mf_check`.
///
/// # Safety
/// As for [`configure`].
pub unsafe extern "C" fn check<P: Parser>(context: *mut c_void, len: u32, out: *mut *const u8) -> i64 {
    // SAFETY: as promised by the caller.
    unsafe { call::<P>(context, out, |host| host.check(len as usize)) }
}

/// `mf_parse`.
///
/// # Safety
/// As for [`configure`].
pub unsafe extern "C" fn parse<P: Parser>(context: *mut c_void, len: u32, out: *mut *const u8) -> i64 {
    // SAFETY: as promised by the caller.
    unsafe { call::<P>(context, out, |host| host.parse(len as usize)) }
}

/// `mf_segment`: one segment where it lies, without a batch.
///
/// # Safety
/// `context` as for [`input`]; `header` points to a segment's header, `payload` to `len` bytes (null when `len` is 0).
pub unsafe extern "C" fn segment<P: Parser>(
    context: *mut c_void,
    header: *const u8,
    payload: *const u8,
    len: u32,
) -> i64 {
    // SAFETY: as promised by the caller.
    let host = unsafe { context.cast::<Host<P>>().as_mut() };
    let Some(host) = host.filter(|_| !header.is_null()) else {
        return Failure::Malformed.code();
    };
    // SAFETY: as promised by the caller.
    let header = unsafe { std::slice::from_raw_parts(header, crate::abi_generated::SEGMENT_SIZE as usize) };
    let payload = match len {
        0 => &[],
        _ if payload.is_null() => return Failure::Malformed.code(),
        // SAFETY: as promised by the caller.
        _ => unsafe { std::slice::from_raw_parts(payload, len as usize) },
    };
    match catch_unwind(AssertUnwindSafe(|| host.segment(header, payload))) {
        Ok(Ok(result)) => result as i64,
        Ok(Err(failure)) => failure.code(),
        Err(_) => Failure::Internal.code(),
    }
}

/// `mf_collect`: the records of the segments since the last call.
///
/// # Safety
/// As for [`configure`].
pub unsafe extern "C" fn collect<P: Parser>(context: *mut c_void, out: *mut *const u8) -> i64 {
    // SAFETY: as promised by the caller.
    unsafe { call::<P>(context, out, |host| Ok(host.collect())) }
}

/// The native half of [`export_parser!`](crate::export_parser).
#[macro_export]
#[doc(hidden)]
macro_rules! export_native {
    ($parser:ty) => {
        #[allow(unsafe_code)] // unmangled names and pointers are what a C ABI is
        #[allow(missing_docs, clippy::missing_safety_doc)] // documented in metaflow_parser_sdk::native
        mod metaflow_exports {
            use super::*;
            use std::ffi::c_void;
            use $crate::native;

            #[no_mangle]
            pub extern "C" fn mf_abi_v1() {}
            #[no_mangle]
            pub unsafe extern "C" fn mf_create() -> *mut c_void {
                unsafe { native::create::<$parser>() }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_destroy(context: *mut c_void) {
                unsafe { native::destroy::<$parser>(context) }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_input(context: *mut c_void, capacity: u32) -> *mut u8 {
                unsafe { native::input::<$parser>(context, capacity) }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_configure(context: *mut c_void, len: u32, out: *mut *const u8) -> i64 {
                unsafe { native::configure::<$parser>(context, len, out) }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_check(context: *mut c_void, len: u32, out: *mut *const u8) -> i64 {
                unsafe { native::check::<$parser>(context, len, out) }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_parse(context: *mut c_void, len: u32, out: *mut *const u8) -> i64 {
                unsafe { native::parse::<$parser>(context, len, out) }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_segment(
                context: *mut c_void,
                header: *const u8,
                payload: *const u8,
                len: u32,
            ) -> i64 {
                unsafe { native::segment::<$parser>(context, header, payload, len) }
            }
            #[no_mangle]
            pub unsafe extern "C" fn mf_collect(context: *mut c_void, out: *mut *const u8) -> i64 {
                unsafe { native::collect::<$parser>(context, out) }
            }
        }
    };
}
