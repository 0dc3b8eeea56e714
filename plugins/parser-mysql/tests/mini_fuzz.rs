//! The fuzz target's property on its seeds and on mutations of them: a fixed number of rounds, the same in every run.

#[path = "../fuzz/target.rs"]
mod target;

use metaflow_parser_sdk::testing::Random;
use std::path::Path;

/// Mutated inputs of one run; `MF_FUZZ_ROUNDS` asks for more.
const ROUNDS: usize = 1500;

#[test]
fn seeds_and_their_mutations_never_break_the_parser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    seeds.iter().for_each(|seed| target::run(seed));
    let mut random = Random::new(0x6d66);
    let asked = std::env::var("MF_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    for round in 0..asked.unwrap_or(ROUNDS) {
        let mut input = seeds[round % seeds.len()].clone();
        input.truncate(800);
        for _ in 0..1 + random.below(6) {
            mutate(&mut input, &seeds, &mut random);
        }
        target::run(&input);
    }
}

fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len());
    match random.below(6) {
        0 if at < input.len() => input[at] = random.word() as u8,
        1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 => input.truncate(at),
        3 => drop(input.drain(at..(at + random.below(32)).min(input.len()))),
        4 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len());
            let piece = other[from..(from + random.below(64)).min(other.len())].to_vec();
            input.splice(at..at, piece);
        }
        _ => {
            let values = [0u8, 1, 2, 4, 0x7f, 0x80, 0xfb, 0xfc, 0xfe, 0xff, b'0', b'9', b'-', b'\n'];
            if at < input.len() {
                input[at] = values[random.below(values.len())];
            }
        }
    }
}
