//! Captures of real servers: their records stand in a file beside each, and can be printed.

use super::pcap;
use crate::Parser;
use std::path::Path;
use std::process::ExitCode;

/// Every `.pcap` of a folder gives the records in the `.records` file beside it (`MF_UPDATE=1` writes it anew): those of
/// the connections to each of the ports, one after the other.
///
/// # Panics
/// When a record differs, when a capture gives none, when the folder has no captures.
pub fn assert_captures<P: Parser>(folder: impl AsRef<Path>, ports: &[u16]) {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("captures {}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pcap"));
    files.sort();
    assert!(!files.is_empty(), "no captures in {}", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let rows = ports.iter().flat_map(|port| pcap::rows::<P>(&bytes, *port));
        let found: String = rows.map(|(session, row)| pcap::line(session, &row) + "\n").collect();
        assert!(!found.is_empty(), "nothing in {}: is its port none of {ports:?}?", file.display());
        let golden = file.with_extension("records");
        if std::env::var_os("MF_UPDATE").is_some() {
            std::fs::write(&golden, &found).unwrap_or_else(|error| panic!("{}: {error}", golden.display()));
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{}, record {}", file.display(), number + 1);
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "records of {}", file.display());
    }
}

/// The `main` of an example that prints the records of a capture: `cargo run --example replay -- FILE.pcap PORT`.
pub fn print_records<P: Parser>() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(port)) = (arguments.next(), arguments.next().and_then(|port| port.parse().ok())) else {
        eprintln!("usage: replay FILE.pcap PORT");
        return ExitCode::from(2);
    };
    match std::fs::read(&file) {
        Ok(bytes) => {
            for (session, row) in pcap::rows::<P>(&bytes, port) {
                println!("{}", pcap::line(session, &row));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file} cannot be read: {error}");
            ExitCode::FAILURE
        }
    }
}
