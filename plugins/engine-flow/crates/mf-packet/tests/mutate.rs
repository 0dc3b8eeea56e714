//! A small deterministic fuzz run: mutated frames and blocks must neither panic nor hang nor grow. The long run is
//! `plugins/engine-flow/fuzz`.

mod build;

use build::{frame_of, zoo, Rng};
use mf_packet::{Decoder, Format, FrameReader};

/// Changes, cuts, grows or splices bytes.
fn mutate(rng: &mut Rng, data: &mut Vec<u8>, others: &[(u16, Vec<u8>)]) {
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(data.len().max(1));
        match rng.below(6) {
            0 => data.truncate(at),
            1 => data.extend(std::iter::repeat_n(rng.next() as u8, rng.below(40))),
            2 => {
                let other = &others[rng.below(others.len())].1;
                data.truncate(at);
                data.extend_from_slice(&other[rng.below(other.len())..]);
            }
            3 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = [0, 255, 127, 128, 1][rng.below(5)];
                }
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << rng.below(8);
                }
            }
        }
    }
}

#[test]
fn mutated_frames() {
    let zoo = zoo();
    let mut rng = Rng(0x5eed);
    let mut decoder = Decoder::default();
    let mut decoded = 0;
    for i in 0..150_000u64 {
        let (link, data) = &zoo[rng.below(zoo.len())];
        let mut data = data.clone();
        mutate(&mut rng, &mut data, &zoo);
        let mut frame = frame_of(*link, i * 1_000_000, &data);
        frame.wire_len += rng.below(3) as u32 * 100;
        if let Some(packet) = decoder.decode(&frame) {
            decoded += 1;
            assert!(packet.payload.len() as u32 <= packet.payload_wire);
            assert!(packet.tunnel.tier <= 2);
            packet.symmetric_hash();
        }
    }
    assert!(decoded > 10_000, "{decoded}");
}

#[test]
fn mutated_blocks() {
    let zoo = zoo();
    let mut rng = Rng(0xb10c);
    for round in 0..3_000u32 {
        let format = Format::from_id(round % 4).unwrap();
        let mut block = match format {
            Format::Pcapng => vec![
                0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255,
                255, 255, 255, 255, 255, 255, 28, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0,
                0, 0, 0, 20, 0, 0, 0,
            ],
            _ => Vec::new(),
        };
        for _ in 0..rng.below(5) {
            let data = &zoo[rng.below(zoo.len())].1;
            let len = (data.len() as u32).to_le_bytes();
            let pad = data.len().next_multiple_of(4) - data.len();
            match format {
                Format::Pcapng => {
                    let size = (32 + data.len() + pad) as u32;
                    block.extend(
                        [6, 0, 0, 0]
                            .iter()
                            .chain(&size.to_le_bytes())
                            .chain(&[0; 12])
                            .chain(&len)
                            .chain(&len),
                    );
                    block.extend(data.iter().chain(&[0; 4][..pad]).chain(&size.to_le_bytes()));
                }
                _ => block.extend([0; 8].iter().chain(&len).chain(&len).chain(data)),
            }
        }
        mutate(&mut rng, &mut block, &zoo);
        let mut reader = FrameReader::new(format, rng.next() as u32 & 7, 1);
        let mut decoder = Decoder::default();
        let mut rest = &block[..];
        let mut frames = 0u64;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(1 + rng.below(rest.len()));
            frames += reader.read(now, |frame| {
                decoder.decode(&frame);
            });
            rest = later;
        }
        reader.finish();
        assert!(frames <= block.len() as u64);
    }
}
