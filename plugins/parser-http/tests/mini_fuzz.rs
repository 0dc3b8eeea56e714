//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::mini_fuzz;

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz::<HttpParser>(80, concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds"), 3000);
}
