//! Prints the records of a capture: `cargo run --example replay_tls -- FILE.pcap PORT`.

use metaflow_parser_sdk::testing::pcap;

use metaflow_parser_tls::TlsParser;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(port)) = (arguments.next(), arguments.next().and_then(|port| port.parse().ok())) else {
        eprintln!("usage: replay FILE.pcap PORT");
        std::process::exit(2);
    };
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{file} cannot be read: {error}");
            std::process::exit(1);
        }
    };
    for (session, row) in pcap::rows::<TlsParser>(&bytes, port) {
        println!("{}", pcap::line(session, &row));
    }
}
