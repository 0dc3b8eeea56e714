//! Columns of results: records and checks.

const abi = @import("metaflow_abi.zig");
const kit = @import("metaflow.zig");
const Stream = @import("metaflow_stream.zig").Stream;

/// Records of one batch.
pub const row_count = 65536;
/// Texts of one batch, in bytes; what does not fit is absent.
pub const text_bytes = 2 << 20;

const number_count = 15;
const first_text = 16;
const text_count = 17;
const piece_count = 4 * row_count;

const widths = [number_count]u8{ 0, 4, 1, 1, 4, 8, 8, 8, 8, 1, 8, 8, 8, 1, 4 };
const types = [number_count]u32{
    0,                   abi.column_type.u32, abi.column_type.u8,  abi.column_type.u8, abi.column_type.i32,
    abi.column_type.u64, abi.column_type.u64, abi.column_type.u64, abi.column_type.u64, abi.column_type.u8,
    abi.column_type.u64, abi.column_type.u64, abi.column_type.u64, abi.column_type.u8, abi.column_type.u32,
};

/// A part of a text; the parts of one cell are joined.
const Piece = struct { row: u32, column: u32, length: u32 };

var result: [16 + row_count * (72 + 4 * text_count) + text_bytes + (64 << 10)]u8 align(8) = undefined;
var end_of_result: usize = 0;

fn put(value: u64, width: usize) void {
    for (0..width) |i| result[end_of_result + i] = @truncate(value >> @intCast(8 * i));
    end_of_result += width;
}

fn putBytes(bytes: []const u8) void {
    @memcpy(result[end_of_result..][0..bytes.len], bytes);
    end_of_result += bytes.len;
}

fn pad() void {
    while (end_of_result % 8 != 0) put(0, 1);
}

fn column(id: u32, kind: u32, flags: u32) usize {
    put(id | kind << 16 | flags << 24, 4);
    put(0, 4);
    return end_of_result;
}

fn closeColumn(start: usize) void {
    pad();
    const size = end_of_result - start;
    for (0..4) |i| result[start - 4 + i] = @truncate(size >> @intCast(8 * i));
}

fn finish(magic: u32, rows: u32, columns: u32) i64 {
    const size = end_of_result;
    end_of_result = 0;
    for ([4]u32{ magic, rows, columns, 0 }) |word| put(word, 4);
    return @bitCast(@as(u64, @intFromPtr(&result)) << 32 | size);
}

/// Length of the character at the start of `bytes`, or minus the bytes that form none (the longest prefix of one).
fn character(bytes: []const u8) i32 {
    const more: usize = switch (bytes[0]) {
        0x00...0x7f => 0,
        0xc2...0xdf => 1,
        0xe0...0xef => 2,
        0xf0...0xf4 => 3,
        else => return -1,
    };
    var low: u8 = switch (bytes[0]) {
        0xe0 => 0xa0,
        0xf0 => 0x90,
        else => 0x80,
    };
    var high: u8 = switch (bytes[0]) {
        0xed => 0x9f,
        0xf4 => 0x8f,
        else => 0xbf,
    };
    var good: usize = 1;
    while (good <= more and good < bytes.len and bytes[good] >= low and bytes[good] <= high) {
        good += 1;
        low = 0x80;
        high = 0xbf;
    }
    const length: i32 = @intCast(good);
    return if (good > more) length else -length;
}

