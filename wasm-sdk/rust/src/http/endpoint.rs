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
        let (mut left, mut end) = (keep, 1);
        for byte in path.get(1..).unwrap_or_default() {
            left -= usize::from(*byte == b'/');
            if left == 0 {
                return &path[..end];
            }
            end += 1;
        }
        path
    }
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
