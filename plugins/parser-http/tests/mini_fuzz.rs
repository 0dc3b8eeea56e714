//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::mini_fuzz;
use std::path::Path;

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    let rounds = std::env::var("MF_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3000);
    mini_fuzz::<HttpParser>(80, &Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds"), rounds);
}
