//! Damage that a parser must survive: it may report anything, but it must return, and its results must be well formed.

use super::{Random, Script, Step};
use crate::{Direction, Parser};

impl Script {
    /// Play the script truncated everywhere, with flipped and repeated bytes, with gaps, with garbage, from the middle on.
    ///
    /// # Panics
    /// When the parser does, or when a result is not well formed.
    pub fn assert_survives_damage<P: Parser>(&self) {
        for index in 0..self.steps.len() {
            let Step::Data(direction, bytes) = &self.steps[index] else { continue };
            for end in 0..bytes.len() {
                let mut script = self.clone();
                script.steps[index] = Step::Cut(*direction, bytes.clone(), end);
                script.run::<P>();
                script.steps[index] = Step::Data(*direction, bytes[..end].to_vec());
                script.run::<P>();
                script.steps[index] = Step::Data(*direction, bytes[end..].to_vec());
                script.clone().mid_stream().run::<P>();
                script.steps.insert(index, Step::Gap(*direction, end as u32));
                script.run::<P>();
            }
        }
        for seed in 0..200 {
            self.damaged(&mut Random::new(seed)).run::<P>();
        }
        assert_survives_garbage::<P>(self);
    }

    /// The script with a few random wounds.
    fn damaged(&self, random: &mut Random) -> Script {
        let mut script = self.clone();
        for step in &mut script.steps {
            let Step::Data(_, bytes) = step else { continue };
            for _ in 0..1 + random.below(8) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 if at < bytes.len() => bytes[at] = random.word() as u8,
                    1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                    2 => drop(bytes.drain(at..(at + random.below(16)).min(bytes.len()))),
                    _ => {
                        let piece: Vec<u8> = bytes[at..(at + random.below(64)).min(bytes.len())].to_vec();
                        bytes.splice(at..at, piece);
                    }
                }
            }
        }
        script
    }
}

fn assert_survives_garbage<P: Parser>(like: &Script) {
    for seed in 0..50 {
        let mut random = Random::new(seed ^ 0x6761_7262);
        let mut script = like.clone();
        script.steps.clear();
        for _ in 0..6 {
            let direction = if random.below(2) == 0 { Direction::ClientToServer } else { Direction::ServerToClient };
            let length = random.below(400);
            // Small values and text are likelier to be taken for lengths and keywords than uniform noise is.
            let narrow = random.below(3);
            let noise = (0..length).map(|_| match narrow {
                0 => random.word() as u8,
                1 => (random.word() % 8) as u8,
                _ => 32 + (random.word() % 95) as u8,
            });
            script.steps.push(Step::Data(direction, noise.collect()));
        }
        script.run::<P>();
        if let Some(Step::Data(..)) = script.steps.first() {
            script.check::<P>();
        }
    }
}
