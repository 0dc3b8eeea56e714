use super::{Appended, StreamBuffer};
use crate::{Direction, Kind, Segment, Transport};

const LIMIT: usize = 64;

fn segment(kind: Kind, offset: u64, time: u64, payload: &[u8], wire_len: u32) -> Segment<'_> {
    Segment {
        kind,
        direction: Direction::ClientToServer,
        transport: Transport::Tcp,
        flags: 0,
        session_id: 1,
        timestamp_ns: time,
        stream_offset: offset,
        server_port: 80,
        client_port: 1,
        wire_len,
        payload,
    }
}

fn data(stream: &mut StreamBuffer, offset: u64, time: u64, payload: &[u8]) -> Appended {
    stream.append(&segment(Kind::Data, offset, time, payload, payload.len() as u32), LIMIT)
}

fn gap(stream: &mut StreamBuffer, offset: u64, missing: u32) -> Appended {
    stream.append(&segment(Kind::Gap, offset, 9, &[], missing), LIMIT)
}

#[test]
fn bytes_of_several_segments_are_contiguous_and_keep_their_times() {
    let mut stream = StreamBuffer::default();
    data(&mut stream, 100, 1, b"abc");
    data(&mut stream, 103, 2, b"def");
    assert_eq!((stream.bytes(), stream.offset(), stream.time_ns()), (&b"abcdef"[..], 100, 1));
    assert_eq!((stream.time_at(2), stream.time_at(3), stream.time_at(99)), (1, 2, 2));
    stream.consume(4);
    assert_eq!((stream.bytes(), stream.offset(), stream.time_ns()), (&b"ef"[..], 104, 2));
    stream.consume(99);
    assert!(stream.is_empty());
    assert_eq!((stream.offset(), stream.time_ns()), (106, 2));
}

#[test]
fn skipped_bytes_are_not_buffered_and_a_gap_inside_them_is_no_loss() {
    let mut stream = StreamBuffer::default();
    data(&mut stream, 0, 1, b"head");
    stream.consume(2);
    stream.skip(1000);
    assert_eq!((stream.len(), stream.skipping()), (0, 998));
    assert_eq!(gap(&mut stream, 4, 500), Appended::InOrder);
    assert_eq!(data(&mut stream, 504, 2, &[0; 300]), Appended::InOrder);
    assert_eq!((stream.len(), stream.skipping(), stream.offset()), (0, 198, 804));
    assert_eq!(gap(&mut stream, 804, 199), Appended::Gap { dropped: 0, missing: 199 });
    assert_eq!((stream.skipping(), stream.offset()), (0, 1003));
}

#[test]
fn a_jump_forward_is_a_gap_and_old_bytes_are_ignored() {
    let mut stream = StreamBuffer::default();
    data(&mut stream, 0, 1, b"abc");
    assert!(!stream.is_broken_by(&segment(Kind::Data, 1, 2, b"bcde", 4)));
    assert!(stream.is_broken_by(&segment(Kind::Data, 10, 2, b"xyz", 3)));
    assert!(stream.is_broken_by(&segment(Kind::Gap, 3, 2, b"", 1)));
    assert_eq!(data(&mut stream, 1, 2, b"bcde"), Appended::InOrder);
    assert_eq!(stream.bytes(), b"abcde");
    assert_eq!(data(&mut stream, 0, 3, b"abc"), Appended::InOrder);
    assert_eq!(data(&mut stream, 10, 4, b"xyz"), Appended::Gap { dropped: 5, missing: 5 });
    assert_eq!((stream.bytes(), stream.offset(), stream.time_ns()), (&b"xyz"[..], 10, 4));
    assert_eq!(gap(&mut stream, 13, 0), Appended::InOrder);
    assert_eq!(gap(&mut stream, 10, 3), Appended::InOrder);
}

#[test]
fn what_nobody_consumes_is_given_up_at_the_limit() {
    let mut stream = StreamBuffer::default();
    assert_eq!(data(&mut stream, 0, 1, &[1; 65]), Appended::InOrder);
    assert_eq!(data(&mut stream, 65, 2, &[2; 10]), Appended::Overflow { dropped: 75 });
    assert_eq!((stream.len(), stream.offset()), (0, 75));
    assert_eq!(data(&mut stream, 75, 3, b"next"), Appended::InOrder);
    assert_eq!((stream.bytes(), stream.offset()), (&b"next"[..], 75));
}

#[test]
fn offsets_may_wrap_and_lie() {
    let mut stream = StreamBuffer::default();
    data(&mut stream, u64::MAX - 1, 1, b"abcd");
    assert_eq!(stream.offset(), u64::MAX - 1);
    stream.consume(3);
    assert_eq!((stream.offset(), stream.bytes()), (1, &b"d"[..]));
    data(&mut stream, 1 << 63, 2, b"far");
    data(&mut stream, 0, 2, b"back");
    stream.skip(u64::MAX);
    stream.skip(u64::MAX);
    gap(&mut stream, u64::MAX, u32::MAX);
    data(&mut stream, 7, 2, b"x");
}

#[test]
fn long_streams_of_tiny_segments_stay_small() {
    let mut stream = StreamBuffer::default();
    for offset in 0..10_000_u64 {
        data(&mut stream, offset, offset, b"x");
        if stream.len() > 40 {
            stream.consume(1);
        }
    }
    assert_eq!((stream.len(), stream.time_ns()), (40, 9960));
    assert!(stream.data.capacity() < 1024 && stream.marks.len() <= 64);
}
