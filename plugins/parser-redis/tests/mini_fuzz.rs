//! A short fuzzing from the seeds of `fuzz/seeds`, the same every time; the long one is cargo-fuzz's (`fuzz/`).

use metaflow_parser_redis::RedisParser;
use metaflow_parser_sdk::testing::mini_fuzz_until_loss;

#[test]
fn mutated_seeds_give_the_same_records_for_every_split() {
    mini_fuzz_until_loss::<RedisParser>(6379, concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds"), 3000);
}
