// Columns of results: records and checks.

import * as abi from "./metaflow_abi";

/** Records of one batch. */
const ROWS: u32 = 65536;
/** Texts of one batch, in bytes; what does not fit is absent. */
const TEXT_BYTES: u32 = 2 << 20;
const PIECES: u32 = 4 * ROWS;
const PIECE: u32 = 12; // row, column, length
const NUMBERS: u32 = 15;
const FIRST_TEXT: u32 = 16;
const TEXTS: u32 = 17;
const CHECK: u32 = 16; // verdict, offset, reason (address, length)
const CHECKS: u32 = (1 << 20) / 48 + 1;

const values: usize = heap.alloc(NUMBERS * ROWS * 8);
const valid: usize = heap.alloc(NUMBERS * (ROWS / 8));
const present: usize = heap.alloc(NUMBERS * 4);
const pieces: usize = heap.alloc(PIECES * PIECE);
const texts: usize = heap.alloc(TEXT_BYTES);
const checks: usize = heap.alloc(CHECKS * CHECK);
const result: usize = heap.alloc(16 + ROWS * (72 + 4 * TEXTS) + TEXT_BYTES + (64 << 10));
const scratch: usize = heap.alloc(4096);
memory.fill(valid, 0, NUMBERS * (ROWS / 8));
memory.fill(present, 0, NUMBERS * 4);

let segment: u32 = 0;
let rows: u32 = 0;
let pieceCount: u32 = 0;
let textEnd: u32 = 0;
let isOpen: bool = false;
let overflow: bool = false;
let at: usize = 0; // end of the result so far

export function setSegment(index: u32): void { segment = index; }

export function startRecords(): void {
  for (let id: u32 = 0; id < NUMBERS; id++) {
    if (load<u32>(present + id * 4) > 0) memory.fill(valid + id * (ROWS / 8), 0, ROWS / 8);
    store<u32>(present + id * 4, 0);
  }
  rows = 0;
  pieceCount = 0;
  textEnd = 0;
  isOpen = false;
  overflow = false;
}

export function beginAt(type: u32, offset: u64, time: u64): void {
  endRecord();
  if (rows >= ROWS) {
    overflow = true;
    return;
  }
  isOpen = true;
  setNumber(abi.RECORD_COLUMN_SEGMENT_INDEX, segment);
  setNumber(abi.RECORD_COLUMN_TYPE, type);
  setNumber(abi.RECORD_COLUMN_STREAM_OFFSET, offset);
  setNumber(abi.RECORD_COLUMN_TIME_NS, time);
}

/** Ends the record at hand. */
export function endRecord(): void {
  if (isOpen) rows++;
  isOpen = false;
}

/** Sets a number column (abi.RECORD_COLUMN_...) of the record at hand. */
export function setNumber(id: u32, value: u64): void {
  if (!isOpen || id >= NUMBERS) return;
  const place = valid + id * (ROWS / 8) + (rows >> 3);
  const bit = <u8>(<u32>1 << (rows & 7));
  if (!(load<u8>(place) & bit)) store<u32>(present + id * 4, load<u32>(present + id * 4) + 1);
  store<u8>(place, load<u8>(place) | bit);
  store<u64>(values + (id * ROWS + rows) * 8, value);
}

/** Length of the character at `from`, or minus the bytes that form none (the longest prefix of one, at least 1). */
function character(from: usize, length: usize): i32 {
  const first = load<u8>(from);
  let extra: i32 = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
  if (extra < 0) return -1;
  let low: u8 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  let high: u8 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  let good: i32 = 1;
  while (good <= extra && <usize>good < length && load<u8>(from + good) >= low && load<u8>(from + good) <= high) {
    good++;
    low = 0x80;
    high = 0xbf;
  }
  return good > extra ? good : -good;
}

