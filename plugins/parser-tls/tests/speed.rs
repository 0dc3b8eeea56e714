//! Handshakes a second: `cargo test --release -p metaflow-parser-tls --test speed -- --ignored --nocapture`.

mod support;

use metaflow_parser_sdk::testing::{Runner, Script};
use metaflow_parser_tls::TlsParser;
use std::time::Instant;
use support::*;

#[test]
#[ignore = "a measurement: it prints and asserts nothing"]
fn handshakes_a_second() {
    let script = Script::new(443)
        .client(record(22, client_hello("shop.example", &offers_13())))
        .server([record(22, server_hello(9, &[1, 2, 3, 4], 0x1301, &chooses_13())), ccs(), data(2000)].concat())
        .client([ccs(), data(53), data(200)].concat());
    let (begin, rounds) = (Instant::now(), 20_000);
    let mut runner = Runner::<TlsParser>::new(&script);
    for _ in 0..rounds {
        for step in &script.steps {
            runner.step(step, &mut |bytes| vec![bytes.len()]);
        }
        runner.close();
    }
    println!(
        "TLS 1.3: {:.0} handshakes/s with decoding of the test kit",
        f64::from(rounds) / begin.elapsed().as_secs_f64()
    );
}
