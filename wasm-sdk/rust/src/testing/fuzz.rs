//! Fuzzing: bytes become a conversation, and a parser must give the same records for two splits of it.
//!
//! A fuzz input is a byte of flags (1 UDP, 2 mid-stream), then steps: a byte (bit 0 the server sends; bits 1 and 2: 0 and 1
//! data, 2 a gap, 3 a packet cut in half), a little-endian u16 length, and (unless it is a gap) that many bytes.

use super::{Random, Script, Step};
use crate::{Direction, Parser};
use std::path::Path;

/// Longest input that [`fuzz`] looks at.
const LONGEST: usize = 1 << 16;

impl Script {
    /// The conversation that a fuzz input stands for.
    pub fn from_fuzz(server_port: u16, input: &[u8]) -> Script {
        let mut script = Script::new(server_port);
        let Some((flags, mut rest)) = input.split_first() else { return script };
        if flags & 1 == 1 {
            script = script.udp();
        }
        if flags & 2 == 2 {
            script = script.mid_stream();
        }
        while let [op, low, high, behind @ ..] = rest {
            let direction = if op & 1 == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
            let length = u16::from_le_bytes([*low, *high]);
            if op >> 1 & 3 == 2 {
                script.steps.push(Step::Gap(direction, length.into()));
                rest = behind;
                continue;
            }
            let (bytes, next) = behind.split_at(usize::from(length).min(behind.len()));
            script.steps.push(match op >> 1 & 3 {
                3 => Step::Cut(direction, bytes.to_vec(), bytes.len() / 2),
                _ => Step::Data(direction, bytes.to_vec()),
            });
            rest = next;
        }
        script
    }

    /// The fuzz input that stands for the conversation: a seed.
    pub fn to_fuzz(&self, is_udp: bool) -> Vec<u8> {
        let mut input = vec![is_udp as u8];
        for step in &self.steps {
            let (op, direction, bytes, length) = match step {
                Step::Data(direction, bytes) => (0, direction, &bytes[..], bytes.len()),
                Step::Gap(direction, missing) => (2, direction, &[][..], *missing as usize),
                Step::Cut(direction, bytes, _) => (3, direction, &bytes[..], bytes.len()),
            };
            input.push(op << 1 | direction.index() as u8);
            input.extend_from_slice(&(length as u16).to_le_bytes());
            input.extend_from_slice(bytes);
        }
        input
    }
}

/// Play a fuzz input whole and in pieces; both must give the same records.
///
/// # Panics
/// When the parser does, when a result is not well formed, or when the records differ.
pub fn fuzz<P: Parser>(server_port: u16, input: &[u8]) {
    let script = Script::from_fuzz(server_port, &input[..input.len().min(LONGEST)]);
    let whole = script.run::<P>();
    let mut random = Random::new(input.len() as u64);
    let pieces = script.run_cut::<P>(|bytes| {
        let mut left = bytes.len();
        let mut pieces = Vec::new();
        while left > 0 {
            pieces.push(1 + random.below(left.min(40)));
            left -= pieces[pieces.len() - 1];
        }
        pieces
    });
    assert_eq!(pieces, whole, "the records depend on the split of {script:?}");
    if let Some(Step::Data(..)) = script.steps.first() {
        script.check::<P>();
    }
}

/// A short fuzzing that is the same every time: each seed of a folder, and `rounds` mutations of them.
///
/// # Panics
/// As [`fuzz`]; the input is printed in the message. Also when the folder has no seeds.
pub fn mini_fuzz<P: Parser>(server_port: u16, seeds: &Path, rounds: u64) {
    let entries = std::fs::read_dir(seeds).unwrap_or_else(|error| panic!("seeds {}: {error}", seeds.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect();
    assert!(!inputs.is_empty(), "{} has no seeds", seeds.display());
    for input in &inputs {
        fuzz::<P>(server_port, input);
    }
    for round in 0..rounds {
        let mut random = Random::new(round);
        let mut input = inputs[random.below(inputs.len())].clone();
        for _ in 0..1 + random.below(6) {
            mutate(&mut input, &inputs, &mut random);
        }
        fuzz::<P>(server_port, &input);
    }
}

fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(32)).min(input.len());
    match random.below(7) {
        0 if at < input.len() => input[at] = random.word() as u8,
        1 if at < input.len() => input[at] ^= 1 << random.below(8),
        2 => drop(input.drain(at..end)),
        3 => drop(input.splice(at..at, input[at..end].to_vec())),
        4 => input.truncate(at),
        5 => {
            let pieces: [&[u8]; 3] = [b"\r\n", &[0; 4], &[0xff; 4]];
            input.splice(at..end, pieces[random.below(3)].iter().copied());
        }
        _ => {
            let other = &others[random.below(others.len())];
            let from = random.below(other.len());
            let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
            input.splice(at..at, piece);
        }
    }
}