/// The records of a batch.
pub const Records = struct {
    segment: u32,
    rows: u32,
    is_open: bool,
    overflow: bool,
    pieces: u32,
    text_end: u32,
    present: [number_count]u32,
    valid: [number_count][row_count / 8]u8,
    values: [number_count][row_count]u64,
    piece: [piece_count]Piece,
    bytes: [text_bytes]u8,

    pub fn clear(self: *Records) void {
        self.rows = 0;
        self.is_open = false;
        self.overflow = false;
        self.pieces = 0;
        self.text_end = 0;
        for (&self.present, &self.valid) |*present, *valid| {
            if (present.* > 0) @memset(valid, 0);
            present.* = 0;
        }
    }

    /// Begins a record (abi.record_type) of a message that starts at the stream's next byte.
    pub fn begin(self: *Records, in: *const Stream, kind: u32) void {
        self.beginAt(kind, in.offset, in.time());
    }

    pub fn beginAt(self: *Records, kind: u32, offset: u64, time: u64) void {
        self.end();
        if (self.rows >= row_count) {
            self.overflow = true;
            return;
        }
        self.is_open = true;
        self.set(abi.record_column.segment_index, self.segment);
        self.set(abi.record_column.type, kind);
        self.set(abi.record_column.stream_offset, offset);
        self.set(abi.record_column.time_ns, time);
    }

    /// Ends the record at hand.
    pub fn end(self: *Records) void {
        if (self.is_open) self.rows += 1;
        self.is_open = false;
    }

    /// Sets a number column (abi.record_column).
    pub fn set(self: *Records, id: u32, value: u64) void {
        if (!self.is_open or id >= number_count) return;
        const bit = @as(u8, 1) << @intCast(self.rows & 7);
        const valid = &self.valid[id][self.rows >> 3];
        if (valid.* & bit == 0) self.present[id] += 1;
        valid.* |= bit;
        self.values[id][self.rows] = value;
    }

    /// Sets a text column, or appends to it; bytes that are no UTF-8 become U+FFFD.
    pub fn text(self: *Records, id: u32, bytes: []const u8) void {
        if (!self.is_open or id < first_text or id >= first_text + text_count or self.pieces >= piece_count) return;
        const room = @min(text_bytes - self.text_end, abi.limit.text_bytes);
        const to = self.bytes[self.text_end..][0..room];
        var size: u32 = 0;
        var rest = bytes;
        while (rest.len > 0) {
            const width = character(rest);
            const used: usize = @abs(width);
            const shown = if (width < 0) "\u{fffd}" else rest[0..used];
            if (size + shown.len > room) break;
            @memcpy(to[size..][0..shown.len], shown);
            size += @intCast(shown.len);
            rest = rest[used..];
        }
        if (size == 0) return;
        self.piece[self.pieces] = .{ .row = self.rows, .column = id, .length = size };
        self.pieces += 1;
        self.text_end += size;
    }

    /// Adds an attribute; neither text may hold a NUL.
    pub fn attribute(self: *Records, key: []const u8, value: []const u8) void {
        for ([_][]const u8{ key, "\x00", value, "\x00" }) |part| self.text(abi.record_column.attributes, part);
    }

    fn writeNumbers(self: *Records, id: u32) void {
        const is_sparse = self.present[id] < self.rows;
        const start = column(id, types[id], if (is_sparse) abi.column_flag.validity else 0);
        if (is_sparse) {
            putBytes(self.valid[id][0 .. (self.rows + 7) / 8]);
            pad();
        }
        for (0..self.rows) |row| {
            const there = self.valid[id][row >> 3] >> @intCast(row & 7) & 1;
            put(if (there == 1) self.values[id][row] else 0, widths[id]);
        }
        closeColumn(start);
    }

    fn writeTexts(self: *Records, id: u32) void {
        const start = column(id, abi.column_type.utf8, 0);
        var row: u32 = 0;
        var total: u32 = 0;
        for (self.piece[0..self.pieces]) |piece| {
            if (piece.column != id) continue;
            while (row <= piece.row) : (row += 1) put(total, 4);
            total += piece.length;
        }
        while (row <= self.rows) : (row += 1) put(total, 4);
        var from: u32 = 0;
        for (self.piece[0..self.pieces]) |piece| {
            if (piece.column == id) putBytes(self.bytes[from..][0..piece.length]);
            from += piece.length;
        }
        closeColumn(start);
    }

    /// The result; null when there were more records than fit.
    pub fn write(self: *Records) ?i64 {
        if (self.overflow) return null;
        end_of_result = 16;
        var columns: u32 = 0;
        for (1..number_count) |id| {
            if (self.present[id] == 0) continue;
            self.writeNumbers(@intCast(id));
            columns += 1;
        }
        var used: u32 = 0;
        for (self.piece[0..self.pieces]) |piece| used |= @as(u32, 1) << @intCast(piece.column - first_text);
        for (0..text_count) |id| {
            if (used >> @intCast(id) & 1 == 0) continue;
            self.writeTexts(@intCast(id + first_text));
            columns += 1;
        }
        return finish(abi.magic.records, self.rows, columns);
    }
};

/// The result of a check; null when the reasons do not fit.
pub fn writeChecks(verdicts: []const kit.Check) ?i64 {
    end_of_result = 16;
    var start = column(abi.check_column.verdict, abi.column_type.u8, 0);
    for (verdicts) |check| put(switch (check) {
        .no => abi.verdict.no,
        .more => abi.verdict.more,
        .request => abi.verdict.request,
        .response => abi.verdict.response,
    }, 1);
    closeColumn(start);
    start = column(abi.check_column.offset, abi.column_type.u32, 0);
    for (verdicts) |check| put(if (check == .no) check.no.offset else 0, 4);
    closeColumn(start);
    start = column(abi.check_column.reason, abi.column_type.utf8, 0);
    var total: usize = 0;
    put(0, 4);
    for (verdicts) |check| {
        if (check == .no) total += check.no.reason.len;
        put(total, 4);
    }
    if (end_of_result + total + 8 > result.len) return null;
    for (verdicts) |check| {
        if (check == .no) putBytes(check.no.reason);
    }
    closeColumn(start);
    return finish(abi.magic.checks, @intCast(verdicts.len), 3);
}
