// One direction of a session as contiguous bytes in bounded memory.

import * as abi from "./metaflow_abi";
import { beginAt, endRecord, setNumber, setString } from "./metaflow_records";

/** Longest piece that `need` can give. */
export const STREAM_BYTES: u32 = 4096;
/** Capture times remembered of buffered pieces; beyond it, neighbours share the earlier time. */
const MARKS: u32 = 16;

/** Why bytes were lost, by number; 0 is "nothing is". */
export enum LOST { NOTHING, CAPTURE, NO_MESSAGE, TOO_LONG, DATAGRAM }

/** The bytes of one direction: look with `need`, pass with `take`. Behind it: marks (end, time), then the buffer. */
@unmanaged
export class Stream {
  /** Stream offset of the next byte. */
  offset: u64;
  now: u64;
  skip: u64;
  lostFrom: u64;
  lostTime: u64;
  /** What is left of the segment at hand. */
  payload: usize;
  left: u32;
  held: u32;
  marks: u32;
  lost: u32;
  started: u32;
  searching: u32;
  reserved: u32;

  mark0Time(): u64 { return load<u64>(marksOf(this), 8); }
}

/** Bytes of a stream with its marks and buffer. */
export const STREAM_SIZE: usize = (offsetof<Stream>() + 7 & ~7) + MARKS * 16 + STREAM_BYTES;

function marksOf(stream: Stream): usize { return changetype<usize>(stream) + (offsetof<Stream>() + 7 & ~7); }
function bufferOf(stream: Stream): usize { return marksOf(stream) + MARKS * 16; }

/** Address of the next `count` bytes (at most 4096) in one piece, or 0 when they have not all come: return then. */
export function need(stream: Stream, count: u32): usize {
  if (count > STREAM_BYTES) return 0;
  if (stream.held == 0 && stream.left >= count) return stream.payload;
  const buffer = bufferOf(stream);
  if (stream.held < count && stream.left > 0) {
    const extra = min(count - stream.held, stream.left);
    memory.copy(buffer + stream.held, stream.payload, extra);
    stream.held += extra;
    stream.payload += extra;
    stream.left -= extra;
    const marks = marksOf(stream);
    if (stream.marks < MARKS && (stream.marks == 0 || load<u64>(marks + (stream.marks - 1) * 16, 8) != stream.now)) {
      store<u64>(marks + stream.marks * 16, stream.now, 8);
      stream.marks++;
    }
    store<u64>(marks + (stream.marks - 1) * 16, stream.offset + stream.held);
  }
  return stream.held >= count ? buffer : 0;
}

/** Passes over `count` bytes, those that are there and those to come; they are not kept. */
export function take(stream: Stream, count: u64): void {
  const here = <u32>min(count, <u64>stream.held);
  if (here > 0) {
    stream.held -= here;
    memory.copy(bufferOf(stream), bufferOf(stream) + here, stream.held);
  }
  const direct = <u32>min(count - here, <u64>stream.left);
  stream.payload += direct;
  stream.left -= direct;
  stream.offset += <u64>here + direct;
  stream.skip += count - here - direct;
  const marks = marksOf(stream);
  let passed: u32 = 0;
  while (passed < stream.marks && <i64>(load<u64>(marks + passed * 16) - stream.offset) <= 0) passed++;
  if (passed > 0) {
    stream.marks -= passed;
    memory.copy(marks, marks + passed * 16, stream.marks * 16);
  }
}

/** Capture time of the next byte. */
export function timeOf(stream: Stream): u64 {
  return stream.held > 0 && stream.marks > 0 ? stream.mark0Time() : stream.now;
}

/** Says what was lost and not yet told. */
export function tellLost(stream: Stream): void {
  const why = stream.lost;
  if (why == LOST.NOTHING) return;
  stream.lost = LOST.NOTHING;
  beginAt(abi.RECORD_TYPE_SKIPPED, stream.lostFrom, stream.lostTime);
  setNumber(abi.RECORD_COLUMN_LENGTH, stream.offset - stream.lostFrom);
  if (why == LOST.CAPTURE) setString(abi.RECORD_COLUMN_EXCEPTION, "bytes lost in the capture");
  else if (why == LOST.NO_MESSAGE) setString(abi.RECORD_COLUMN_EXCEPTION, "no message begins here");
  else if (why == LOST.TOO_LONG) setString(abi.RECORD_COLUMN_EXCEPTION, "a message longer than the parser's buffer");
  else setString(abi.RECORD_COLUMN_EXCEPTION, "the datagram ends inside a message");
  endRecord();
}

function noteLost(stream: Stream, why: u32): void {
  if (stream.lost != LOST.NOTHING) return;
  stream.lost = why;
  stream.lostFrom = stream.offset;
  stream.lostTime = timeOf(stream);
}

function lose(stream: Stream, count: u64): void {
  const passed = min(stream.skip, count);
  stream.skip -= passed;
  stream.offset += passed;
  if (count == passed) return;
  noteLost(stream, LOST.CAPTURE);
  stream.offset += stream.held + (count - passed);
  stream.held = 0;
  stream.marks = 0;
  stream.searching = 1;
}

/** Takes a gap segment. */
export function gap(stream: Stream, time: u64, offset: u64, length: u32): void {
  if (!stream.started) stream.offset = offset;
  stream.started = 1;
  stream.now = time;
  const missing = <i64>(offset + length - (stream.offset + stream.held));
  if (missing > 0) lose(stream, missing);
}

/** Puts a data segment behind what is there; false when all of it was seen before. */
export function open(stream: Stream, time: u64, offset: u64, payload: usize, length: u32, isStream: bool, isMid: bool): bool {
  stream.now = time;
  stream.payload = payload;
  stream.left = length;
  if (!stream.started || !isStream) {
    stream.started = 1;
    stream.held = 0;
    stream.marks = 0;
    stream.skip = 0;
    stream.offset = offset;
    stream.searching = isStream && isMid ? 1 : 0;
  }
  const ahead = <i64>(offset - (stream.offset + stream.held));
  if (ahead < 0) {
    const seen = 0 - <u64>ahead;
    if (seen >= length) {
      stream.left = 0;
      return false;
    }
    stream.payload += <usize>seen;
    stream.left -= <u32>seen;
  } else if (ahead > 0) {
    lose(stream, ahead);
  }
  const passed = min(stream.skip, <u64>stream.left);
  stream.skip -= passed;
  take(stream, passed);
  return true;
}

/** Looks for the next message after a loss; false when it has not come. */
export function search(stream: Stream, pattern: string): bool {
  if (!stream.searching) return true;
  const length = <u32>pattern.length;
  while (length > 0) {
    const bytes = need(stream, length);
    if (bytes == 0) return false;
    let same: u32 = 0;
    while (same < length && load<u8>(bytes + same) == pattern.charCodeAt(same)) same++;
    if (same == length) break;
    noteLost(stream, LOST.NO_MESSAGE);
    take(stream, 1);
  }
  tellLost(stream);
  stream.searching = 0;
  return true;
}

/** Keeps what the parser left for the next segment, or gives it up when it does not fit. */
export function keep(stream: Stream, isStream: bool): void {
  if (stream.left > 0 && need(stream, STREAM_BYTES) != 0 && stream.left > 0) {
    noteLost(stream, LOST.TOO_LONG);
    take(stream, <u64>stream.held + stream.left);
    stream.searching = 1;
  }
  if (!isStream && stream.held > 0) {
    noteLost(stream, LOST.DATAGRAM);
    take(stream, stream.held);
    tellLost(stream);
  }
}
