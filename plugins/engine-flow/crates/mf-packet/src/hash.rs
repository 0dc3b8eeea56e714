//! Hashing without a crate: folded 64x64->128 multiplication, good mixing for a few nanoseconds.

/// Multiplies two words to 128 bits and folds the halves together.
#[cfg(not(target_arch = "wasm32"))]
#[inline]
pub const fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128).wrapping_mul(b as u128);
    (wide as u64) ^ ((wide >> 64) as u64)
}

#[cfg(target_arch = "wasm32")]
pub use by_halves as fold;

/// The same by halves: WebAssembly has no wide multiplication, and a call of the compiler's own costs three times as much.
#[cfg(any(test, target_arch = "wasm32"))]
#[inline]
pub const fn by_halves(a: u64, b: u64) -> u64 {
    const LOW: u64 = 0xffff_ffff;
    let (low, high) = ((a & LOW) * (b & LOW), (a >> 32) * (b >> 32));
    let (one, two) = ((a & LOW) * (b >> 32), (a >> 32) * (b & LOW));
    let carry = ((low >> 32) + (one & LOW) + (two & LOW)) >> 32;
    a.wrapping_mul(b) ^ (high + (one >> 32) + (two >> 32) + carry)
}

/// Mixes one word into a hash.
#[inline]
pub const fn mix(hash: u64, word: u64) -> u64 {
    fold(hash ^ word, 0x9e37_79b9_7f4a_7c15)
}

/// A hash over a sequence of words; the same words give the same hash on every machine and run.
#[derive(Clone, Copy, Debug)]
pub struct Mixer(u64);

impl Mixer {
    /// Starts with a seed.
    #[inline]
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x243f_6a88_85a3_08d3)
    }

    /// Adds a word.
    #[inline]
    #[must_use]
    pub const fn word(self, word: u64) -> Self {
        Self(mix(self.0.wrapping_add(0xa076_1d64_78bd_642f), word))
    }

    /// The hash.
    #[inline]
    pub const fn finish(self) -> u64 {
        // One more round, so that the last word reaches all bits.
        mix(self.0, 0xe703_7ed1_a0b4_28db)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_halves_gives_the_same() {
        let words = [
            0,
            1,
            2,
            0xffff_ffff,
            0x1_0000_0000,
            0x9e37_79b9_7f4a_7c15,
            u64::MAX - 1,
            u64::MAX,
        ];
        for a in words {
            for b in words
                .iter()
                .flat_map(|b| [*b, b.rotate_left(17), mix(*b, a)])
            {
                assert_eq!(by_halves(a, b), fold(a, b), "{a:x} {b:x}");
            }
        }
    }

    #[test]
    fn neighbours_spread_over_all_bits() {
        let mut buckets = [0u32; 256];
        for i in 0..65536u64 {
            let hash = Mixer::new(0).word(i).finish();
            buckets[(hash & 255) as usize] += 1;
            buckets[(hash >> 56) as usize] += 1;
        }
        assert!(
            buckets.iter().all(|&n| (380..660).contains(&n)),
            "{buckets:?}"
        );
    }
}
