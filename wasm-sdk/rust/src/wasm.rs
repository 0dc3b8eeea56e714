//! The symbols of a Wasm build: the instance is the context, results are `address << 32 | length` (`v1.md`, 3).
#![allow(unsafe_code)] // one imported function; every other module of the SDK but `native` is safe code

use crate::host::Failure;

/// Severity of a log line.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub enum Level {
    /// Data is lost.
    Error = 0,
    /// Something is off.
    Warn = 1,
    /// Something was done.
    Info = 2,
    /// For the author of the parser.
    Debug = 3,
}

mod host {
    #[link(wasm_import_module = "metaflow_v1")]
    extern "C" {
        pub fn log(level: i32, address: *const u8, len: usize);
    }
}

/// Hand a line to the host's log, which limits the rate. The only import there is; unused, it is not linked.
pub fn log(level: Level, text: &str) {
    // SAFETY: address and length are those of `text`, which lives during the call; the host only reads.
    unsafe { host::log(level as i32, text.as_ptr(), text.len()) }
}

/// A result as the symbols return it.
#[doc(hidden)]
pub fn pack(result: Result<&[u8], Failure>) -> i64 {
    match result {
        Ok(bytes) => ((bytes.as_ptr() as usize as i64) << 32) | bytes.len() as i64,
        Err(failure) => failure.code(),
    }
}

/// The Wasm half of [`export_parser!`](crate::export_parser).
#[macro_export]
#[doc(hidden)]
macro_rules! export_wasm {
    ($parser:ty) => {
        #[allow(unsafe_code)] // unmangled names; the code itself is safe
        #[allow(missing_docs)] // documented in wasm-sdk/abi/v1.md
        mod metaflow_exports {
            use super::*;
            use std::cell::RefCell;
            use $crate::wasm::pack;
            use $crate::{Failure, Host};

            // An instance has one thread: this is its one context.
            thread_local!(static HOST: RefCell<Host<$parser>> = RefCell::new(Host::new()));

            fn with(run: impl FnOnce(&mut Host<$parser>) -> i64) -> i64 {
                HOST.with(|host| host.try_borrow_mut().map_or(Failure::Internal.code(), |mut host| run(&mut host)))
            }

            #[no_mangle]
            pub extern "C" fn mf_abi_v1() {}
            #[no_mangle]
            pub extern "C" fn mf_input(capacity: u32) -> i32 {
                with(|host| host.input(capacity as usize).map_or(0, |arena| arena.as_mut_ptr() as usize as i64)) as i32
            }
            #[no_mangle]
            pub extern "C" fn mf_configure(len: u32) -> i64 {
                with(|host| pack(host.configure(len as usize)))
            }
            #[no_mangle]
            pub extern "C" fn mf_check(len: u32) -> i64 {
                with(|host| pack(host.check(len as usize)))
            }
            #[no_mangle]
            pub extern "C" fn mf_parse(len: u32) -> i64 {
                with(|host| pack(host.parse(len as usize)))
            }
        }
    };
}
