//! Calls on sockets through a whole engine: a short fuzzing that is the same every time. The long one is
//! `plugins/engine-flow/fuzz`, target `segments`.

use std::path::Path;

use mf_engine::{Engine, Options};
use mf_l7::{ParserDescription, Runtime};

/// The counters of the stage `segment`, after blocks and the end.
fn run<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut engine = Engine::new(Options::default());
    engine.add_parser(ParserDescription::new("any", 127, "Custom"), Runtime::External).unwrap();
    for block in blocks {
        engine.push(0, 4, 1, 0, block).unwrap();
        while engine.work().is_some() {
            engine.complete(&[]).unwrap();
        }
    }
    engine.finish();
    while engine.work().is_some() {
        engine.complete(&[]).unwrap();
    }
    let counters = engine.counters();
    let own = counters.lines().filter(|line| line.starts_with("segment\t") && !line.contains("behind_damage"));
    own.map(String::from).collect()
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

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/segments");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn a_wrong_layout_and_an_unknown_format_are_sentences() {
    let mut engine = Engine::new(Options::default());
    assert_eq!(engine.push(0, 4, 2, 0, &[]).unwrap_err(), "segments of layout 2: this engine reads layout 1");
    assert!(engine.push(0, 5, 1, 0, &[]).unwrap_err().ends_with("3 tpacket3 or 4 segments"));
}

#[test]
fn mutated_blocks_give_the_same_whole_and_record_by_record() {
    let seeds = seeds();
    assert!(seeds.len() > 2);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    };
    for round in 0..400 {
        let mut block = seeds[round % seeds.len()].clone();
        for _ in 0..if round < seeds.len() { 0 } else { 1 + next() % 8 } {
            let at = next() as usize % block.len();
            block[at] = next() as u8;
        }
        let whole = run(std::iter::once(block.as_slice()));
        assert!(!whole.iter().any(|line| line.contains("open_sockets")), "{whole:?}");
        assert_eq!(whole, run(records(&block).into_iter()), "round {round}");
    }
}
