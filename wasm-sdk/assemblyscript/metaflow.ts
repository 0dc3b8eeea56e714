// A MetaFlow parser in AssemblyScript: these files, metaflow_abi.ts and one source file. No heap use after the start, no imports.
//
//     import * as abi from "metaflow_abi"; import { Segment, Session, Stream, register, ... } from "metaflow";
//     export { mf_abi_v1, mf_input, mf_check, mf_parse } from "metaflow";
//
//     function check(segment: Segment): void { ... }                       // call no, more, request or response once
//     function messages(session: Session, stream: Stream): void { ... }    // take every message that is there
//     register(check, messages, "MAGI");   // what a message begins with; after lost bytes the next one is looked for
//
// The kit does the rest of mf_abi_v1 (wasm-sdk/abi/v1.md): arena, walk over the batch, sessions, messages that are split over
// segments, gaps, lost bytes, columns. Everything is bounded. Build (mflow wasm build does it):
// asc parser.ts -O3 --runtime stub --use abort=

import * as abi from "./metaflow_abi";
import { beginAt, endRecord, finishChecks, finishRecords, setNumber, setSegment, setText, startChecks, startRecords, verdict } from "./metaflow_records";
import { Stream, STREAM_SIZE, gap, keep, open, search, tellLost } from "./metaflow_stream";

export { Stream, need, take, timeOf, LOST } from "./metaflow_stream";
export { setNumber, setText, setString, attribute, endRecord } from "./metaflow_records";

/** Largest batch; the manifest's limits.batch_bytes must not be larger. */
const INPUT_BYTES: u32 = 1 << 20;
/** Sessions remembered; the least recently used of a set of four gives way. */
const SESSIONS: u32 = 1024;
const WAYS: u32 = 4;

/** One segment of a batch. */
@unmanaged
export class Segment {
  sessionId: u64;
  timestampNs: u64;
  streamOffset: u64;
  payload: usize;
  length: u32;
  wireLength: u32;
  serverPort: u16;
  clientPort: u16;
  kind: u8;
  direction: u8;
  transport: u8;
  flags: u8;
}

/** One session; `state` is the parser's, 0 at its start. The two streams follow it in memory. */
@unmanaged
export class Session {
  id: u64;
  used: u64;
  state: u64;
  ended: u32;
  reserved: u32;
}

type CheckFunction = (segment: Segment) => void;
type MessagesFunction = (session: Session, stream: Stream) => void;

const SESSION_SIZE: usize = offsetof<Session>() + 2 * STREAM_SIZE;
const arena: usize = heap.alloc(INPUT_BYTES);
const sessions: usize = heap.alloc(<usize>SESSIONS * SESSION_SIZE);
const segment: Segment = changetype<Segment>(heap.alloc(offsetof<Segment>()));
memory.fill(sessions, 0, <usize>SESSIONS * SESSION_SIZE);
let clock: u64 = 0;
let onCheck: CheckFunction = (segment: Segment): void => {};
let onMessages: MessagesFunction = (session: Session, stream: Stream): void => {};
let pattern: string = "";

/** Names the parser's two functions. Call it once, at the top of the source file. */
export function register(check: CheckFunction, messages: MessagesFunction, resync: string = ""): void {
  onCheck = check;
  onMessages = messages;
  pattern = resync;
}

/** Begins a record (abi.RECORD_TYPE_...) of a message that starts at the stream's next byte. */
export function begin(stream: Stream, type: u32): void {
  beginAt(type, stream.offset, stream.held > 0 && stream.marks > 0 ? stream.mark0Time() : stream.now);
}

/** Withdraws from the session: the next byte is not this protocol. Return after it. */
export function violation(session: Session, stream: Stream, reason: string): void {
  begin(stream, abi.RECORD_TYPE_VIOLATION);
  setText(abi.RECORD_COLUMN_EXCEPTION, String.UTF8.encodeUnsafe(changetype<usize>(reason), reason.length, scratch), scratch);
  endRecord();
  session.ended = 1;
}
const scratch: usize = heap.alloc(4096);

/** Refuses: why (a string of the program), and the byte of the payload at which it was seen. */
export function no(reason: string, offset: u32): void {
  verdict(abi.VERDICT_NO, offset, reason);
}
export function more(): void { verdict(abi.VERDICT_MORE, 0, ""); }
export function request(): void { verdict(abi.VERDICT_REQUEST, 0, ""); }
export function response(): void { verdict(abi.VERDICT_RESPONSE, 0, ""); }

/** Big-endian numbers, for protocols of the network. */
export function big16(at: usize): u32 { return bswap<u16>(load<u16>(at)); }
export function big32(at: usize): u32 { return bswap<u32>(load<u32>(at)); }

function lane(session: Session, direction: u32): Stream {
  return changetype<Stream>(changetype<usize>(session) + offsetof<Session>() + <usize>direction * STREAM_SIZE);
}

