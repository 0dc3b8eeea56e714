//! How fast a parser is, through the ABI: for `#[ignore]`d tests, whose numbers are printed and never asserted.

use crate::abi_generated as abi;
use crate::{Direction, Host, Parser};
use std::time::Instant;

/// Messages a second for a request and its response, repeated in batches of 256 segments over 16 sessions for about a
/// second on one thread. Each step is one segment.
///
/// # Panics
/// When the parser refuses a batch.
pub fn throughput<P: Parser>(transport: u8, server_port: u16, steps: &[(Direction, &[u8])]) -> f64 {
    let mut host = Host::<P>::new();
    let mut offsets = [[0_u64; 2]; 16];
    let (mut messages, mut batches) = (0_usize, 0_u64);
    let mut batch = Vec::new();
    let mut spent = std::time::Duration::ZERO;
    while spent.as_secs_f64() < 1.0 {
        batch.clear();
        for word in [abi::MAGIC_BATCH, 256, 0, 0] {
            batch.extend_from_slice(&word.to_le_bytes());
        }
        for index in 0..256_usize {
            let session = (index / steps.len()) % 16;
            let (direction, payload) = steps[index % steps.len()];
            let offset = &mut offsets[session][direction.index()];
            segment(&mut batch, transport, server_port, session as u64, direction, *offset, payload);
            *offset += payload.len() as u64;
        }
        let start = Instant::now();
        host.input(batch.len()).expect("room")[..batch.len()].copy_from_slice(&batch);
        let result = host.parse(batch.len()).expect("a result");
        spent += start.elapsed();
        messages += u32::from_le_bytes(result[4..8].try_into().expect("rows")) as usize;
        batches += 1;
    }
    let rate = messages as f64 / spent.as_secs_f64();
    println!("{:.2} M records/s, {:.0} ns each, {batches} batches of 256 segments", rate / 1e6, 1e9 / rate);
    rate
}

fn segment(
    out: &mut Vec<u8>,
    transport: u8,
    port: u16,
    session: u64,
    direction: Direction,
    offset: u64,
    payload: &[u8],
) {
    let start = out.len();
    let size = (abi::SEGMENT_SIZE as usize + payload.len()).next_multiple_of(8);
    out.extend_from_slice(&(size as u32).to_le_bytes());
    out.extend_from_slice(&[abi::SEGMENT_KIND_DATA as u8, direction.index() as u8, transport, 0]);
    for word in [session, 1_700_000_000_000_000_000, offset] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&port.to_le_bytes());
    out.extend_from_slice(&40_000_u16.to_le_bytes());
    for word in [payload.len() as u32, payload.len() as u32, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(payload);
    out.resize(start + size, 0);
}
