//! The exported functions. What each means stands in `docs/explanation/data-plane.md`.
//!
//! Safety of all of them: a handle comes from [`mfe_new`], is used by one thread at a time and not after [`mfe_free`];
//! a pointer with a length can be read for that length (or the length is 0); an `out` pointer can be written.
#![allow(clippy::missing_safety_doc)] // stated once above

use mf_column::arrow_ffi::{export, ArrowArray, ArrowSchema};
use mf_column::image;
use mf_l7::{ParserDescription, Runtime};

use super::guard::{bytes, call};
use super::handle::{new_error, set_new_error, Handle, Raw, WorkItem};
use super::vtable::{NativeParser, Vtable};
use crate::engine::TABLES;
use crate::{Engine, Options, Origin};

/// Version of this ABI.
#[no_mangle]
pub extern "C" fn mfe_abi_version() -> u32 {
    1
}

/// Makes an engine from `key=value` lines; null when an option is wrong (see [`mfe_last_error`] with a null handle).
#[no_mangle]
pub unsafe extern "C" fn mfe_new(config: *const u8, len: u32) -> *mut Handle {
    // SAFETY: stated for the module.
    let text = unsafe { bytes(config, len) };
    let made = std::panic::catch_unwind(|| {
        let text = std::str::from_utf8(text)
            .map_err(|error| format!("engine options: not UTF-8 from byte {}", error.valid_up_to()))?;
        Options::parse(text).map(Engine::new)
    });
    match made {
        Ok(Ok(engine)) => Box::into_raw(Box::new(Handle::new(engine))),
        Ok(Err(sentence)) => {
            set_new_error(&sentence);
            std::ptr::null_mut()
        }
        Err(_) => {
            set_new_error("the engine met a mistake in itself while it was made; please report it");
            std::ptr::null_mut()
        }
    }
}

/// Frees an engine. Null does nothing.
#[no_mangle]
pub unsafe extern "C" fn mfe_free(handle: *mut Handle) {
    if !handle.is_null() {
        // SAFETY: stated for the module. A panic of a parser's destructor must not cross the border.
        let owned = std::panic::AssertUnwindSafe(unsafe { Box::from_raw(handle) });
        let _ = std::panic::catch_unwind(move || drop(owned));
    }
}

/// Adds a parser: a description as `key=value` lines, and a function table or null when the host runs it. Returns its
/// index, -1 on an error.
#[no_mangle]
pub unsafe extern "C" fn mfe_add_parser(
    handle: *mut Handle,
    description: *const u8,
    len: u32,
    table: *const Vtable,
) -> i32 {
    // SAFETY: stated for the module; the table follows the parser ABI.
    unsafe {
        call(handle, -1, |handle| {
            let text = std::str::from_utf8(bytes(description, len))
                .map_err(|error| format!("parser description: not UTF-8 from byte {}", error.valid_up_to()))?;
            let description = ParserDescription::parse(text)?;
            let runtime = if table.is_null() {
                Runtime::External
            } else {
                let parser = NativeParser::new(table, &description.options)
                    .map_err(|error| format!("parser {} cannot be used: {error}", description.name))?;
                Runtime::Native(Box::new(parser))
            };
            handle.engine.add_parser(description, runtime).map(i32::from)
        })
    }
}

/// Takes a block. Returns the number of frames, -1 on an error.
#[no_mangle]
pub unsafe extern "C" fn mfe_push(
    handle: *mut Handle,
    source: u32,
    format: u32,
    flags: u32,
    link_type: u32,
    block: *const u8,
    len: u32,
) -> i64 {
    // SAFETY: stated for the module.
    unsafe {
        call(handle, -1, |handle| {
            handle.engine.push(source, format, flags, link_type, bytes(block, len)).map(|frames| frames as i64)
        })
    }
}

/// The same as [`mfe_push`] in parts: stops where parsers that the host runs have to be asked. `at` says where to begin, 0 for a
/// new block, and gets where to go on with the same block after [`mfe_work`] has no more, 0 when the block is done.
#[no_mangle]
pub unsafe extern "C" fn mfe_push_part(
    handle: *mut Handle,
    source: u32,
    format: u32,
    flags: u32,
    link_type: u32,
    block: *const u8,
    len: u32,
    at: *mut u32,
) -> i64 {
    // SAFETY: stated for the module; `at` can be read and written.
    unsafe {
        call(handle, -1, |handle| {
            let origin = Origin { source, format, flags, link_type };
            let from = at.read_unaligned() as usize;
            at.write_unaligned(0);
            let (frames, next) = handle.engine.push_part(origin, bytes(block, len), from)?;
            at.write_unaligned(next.unwrap_or(0) as u32);
            Ok(frames as i64)
        })
    }
}

