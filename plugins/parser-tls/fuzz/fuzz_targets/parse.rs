//! Any conversation: no panic, well-formed results, the same records for two splits (see `testing::fuzz` of the SDK).
#![no_main]

use libfuzzer_sys::fuzz_target;
use metaflow_parser_tls::TlsParser;

fuzz_target!(|input: &[u8]| metaflow_parser_sdk::testing::fuzz::<TlsParser>(443, input));
