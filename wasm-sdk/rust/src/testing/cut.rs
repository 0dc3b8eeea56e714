//! What a parser makes of messages of which only the first bytes were captured, as the kernel's programs give them.

use super::{pcap, Row, Value};
use crate::Parser;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// What is of the capture and not of the message.
const OPEN: [&str; 4] = ["segment_index", "end_time_ns", "captured_bytes", "passes"];

/// Every `.pcap` of a folder with each segment cut behind its first `most` bytes tells nothing that the whole capture does
/// not: each message of it is one of the whole capture's, at the same place, with the same length and numbers, and with
/// texts that are those of the whole or a beginning of them. Messages, texts and attributes may be missing, a status may be
/// unknown, and a message that says so (an attribute with the value `cut`, or `cut` itself) may count and list less than there
/// was. `marks` are the parser's own attributes that say what is missing. Returned is how many messages are told of how many, so that a test can say what it expects.
///
/// # Panics
/// When a message, a number or a text is told that is not so; a violation is never so.
pub fn assert_cut_captures<P: Parser>(
    folder: impl AsRef<Path>,
    ports: &[u16],
    most: usize,
    marks: &[&str],
) -> (usize, usize) {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("captures {}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "pcap"));
    files.sort();
    let (mut told, mut all, mut wrong) = (0, 0, Vec::new());
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for port in ports {
            let whole = pcap::rows::<P>(&bytes, *port);
            let cut = pcap::cut_rows::<P>(&bytes, *port, most);
            all += whole.iter().filter(|(_, row)| is_message(row)).count();
            told += cut.iter().filter(|(_, row)| is_message(row) && row.status() != "unknown").count();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            wrong.extend(lies(&whole, &cut, marks).into_iter().map(|lie| format!("{name}: {lie}")));
        }
    }
    assert!(wrong.is_empty(), "{} things are told that are not so:\n{}", wrong.len(), wrong.join("\n"));
    (told, all)
}

fn is_message(row: &Row) -> bool {
    !matches!(row.kind(), "skipped" | "violation")
}

/// What `cut` says and `whole` does not.
fn lies(whole: &[(u64, Row)], cut: &[(u64, Row)], marks: &[&str]) -> Vec<String> {
    let mut known: HashMap<_, Vec<&Row>> = HashMap::new();
    for (session, row) in whole {
        known.entry((*session, row.kind(), row.number("stream_offset"))).or_default().push(row);
    }
    let mut found = Vec::new();
    for (session, row) in cut {
        if row.kind() == "violation" && !whole.iter().any(|(id, other)| id == session && other.kind() == "violation") {
            found.push(format!("a violation: {}", pcap::line(*session, row)));
        }
        let is_lost = row.status() == "unknown" && !row.text("exception").is_empty();
        if !is_message(row) || is_lost {
            continue;
        }
        let same = known.get(&(*session, row.kind(), row.number("stream_offset"))).map_or(&[][..], Vec::as_slice);
        match same.iter().map(|other| differences(other, row, marks)).min_by_key(Vec::len) {
            None => found.push(format!("no such message: {}", pcap::line(*session, row))),
            Some(differences) if !differences.is_empty() => {
                found.push(format!("{}: {}", differences.join(", "), pcap::line(*session, row)));
            }
            Some(_) => {}
        }
    }
    found
}

/// Cells of `cut` that are not those of `whole`.
fn differences(whole: &Row, cut: &Row, marks: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let says_so = attributes(cut).iter().any(|(key, value)| *value == "cut" || *key == "cut");
    for (name, value) in &cut.0 {
        match (value, whole.0.get(name)) {
            _ if OPEN.contains(&name.as_str()) => {}
            (value, Some(other)) if value == other => {}
            (_, Some(_)) if name == "status" && cut.status() == "unknown" => {}
            (Value::Text(_), _) if name == "attributes" => {
                let said = attributes(whole);
                for (key, value) in attributes(cut) {
                    match said.get(key) {
                        _ if value == "cut" || key == "cut" || marks.contains(&key) => {}
                        Some(other) if begins(other, value) || (says_so && is_less(value, other)) => {}
                        other => found.push(format!("attribute {key} is {value:?}, not {other:?}")),
                    }
                }
            }
            (Value::Text(text), Some(Value::Text(other))) if begins(other, text) => {}
            (Value::Text(text), Some(Value::Text(other))) if says_so && is_part(text, other) => {}
            (Value::Number(number), Some(Value::Number(other))) if says_so && name == "length" && number < other => {}
            (value, other) => found.push(format!("{name} is {value:?}, not {other:?}")),
        }
    }
    found
}

/// `text` is `whole` or a beginning of it (a character may have been cut).
fn begins(whole: &str, text: &str) -> bool {
    whole.starts_with(text.trim_end_matches(['\u{fffd}', '\u{2026}']))
}

fn is_less(value: &str, other: &str) -> bool {
    matches!((value.parse::<u64>(), other.parse::<u64>()), (Ok(value), Ok(other)) if value < other)
}

/// Each item of a list stands in another list.
fn is_part(list: &str, other: &str) -> bool {
    list.split(',').all(|item| other.split(',').any(|known| known == item))
}

fn attributes(row: &Row) -> BTreeMap<&str, &str> {
    let parts: Vec<&str> = row.text("attributes").split('\0').collect();
    parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}