/** Sets a text column to `length` bytes at `from`, or appends them; bytes that are no UTF-8 become U+FFFD. */
export function setText(id: u32, length: usize, from: usize): void {
  if (!isOpen || id < FIRST_TEXT || id >= FIRST_TEXT + TEXTS || pieceCount >= PIECES) return;
  const room = min(TEXT_BYTES - textEnd, abi.LIMIT_TEXT_BYTES);
  const to = texts + textEnd;
  let size: u32 = 0;
  while (length > 0) {
    const width = character(from, length);
    const used = <u32>abs(width);
    const wide: u32 = width < 0 ? 3 : used;
    if (size + wide > room) break;
    if (width < 0) {
      store<u8>(to + size, 0xef);
      store<u8>(to + size, 0xbf, 1);
      store<u8>(to + size, 0xbd, 2);
    } else {
      memory.copy(to + size, from, used);
    }
    size += wide;
    from += used;
    length -= used;
  }
  if (size == 0) return;
  const piece = pieces + pieceCount * PIECE;
  store<u32>(piece, rows);
  store<u32>(piece, id, 4);
  store<u32>(piece, size, 8);
  pieceCount++;
  textEnd += size;
}

/** Sets a text column to a string of the program, at most 1000 characters. */
export function setString(id: u32, text: string): void {
  setText(id, String.UTF8.encodeUnsafe(changetype<usize>(text), min(text.length, 1000), scratch), scratch);
}

/** Adds an attribute; neither text may hold a NUL. */
export function attribute(key: string, from: usize, length: usize): void {
  setString(abi.RECORD_COLUMN_ATTRIBUTES, key);
  setString(abi.RECORD_COLUMN_ATTRIBUTES, "\0");
  setText(abi.RECORD_COLUMN_ATTRIBUTES, length, from);
  setString(abi.RECORD_COLUMN_ATTRIBUTES, "\0");
}

export function startChecks(count: u32): void {
  for (let index: u32 = 0; index < count; index++) {
    segment = index;
    verdict(abi.VERDICT_NO, 0, "no verdict of the parser");
  }
}

export function verdict(value: u32, offset: u32, reason: string): void {
  const place = checks + segment * CHECK;
  store<u32>(place, value);
  store<u32>(place, offset, 4);
  store<usize>(place, changetype<usize>(reason), 8);
  store<u32>(place, reason.length, 12);
}

function put(value: u64, width: u32): void {
  for (let i: u32 = 0; i < width; i++) store<u8>(result + at + i, <u8>(value >> (8 * i)));
  at += width;
}

function pad(): void {
  while (at & 7) put(0, 1);
}

function column(id: u32, type: u32, flags: u32): usize {
  put(id | (type << 16) | (flags << 24), 4);
  put(0, 4);
  return at;
}

function closeColumn(start: usize): void {
  pad();
  store<u32>(result + start - 4, <u32>(at - start));
}

function finish(magic: u32, count: u32, columns: u32): i64 {
  store<u32>(result, magic);
  store<u32>(result, count, 4);
  store<u32>(result, columns, 8);
  store<u32>(result, 0, 12);
  return (<i64>result << 32) | <i64>at;
}

function typeOf(id: u32): u32 {
  if (id == abi.RECORD_COLUMN_SEGMENT_INDEX || id == abi.RECORD_COLUMN_CAPTURED_BYTES) return abi.COLUMN_TYPE_U32;
  if (id == abi.RECORD_COLUMN_CODE) return abi.COLUMN_TYPE_I32;
  if (id == abi.RECORD_COLUMN_TYPE || id == abi.RECORD_COLUMN_STATUS || id == abi.RECORD_COLUMN_PROTOCOL || id == abi.RECORD_COLUMN_FLAGS)
    return abi.COLUMN_TYPE_U8;
  return abi.COLUMN_TYPE_U64;
}

