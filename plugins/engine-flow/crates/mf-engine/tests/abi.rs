//! The C ABI as a C program would use it.
#![allow(unsafe_code)]

use std::ptr::{null, null_mut};

use mf_engine::abi::*;

fn text(raw: &Raw) -> String {
    // SAFETY: the engine's answer is valid until the next call.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(raw.ptr, raw.len) }).into_owned()
}

fn error(handle: *mut Handle) -> String {
    let mut raw = Raw { ptr: null(), len: 0 };
    // SAFETY: the handle is alive or null.
    unsafe { mfe_last_error(handle, &mut raw) };
    text(&raw)
}

fn new(options: &str) -> *mut Handle {
    // SAFETY: the text lives for the call.
    unsafe { mfe_new(options.as_ptr(), options.len() as u32) }
}

#[test]
fn wrong_options_give_no_engine_and_a_sentence() {
    assert!(new("shards=0\n").is_null());
    assert_eq!(error(null_mut()), "engine options, line 1: shards=0: expected a whole number from 1 to 256");
}

#[test]
fn calls_without_an_engine_fail_quietly() {
    // SAFETY: null handles are allowed.
    unsafe {
        assert_eq!(mfe_push(null_mut(), 0, 1, 0, 1, null(), 0), -1);
        assert_eq!(mfe_ready(null_mut(), 0), 0);
        mfe_free(null_mut());
    }
}

#[test]
fn blocks_parsers_and_tables_by_pointers() {
    let handle = new("explain=1\n");
    let description = "name=echo\nprotocols=127:Echo\nports=7\n";
    let wrong = "name=echo\ncolour=red\n";
    let mut frame = vec![0u8; 60];
    frame[12..14].copy_from_slice(&0x88ccu16.to_be_bytes());
    let mut record = Vec::new();
    for word in [1u32, 0, 60, 60] {
        record.extend_from_slice(&word.to_le_bytes());
    }
    record.extend_from_slice(&frame);
    let mut raw = Raw { ptr: null(), len: 0 };
    let mut work = WorkItem { parser: 9, op: 9, ptr: null(), len: 9 };
    // SAFETY: the handle is alive, all pointers live for their calls.
    unsafe {
        assert_eq!(mfe_add_parser(handle, description.as_ptr(), description.len() as u32, null()), 0);
        assert_eq!(mfe_add_parser(handle, wrong.as_ptr(), wrong.len() as u32, null()), -1);
        assert_eq!(error(handle), "parser description: unknown key `colour`");
        assert_eq!(mfe_push(handle, 0, 1, 0, 1, record.as_ptr(), record.len() as u32), 1);
        assert_eq!(mfe_push(handle, 0, 77, 0, 1, record.as_ptr(), record.len() as u32), -1);
        assert!(error(handle).starts_with("block format 77: expected 0 records"));
        assert_eq!(mfe_work(handle, &mut work), 0);
        assert_eq!(mfe_complete(handle, null(), 0), -1);
        mfe_finish(handle);
        assert_eq!(mfe_ready(handle, 2), 1);
        assert_eq!(mfe_take_raw(handle, 2, &mut raw), 0);
        assert_eq!(&text(&raw)[..4], "MFT1");
        assert_eq!(mfe_take_raw(handle, 99, &mut raw), -1);
        assert_eq!(error(handle), "table 99: expected 0 to 11");
        mfe_counters(handle, &mut raw);
        assert!(text(&raw).contains("received\tframes\t1\n"), "{}", text(&raw));
        mfe_free(handle);
    }
}

#[test]
fn a_function_table_of_another_version_is_refused() {
    let handle = new("");
    let description = "name=old\n";
    let table = Vtable {
        abi: 7,
        size: 12,
        create: None,
        destroy: None,
        input: None,
        configure: None,
        check: None,
        parse: None,
        segment: None,
        collect: None,
    };
    // SAFETY: the handle is alive, the table lives for the call.
    unsafe {
        assert_eq!(mfe_add_parser(handle, description.as_ptr(), description.len() as u32, &table), -1);
        assert!(error(handle).starts_with("parser old cannot be used: its function table is of ABI 7 with 12 bytes"));
        mfe_free(handle);
    }
}
