// KV1, the private protocol of wasm-sdk/README.md, in AssemblyScript.

import * as abi from "../metaflow_abi";
import {
  Segment, Session, Stream, begin, big16, big32, endRecord, more, need, no, register, request, response, setNumber,
  setString, setText, take, violation,
} from "../metaflow";

export { mf_abi_v1, mf_input, mf_check, mf_parse } from "../metaflow";

const MAGIC = "KV1!";
const HEADER: u32 = 16;
const LONGEST_BODY: u32 = 4080;

/** The offset of what KV1 does not allow in a header, or -1. */
function wrongAt(head: usize): i32 {
  for (let i = 0; i < 4; i++) if (load<u8>(head + i) != MAGIC.charCodeAt(i)) return 0;
  const type = load<u8>(head, 4);
  const verb = load<u8>(head, 5);
  if (type < 1 || type > 3) return 4;
  if (type != abi.RECORD_TYPE_RESPONSE && (verb < 1 || verb > 3)) return 5;
  if (big32(head + 12) > LONGEST_BODY) return 12;
  return big16(head + 6) > big32(head + 12) ? 6 : -1;
}

function check(segment: Segment): void {
  for (let i: u32 = 0; i < 4; i++) {
    if (i >= segment.length) return more();
    if (load<u8>(segment.payload + i) != MAGIC.charCodeAt(i)) return no("no KV1 magic", i);
  }
  if (segment.length < HEADER) return more();
  const wrong = wrongAt(segment.payload);
  if (wrong >= 0) return no("not a KV1 header", wrong);
  if (load<u8>(segment.payload, 4) == abi.RECORD_TYPE_RESPONSE) response();
  else request();
}

function messages(session: Session, stream: Stream): void {
  for (;;) {
    const head = need(stream, HEADER);
    if (head == 0) return;
    if (wrongAt(head) >= 0) return violation(session, stream, "not a KV1 header");
    const size = HEADER + big32(head + 12);
    const frame = need(stream, size);
    if (frame == 0) return;
    const type = load<u8>(frame, 4);
    const verb = load<u8>(frame, 5);
    const key = big16(frame + 6);
    begin(stream, type); // KV1's numbers of types are those of the ABI: request, response, session
    setNumber(abi.RECORD_COLUMN_REQUEST_ID, big32(frame + 8));
    setNumber(abi.RECORD_COLUMN_STREAM_ID, big32(frame + 8));
    setNumber(abi.RECORD_COLUMN_LENGTH, size);
    if (type == abi.RECORD_TYPE_RESPONSE) {
      setNumber(abi.RECORD_COLUMN_CODE, verb);
      setNumber(abi.RECORD_COLUMN_STATUS, verb == 0 ? abi.STATUS_OK : verb == 1 ? abi.STATUS_CLIENT_ERROR : abi.STATUS_SERVER_ERROR);
      setText(verb == 0 ? abi.RECORD_COLUMN_RESULT : abi.RECORD_COLUMN_EXCEPTION, key, frame + HEADER);
    } else {
      setString(abi.RECORD_COLUMN_REQUEST_TYPE, verb == 1 ? "GET" : verb == 2 ? "SET" : "DEL");
      setText(abi.RECORD_COLUMN_REQUEST_RESOURCE, key, frame + HEADER);
    }
    endRecord();
    take(stream, size);
  }
}

register(check, messages, MAGIC);
