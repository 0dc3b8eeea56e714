//! Fuzzing: bytes become a conversation, and a parser must give the same records for two splits of it.
//!
//! A fuzz input is a byte of flags (1 UDP, 2 mid-stream), then steps: a byte (bit 0 the server sends; bits 1 and 2: 0 and 1
//! data, 2 a gap, 3 a packet cut in half), a little-endian u16 length, and (unless it is a gap) that many bytes.

use super::{Random, Row, Script, Step};
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

    /// The fuzz input that stands for the conversation: a seed. Options of the parser are not part of it.
    pub fn to_fuzz(&self) -> Vec<u8> {
        let mut input = vec![u8::from(self.is_udp()) | u8::from(self.is_mid_stream()) << 1];
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

/// Play a fuzz input whole, in pieces, and in pieces that come one by one as a native engine hands them over; all must give
/// the same records.
///
/// # Panics
/// When the parser does, when a result is not well formed, or when the records differ.
pub fn fuzz<P: Parser>(server_port: u16, input: &[u8]) {
    play::<P>(server_port, input, |_, _| true);
}

/// As [`fuzz`], for a parser whose way back after a loss depends on how much there is to see at once: the records need
/// not be the same where bytes are lost, the start was not seen, or the parser gave bytes up.
///
/// # Panics
/// As [`fuzz`].
pub fn fuzz_until_loss<P: Parser>(server_port: u16, input: &[u8]) {
    play::<P>(server_port, input, |script, rows| {
        !script.is_mid_stream()
            && script.steps.iter().all(|step| matches!(step, Step::Data(..)))
            && !rows.iter().any(|row| matches!(row.kind(), "violation" | "skipped"))
    });
}

/// The records of both ways, where `is_comparable` says so of a conversation and its records, must be the same.
fn play<P: Parser>(server_port: u16, input: &[u8], is_comparable: impl Fn(&Script, &[Row]) -> bool) {
    let script = Script::from_fuzz(server_port, &input[..input.len().min(LONGEST)]);
    let whole = script.run::<P>();
    let cut = |random: &mut Random, bytes: &[u8]| {
        let mut left = bytes.len();
        let mut pieces = Vec::new();
        while left > 0 {
            pieces.push(1 + random.below(left.min(40)));
            left -= pieces[pieces.len() - 1];
        }
        pieces
    };
    let random = Random::new(input.len() as u64);
    let pieces = script.run_cut::<P>(with(random.clone(), cut));
    if input.len() % 2 == 0 {
        // Half of the inputs: it takes as long as the rest.
        let mut alone = script.run_one_by_one::<P>(with(random, cut));
        let mut together = pieces.clone();
        if !script.steps.iter().all(|step| matches!(step, Step::Data(..))) {
            // Where a gap begins inside of what a host left out, nobody knows.
            alone.retain(|row| row.kind() != "skipped");
            together.retain(|row| row.kind() != "skipped");
        }
        assert_eq!(alone, together, "the records depend on whether segments come one by one in {script:?}");
    }
    if is_comparable(&script, &whole) && is_comparable(&script, &pieces) {
        assert_eq!(pieces, whole, "the records depend on the split of {script:?}");
    }
    if let Some(Step::Data(..)) = script.steps.first() {
        script.check::<P>();
    }
}

/// A way to cut that draws its lengths from `random`.
fn with(mut random: Random, cut: impl Fn(&mut Random, &[u8]) -> Vec<usize>) -> impl FnMut(&[u8]) -> Vec<usize> {
    move |bytes| cut(&mut random, bytes)
}

/// The seeds of a folder are these conversations, by name (`MF_UPDATE=1` writes them): so a seed can be read and changed.
///
/// # Panics
/// When a file is missing or another.
pub fn assert_seeds(folder: impl AsRef<Path>, seeds: &[(&str, Script)]) {
    for (name, script) in seeds {
        let (file, input) = (folder.as_ref().join(name), script.to_fuzz());
        if std::env::var_os("MF_UPDATE").is_some() {
            std::fs::write(&file, &input).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
        assert!(std::fs::read(&file).is_ok_and(|found| found == input), "{}: MF_UPDATE=1 writes it", file.display());
    }
}

/// A short fuzzing that is the same every time: each seed of a folder, and `rounds` mutations of them (`MF_FUZZ_ROUNDS` in
/// the environment asks for more).
///
/// # Panics
/// As [`fuzz`]; the input is printed in the message. Also when the folder has no seeds.
pub fn mini_fuzz<P: Parser>(server_port: u16, seeds: impl AsRef<Path>, rounds: u64) {
    mutations(seeds.as_ref(), rounds, |input| fuzz::<P>(server_port, input));
}

/// As [`mini_fuzz`], with what [`fuzz_until_loss`] asks.
///
/// # Panics
/// As [`mini_fuzz`].
pub fn mini_fuzz_until_loss<P: Parser>(server_port: u16, seeds: impl AsRef<Path>, rounds: u64) {
    mutations(seeds.as_ref(), rounds, |input| fuzz_until_loss::<P>(server_port, input));
}

fn mutations(seeds: &Path, rounds: u64, try_it: impl Fn(&[u8])) {
    let rounds = std::env::var("MF_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(rounds);
    let entries = std::fs::read_dir(seeds).unwrap_or_else(|error| panic!("seeds {}: {error}", seeds.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect();
    assert!(!inputs.is_empty(), "{} has no seeds", seeds.display());
    inputs.iter().for_each(|input| try_it(input));
    for round in 0..rounds {
        let mut random = Random::new(round);
        let mut input = inputs[random.below(inputs.len())].clone();
        for _ in 0..1 + random.below(6) {
            mutate(&mut input, &inputs, &mut random);
        }
        try_it(&input);
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
