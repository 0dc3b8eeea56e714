//! What every input must hold: no panic, a well-formed result, and the same messages when the bytes are cut elsewhere.
//!
//! An input is a list of steps: a byte whose lowest bit is the direction, whose next two bits are 3 for a gap and
//! whose highest bit says in the first step that the start was not seen; two bytes of length, then so many bytes (for a
//! gap none).

use metaflow_parser_mysql::MysqlParser;
use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

/// Plays one input.
pub fn run(data: &[u8]) {
    let mut script = Script::new(3306);
    let mut rest = data;
    let mut has_gap = false;
    if rest.first().is_some_and(|first| first & 0x80 != 0) {
        script = script.mid_stream();
        has_gap = true;
    }
    while let [kind, low, high, tail @ ..] = rest {
        let direction = if kind & 1 == 0 { ClientToServer } else { ServerToClient };
        let length = usize::from(u16::from_le_bytes([*low, *high]) & 0x7ff);
        if kind >> 1 & 3 == 3 {
            script = script.gap(direction, length as u32);
            has_gap = true;
            rest = tail;
            continue;
        }
        let (bytes, after) = tail.split_at(tail.len().min(length));
        script = if kind & 1 == 0 { script.client(bytes) } else { script.server(bytes) };
        rest = after;
    }
    let whole = script.run::<MysqlParser>();
    let single = script.run_cut::<MysqlParser>(|bytes| vec![1; bytes.len()]);
    // After a violation nothing more is read; where it shows may depend on how much was there to see. After a loss the
    // way back may too.
    let comparable = !has_gap && !whole.iter().chain(&single).any(|row| matches!(row.kind(), "violation" | "skipped"));
    if comparable {
        assert_eq!(whole, single);
    }
}
