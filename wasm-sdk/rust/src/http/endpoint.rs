//! From a path to an endpoint: the part that stands for the operation rather than for the thing.

/// How many segments of a path make the endpoint: by the longest prefix that has a rule, else the default.
pub struct EndpointRules {
    /// Segments kept where no rule says otherwise; 0 keeps none.
    pub keep: usize,
    /// Path prefix and segments to keep, longest prefix first.
    rules: Vec<(String, usize)>,
}

impl Default for EndpointRules {
    fn default() -> EndpointRules {
        EndpointRules { keep: 2, rules: Vec::new() }
    }
}

impl EndpointRules {
    /// Rules as `prefix:keep` separated by commas, for example `/api/v1:4,/static:1`.
    ///
    /// # Errors
    /// A sentence that names the rule that is none.
    pub fn set_rules(&mut self, text: &str) -> Result<(), String> {
        let mut rules = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let rule =
                item.rsplit_once(':').and_then(|(prefix, keep)| Some((prefix.trim(), keep.trim().parse().ok()?)));
            let Some((prefix, keep)) = rule.filter(|(prefix, keep)| prefix.starts_with('/') && *keep <= 64) else {
                return Err(format!(
                    "Option endpoint_rules has {item:?}: expected /prefix:segments with 0 to 64 segments, for example /api/v1:4."
                ));
            };
            rules.push((prefix.to_owned(), keep));
        }
        rules.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self.rules = rules;
        Ok(())
    }

    /// The endpoint of a path (without query): its first segments, "/" for none.
    pub fn of<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        let rule = self.rules.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes()));
        let keep = rule.map_or(self.keep, |(_, keep)| *keep);
        if keep == 0 {
            return path.get(..1).unwrap_or_default();
        }
        let mut end = 0;
        for _ in 0..keep {
            match find(path, end + 1, b'/') {
                Some(next) => end = next,
                None => return path,
            }
        }
        &path[..end]
    }
}

/// The first `wanted` byte at or behind `from`, eight bytes at a time (Mycroft, 1987).
#[inline]
pub(super) fn find(path: &[u8], from: usize, wanted: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut rest = path.get(from..)?;
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let differs = u64::from_le_bytes(*chunk) ^ (ONES * u64::from(wanted));
        let found = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
        if found != 0 {
            return Some(path.len() - rest.len() + (found.trailing_zeros() / 8) as usize);
        }
        rest = behind;
    }
    rest.iter().position(|byte| *byte == wanted).map(|at| path.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use super::EndpointRules;

    fn endpoint(rules: &EndpointRules, path: &str) -> String {
        String::from_utf8_lossy(rules.of(path.as_bytes())).into_owned()
    }

    #[test]
    fn two_segments_are_kept_by_default() {
        let rules = EndpointRules::default();
        for (path, expected) in
            [("/", "/"), ("/a", "/a"), ("/a/", "/a/"), ("/a/b", "/a/b"), ("/a/b/c", "/a/b"), ("//x//", "//x"), ("", "")]
        {
            assert_eq!(endpoint(&rules, path), expected, "{path}");
        }
    }

    #[test]
    fn slashes_are_counted_wherever_they_stand() {
        let mut random = crate::testing::Random::new(3);
        for _ in 0..5000 {
            let path: Vec<u8> = (0..random.below(40)).map(|_| b"/ab.0\xff"[random.below(6)]).collect();
            for keep in 1..5 {
                let rules = EndpointRules { keep, ..EndpointRules::default() };
                let slashes = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
                let expected = slashes.map(|(at, _)| at).nth(keep - 1).unwrap_or(path.len());
                assert_eq!(rules.of(&path), &path[..expected], "{path:?} {keep}");
            }
        }
    }

    #[test]
    fn the_longest_prefix_decides() {
        let mut rules = EndpointRules::default();
        rules.set_rules("/api:3, /api/v1:1,/none:0").unwrap();
        assert_eq!(endpoint(&rules, "/api/v2/c/d"), "/api/v2/c");
        assert_eq!(endpoint(&rules, "/api/v1/c/d"), "/api");
        assert_eq!(endpoint(&rules, "/none/c/d"), "/");
        assert_eq!(endpoint(&rules, "/other/c/d"), "/other/c");
    }

    #[test]
    fn a_rule_that_is_none_is_told() {
        for text in ["api:1", "/api", "/api:x", "/api:65"] {
            assert!(EndpointRules::default().set_rules(text).unwrap_err().contains(text), "{text}");
        }
    }
}
