//! Any bytes as a source's blocks, in any split: the same frames as in one block, no panic. Input: `u8 format · u8 flags ·
//! u8 split`, then the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mf_packet::{Format, FrameReader};

fuzz_target!(|input: &[u8]| {
    let Some((&[format, flags, split], bytes)) = input.split_first_chunk::<3>() else { return };
    let Some(format) = Format::from_id(u32::from(format & 3)) else { return };
    let read = |blocks: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = FrameReader::new(format, u32::from(flags & 7), 1);
        let mut frames = Vec::new();
        for block in blocks {
            reader.read(block, |frame| frames.push((frame.time_ns, frame.wire_len, frame.data.to_vec())));
        }
        reader.finish();
        frames
    };
    let whole = read(&mut std::iter::once(bytes));
    if format != Format::Tpacket3 {
        assert_eq!(whole, read(&mut bytes.chunks(usize::from(split) + 1)));
    }
});
