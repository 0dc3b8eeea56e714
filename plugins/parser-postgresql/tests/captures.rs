//! Captures of real servers: every record of each is in the file beside it (`MF_UPDATE=1` writes it anew).

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::pcap;
use std::path::Path;

/// The server's port in all captures.
const PORT: u16 = 42483;

#[test]
fn captures_give_their_records() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pcap"));
    files.sort();
    assert!(!files.is_empty(), "no captures in {}", folder.display());
    for file in files {
        let rows = pcap::rows::<PostgresqlParser>(&std::fs::read(&file).unwrap(), PORT);
        assert!(!rows.is_empty(), "nothing in {}: is its port another?", file.display());
        let found: String = rows.iter().map(|(session, row)| pcap::line(*session, row) + "\n").collect();
        let golden = file.with_extension("records");
        if std::env::var_os("MF_UPDATE").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
            assert_eq!(found, expected, "{}, record {}", file.display(), number + 1);
        }
        assert_eq!(found.lines().count(), expected.lines().count(), "records of {}", file.display());
    }
}