/** The session, or null (0) when it is not known and `create` is false. */
function find(id: u64, create: bool): usize {
  const mixed: u64 = (id ^ (id >> 29)) * 0x9e3779b97f4a7c15;
  const first: usize = sessions + <usize>(((mixed >> 32) % (SESSIONS / WAYS)) * WAYS) * SESSION_SIZE;
  let oldest = changetype<Session>(first);
  clock++;
  for (let way: u32 = 0; way < WAYS; way++) {
    const slot = changetype<Session>(first + <usize>way * SESSION_SIZE);
    if (slot.used != 0 && slot.id == id) {
      slot.used = clock;
      return changetype<usize>(slot);
    }
    if (slot.used < oldest.used) oldest = slot;
  }
  if (!create) return 0;
  memory.fill(changetype<usize>(oldest), 0, offsetof<Session>());
  for (let direction: u32 = 0; direction < 2; direction++) memory.fill(changetype<usize>(lane(oldest, direction)), 0, offsetof<Stream>());
  oldest.id = id;
  oldest.used = clock;
  return changetype<usize>(oldest);
}

function data(session: Session): void {
  const stream = lane(session, segment.direction);
  const isStream = segment.transport == abi.TRANSPORT_TCP;
  if (!open(stream, segment.timestampNs, segment.streamOffset, segment.payload, segment.length, isStream,
            (segment.flags & abi.SEGMENT_FLAG_MID_STREAM) != 0)) return;
  if (stream.left > 0 && search(stream, pattern)) onMessages(session, stream);
  if (!session.ended) keep(stream, isStream);
  stream.left = 0;
}

function parseOne(): void {
  const isClose = segment.kind == abi.SEGMENT_KIND_CLOSE;
  const found = find(segment.sessionId, !isClose);
  if (found == 0) return;
  const session = changetype<Session>(found);
  if (isClose) {
    for (let direction: u32 = 0; direction < 2; direction++) if (!session.ended) tellLost(lane(session, direction));
    session.used = 0;
  } else if (!session.ended) {
    if (segment.kind == abi.SEGMENT_KIND_DATA) data(session);
    else gap(lane(session, segment.direction), segment.timestampNs, segment.streamOffset, segment.wireLength);
  }
}

/** Walks over the batch in the arena; the number of segments, or -1 when a length does not fit. */
function walk(length: u32, isCheck: bool): i32 {
  if (length > INPUT_BYTES || length < abi.BUFFER_HEADER_SIZE || load<u32>(arena) != abi.MAGIC_BATCH) return -1;
  const count = load<u32>(arena, abi.BUFFER_HEADER_COUNT);
  if (count > length / abi.SEGMENT_SIZE) return -1;
  if (isCheck) startChecks(count); else startRecords();
  let at: u32 = abi.BUFFER_HEADER_SIZE;
  for (let index: u32 = 0; index < count; index++) {
    if (length - at < abi.SEGMENT_SIZE) return -1;
    const head = arena + at;
    const size = load<u32>(head, abi.SEGMENT_TOTAL_SIZE);
    const captured = load<u32>(head, abi.SEGMENT_CAP_LEN);
    if (size > length - at || size < abi.SEGMENT_SIZE || captured > size - abi.SEGMENT_SIZE) return -1;
    at += size;
    segment.kind = load<u8>(head, abi.SEGMENT_KIND);
    segment.direction = load<u8>(head, abi.SEGMENT_DIRECTION);
    if (segment.kind > abi.SEGMENT_KIND_CLOSE || segment.direction > 1) continue; // of a later minor version
    segment.transport = load<u8>(head, abi.SEGMENT_TRANSPORT);
    segment.flags = load<u8>(head, abi.SEGMENT_FLAGS);
    segment.sessionId = load<u64>(head, abi.SEGMENT_SESSION_ID);
    segment.timestampNs = load<u64>(head, abi.SEGMENT_TIMESTAMP_NS);
    segment.streamOffset = load<u64>(head, abi.SEGMENT_STREAM_OFFSET);
    segment.serverPort = load<u16>(head, abi.SEGMENT_SERVER_PORT);
    segment.clientPort = load<u16>(head, abi.SEGMENT_CLIENT_PORT);
    segment.wireLength = load<u32>(head, abi.SEGMENT_WIRE_LEN);
    segment.payload = head + abi.SEGMENT_SIZE;
    segment.length = captured;
    setSegment(index);
    if (isCheck) {
      onCheck(segment);
    } else {
      parseOne();
      endRecord();
    }
  }
  return count;
}

export function mf_abi_v1(): void {}

export function mf_input(capacity: u32): usize {
  return capacity <= INPUT_BYTES ? arena : 0;
}

export function mf_check(length: u32): i64 {
  const count = walk(length, true);
  return count < 0 ? -(<i64>abi.ERROR_MALFORMED) : finishChecks(count);
}

export function mf_parse(length: u32): i64 {
  return walk(length, false) < 0 ? -(<i64>abi.ERROR_MALFORMED) : finishRecords();
}
