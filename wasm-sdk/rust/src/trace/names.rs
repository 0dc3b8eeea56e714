//! A first look at header names: most headers of a message are of no interest, and their length and first letter say so.

/// A set of names as a filter: [`may_have`](Names::may_have) is never wrong when it says no.
#[derive(Clone, Debug)]
pub struct Names {
    /// By length (63: 63 or more), a bit for each first letter.
    firsts: [u32; 64],
    /// By first letter, a bit for each length (63: 63 or more).
    lengths: [u64; 32],
}

impl Default for Names {
    fn default() -> Names {
        Names { firsts: [0; 64], lengths: [0; 32] }
    }
}

impl Names {
    /// Add a name, in any case.
    pub fn add(&mut self, name: &str) {
        let (length, bit) = place(name.as_bytes());
        self.firsts[length] |= 1 << bit;
        self.lengths[usize::from(bit)] |= 1 << length;
    }

    /// Add all of another set.
    pub fn add_all(&mut self, other: &Names) {
        self.firsts.iter_mut().zip(other.firsts).for_each(|(own, other)| *own |= other);
        self.lengths.iter_mut().zip(other.lengths).for_each(|(own, other)| *own |= other);
    }

    /// Whether a name may be in the set, in any case.
    #[inline]
    pub fn may_have(&self, name: &[u8]) -> bool {
        let (length, bit) = place(name);
        self.firsts[length & 63] >> bit & 1 == 1
    }

    /// Whether a line `name: value` may have a name of this set or of the other one, in any case: the first look, before the
    /// colon is searched. Where white space stands in place of a colon, or before the name, it may.
    #[inline]
    pub fn may_have_line(&self, other: &Names, line: &[u8]) -> bool {
        let Some(first) = line.first() else { return false };
        if *first <= b' ' {
            return true;
        }
        let place = usize::from(first & 31);
        let mut lengths = self.lengths[place] | other.lengths[place];
        while lengths != 0 {
            let length = lengths.trailing_zeros() as usize;
            lengths &= lengths - 1;
            let ends = line.get(length).is_some_and(|byte| *byte == b':' || byte.is_ascii_whitespace());
            if ends || length == 63 {
                return true;
            }
        }
        false
    }
}

/// The lowest five bits of a letter are the same in both cases.
#[inline]
fn place(name: &[u8]) -> (usize, u8) {
    (name.len().min(63), name.first().map_or(0, |first| first & 31))
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn no_name_of_the_set_is_left_out() {
        let mut names = Names::default();
        let long = "x-".repeat(50);
        for name in ["host", "X-Request-Id", "b3", &long] {
            names.add(name);
        }
        for name in ["host", "HOST", "x-request-id", "B3", &long] {
            assert!(names.may_have(name.as_bytes()), "{name}");
            for line in [format!("{name}: x"), format!("{name} : x"), format!("{name}:"), format!(" {name}:x")] {
                assert!(names.may_have_line(&Names::default(), line.as_bytes()), "{line}");
                assert!(Names::default().may_have_line(&names, line.as_bytes()), "{line}");
            }
        }
        for line in ["", "Date: x", "hosts: x", "ho: xyz", "host"] {
            assert!(!names.may_have_line(&Names::default(), line.as_bytes()), "{line}");
        }
        for name in ["", "hos", "date", "etag"] {
            assert!(!names.may_have(name.as_bytes()), "{name}");
        }
    }
}
