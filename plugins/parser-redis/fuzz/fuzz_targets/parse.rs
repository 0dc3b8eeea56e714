//! Any conversation: no panic, well-formed results, the same records for two splits (see `testing::fuzz` of the SDK).
#![no_main]

use libfuzzer_sys::fuzz_target;
use metaflow_parser_redis::RedisParser;

fuzz_target!(|input: &[u8]| metaflow_parser_sdk::testing::fuzz_until_loss::<RedisParser>(6379, input));
