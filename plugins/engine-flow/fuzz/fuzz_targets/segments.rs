//! Any bytes as a block of calls on sockets: the same counters as record by record, nothing left open, no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mf_engine::{Engine, Options};
use mf_l7::{ParserDescription, Runtime};

fn run<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut engine = Engine::new(Options::default());
    let parser = ParserDescription::new("any", 127, "Custom");
    assert!(engine.add_parser(parser, Runtime::External).is_ok());
    for block in blocks {
        assert!(engine.push(0, 4, 1, 0, block).is_ok());
        while engine.work().is_some() {
            // The parser fails on everything: what it would say is another target's matter.
            assert!(engine.complete(&[]).is_ok());
        }
    }
    engine.finish();
    while engine.work().is_some() {
        assert!(engine.complete(&[]).is_ok());
    }
    let counters = engine.counters();
    let own = counters.lines().filter(|line| line.starts_with("segment\t"));
    own.filter(|line| !line.contains("behind_damage")).map(String::from).collect()
}

/// The block cut where the next record begins, as far as sizes can be believed.
fn records(mut block: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    while !block.is_empty() {
        let size = block.first_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
        let size = if size < 160 || size % 8 != 0 { block.len() } else { size.min(block.len()) };
        let (record, rest) = block.split_at(size);
        out.push(record);
        block = rest;
    }
    out
}

fuzz_target!(|block: &[u8]| {
    let whole = run(std::iter::once(block));
    assert!(!whole.iter().any(|line| line.contains("open_sockets")), "{whole:?}");
    assert_eq!(whole, run(records(block).into_iter()));
});