function writeNumbers(id: u32): void {
  const type = typeOf(id);
  const width: u32 = type == abi.COLUMN_TYPE_U8 ? 1 : type == abi.COLUMN_TYPE_U64 ? 8 : 4;
  const isSparse = load<u32>(present + id * 4) < rows;
  const start = column(id, type, isSparse ? abi.COLUMN_FLAG_VALIDITY : 0);
  const bits = valid + id * (ROWS / 8);
  if (isSparse) {
    memory.copy(result + at, bits, (rows + 7) / 8);
    at += (rows + 7) / 8;
    pad();
  }
  for (let row: u32 = 0; row < rows; row++) {
    const there = (load<u8>(bits + (row >> 3)) >> <u8>(row & 7)) & 1;
    put(there ? load<u64>(values + (id * ROWS + row) * 8) : 0, width);
  }
  closeColumn(start);
}

function writeTexts(id: u32): void {
  const start = column(id, abi.COLUMN_TYPE_UTF8, 0);
  let row: u32 = 0;
  let total: u32 = 0;
  for (let i: u32 = 0; i < pieceCount; i++) {
    const piece = pieces + i * PIECE;
    if (load<u32>(piece, 4) != id) continue;
    for (; row <= load<u32>(piece); row++) put(total, 4);
    total += load<u32>(piece, 8);
  }
  for (; row <= rows; row++) put(total, 4);
  let from: u32 = 0;
  for (let i: u32 = 0; i < pieceCount; i++) {
    const piece = pieces + i * PIECE;
    const length = load<u32>(piece, 8);
    if (load<u32>(piece, 4) == id) {
      memory.copy(result + at, texts + from, length);
      at += length;
    }
    from += length;
  }
  closeColumn(start);
}

export function finishRecords(): i64 {
  if (overflow) return -(<i64>abi.ERROR_NO_MEMORY);
  at = 16;
  let columns: u32 = 0;
  for (let id: u32 = 1; id < NUMBERS; id++) {
    if (load<u32>(present + id * 4) == 0) continue;
    writeNumbers(id);
    columns++;
  }
  let used: u32 = 0;
  for (let i: u32 = 0; i < pieceCount; i++) used |= <u32>1 << (load<u32>(pieces + i * PIECE, 4) - FIRST_TEXT);
  for (let id: u32 = 0; id < TEXTS; id++) {
    if (!((used >> id) & 1)) continue;
    writeTexts(id + FIRST_TEXT);
    columns++;
  }
  return finish(abi.MAGIC_RECORDS, rows, columns);
}

export function finishChecks(count: u32): i64 {
  at = 16;
  let start = column(abi.CHECK_COLUMN_VERDICT, abi.COLUMN_TYPE_U8, 0);
  for (let i: u32 = 0; i < count; i++) put(load<u32>(checks + i * CHECK), 1);
  closeColumn(start);
  start = column(abi.CHECK_COLUMN_OFFSET, abi.COLUMN_TYPE_U32, 0);
  for (let i: u32 = 0; i < count; i++) put(load<u32>(checks + i * CHECK, 4), 4);
  closeColumn(start);
  start = column(abi.CHECK_COLUMN_REASON, abi.COLUMN_TYPE_UTF8, 0);
  let total: u32 = 0;
  put(0, 4);
  for (let i: u32 = 0; i < count; i++) {
    total += <u32>String.UTF8.byteLength(changetype<string>(load<usize>(checks + i * CHECK, 8)));
    put(total, 4);
  }
  if (<u32>at + total + 8 > 16 + ROWS * (72 + 4 * TEXTS) + TEXT_BYTES) return -(<i64>abi.ERROR_NO_MEMORY);
  for (let i: u32 = 0; i < count; i++) {
    const reason = load<usize>(checks + i * CHECK, 8);
    at += String.UTF8.encodeUnsafe(reason, load<u32>(checks + i * CHECK, 12), result + at);
  }
  closeColumn(start);
  return finish(abi.MAGIC_CHECKS, count, 3);
}