/// 1 and a batch when a parser that the host runs has something to do, 0 when not, -1 on an error.
#[no_mangle]
pub unsafe extern "C" fn mfe_work(handle: *mut Handle, out: *mut WorkItem) -> i32 {
    // SAFETY: stated for the module.
    unsafe {
        call(handle, -1, |handle| {
            let Some(work) = handle.engine.work() else { return Ok(0) };
            let (ptr, len) = (work.bytes.as_ptr(), work.bytes.len() as u32);
            out.write(WorkItem { parser: u32::from(work.parser), op: work.op as u32, ptr, len });
            Ok(1)
        })
    }
}

/// The result of the last batch; length 0 when the parser failed. Returns 0, or -1 on an error.
#[no_mangle]
pub unsafe extern "C" fn mfe_complete(handle: *mut Handle, result: *const u8, len: u32) -> i32 {
    // SAFETY: stated for the module.
    unsafe { call(handle, -1, |handle| handle.engine.complete(bytes(result, len)).map(|()| 0)) }
}

/// Lets time go on without packets.
#[no_mangle]
pub unsafe extern "C" fn mfe_tick(handle: *mut Handle, now_ns: u64) {
    // SAFETY: stated for the module.
    unsafe {
        call(handle, (), |handle| {
            handle.engine.tick(now_ns);
            Ok(())
        });
    }
}

/// The end of the input.
#[no_mangle]
pub unsafe extern "C" fn mfe_finish(handle: *mut Handle) {
    // SAFETY: stated for the module.
    unsafe {
        call(handle, (), |handle| {
            handle.engine.finish();
            Ok(())
        });
    }
}

/// Rows ready in a table.
#[no_mangle]
pub unsafe extern "C" fn mfe_ready(handle: *mut Handle, table: u32) -> u64 {
    // SAFETY: stated for the module.
    unsafe { call(handle, 0, |handle| Ok(handle.engine.ready(table) as u64)) }
}

/// Rows ready in every table at once: writes one `u64` a table and returns how many tables there are (at most `room`), -1 on
/// an error. For hosts to which a call is dear.
#[no_mangle]
pub unsafe extern "C" fn mfe_ready_all(handle: *mut Handle, out: *mut u64, room: u32) -> i32 {
    // SAFETY: stated for the module; `out` has room for `room` numbers.
    unsafe {
        call(handle, -1, |handle| {
            let tables = TABLES.min(room);
            for table in 0..tables {
                out.add(table as usize).write_unaligned(handle.engine.ready(table) as u64);
            }
            Ok(tables as i32)
        })
    }
}

/// Moves a table's rows into Arrow C structures. Returns 0, or -1 on an error.
#[no_mangle]
pub unsafe extern "C" fn mfe_take(
    handle: *mut Handle,
    table: u32,
    array: *mut ArrowArray,
    schema: *mut ArrowSchema,
) -> i32 {
    // SAFETY: stated for the module; the structures hold nothing that needs a release.
    unsafe {
        call(handle, -1, |handle| {
            export(handle.engine.take(table)?, array, schema);
            Ok(0)
        })
    }
}

/// Moves a table's rows into an image (`mf_column::image`). Returns 0, or -1 on an error.
#[no_mangle]
pub unsafe extern "C" fn mfe_take_raw(handle: *mut Handle, table: u32, out: *mut Raw) -> i32 {
    // SAFETY: stated for the module.
    unsafe {
        call(handle, -1, |handle| {
            image::write(&handle.engine.take(table)?, &mut handle.answer);
            out.write(Raw { ptr: handle.answer.as_ptr(), len: handle.answer.len() });
            Ok(0)
        })
    }
}

/// Counters as `stage<TAB>reason<TAB>value` lines.
#[no_mangle]
pub unsafe extern "C" fn mfe_counters(handle: *mut Handle, out: *mut Raw) {
    // SAFETY: stated for the module.
    unsafe { answer(handle, out, |handle| handle.engine.counters()) }
}

/// The inference history of a flow as lines.
#[no_mangle]
pub unsafe extern "C" fn mfe_explain(handle: *mut Handle, flow_id: u64, out: *mut Raw) {
    // SAFETY: stated for the module.
    unsafe { answer(handle, out, |handle| handle.engine.explain(flow_id)) }
}

/// The last error's sentence; with a null handle that of the thread's last [`mfe_new`].
#[no_mangle]
pub unsafe extern "C" fn mfe_last_error(handle: *mut Handle, out: *mut Raw) {
    // SAFETY: stated for the module. A broken handle still tells what broke it, so this does not go through `call`.
    unsafe {
        out.write(match handle.as_ref() {
            Some(handle) => Raw { ptr: handle.error.as_ptr(), len: handle.error.len() },
            None => new_error(),
        });
    }
}

unsafe fn answer(handle: *mut Handle, out: *mut Raw, text: impl FnOnce(&mut Handle) -> String) {
    // SAFETY: stated for the module.
    unsafe {
        out.write(Raw { ptr: std::ptr::null(), len: 0 });
        call(handle, (), |handle| {
            handle.answer = text(handle).into_bytes();
            out.write(Raw { ptr: handle.answer.as_ptr(), len: handle.answer.len() });
            Ok(())
        });
    }
}
