//! One direction of a session as contiguous bytes in bounded memory.

const abi = @import("metaflow_abi.zig");
const kit = @import("metaflow.zig");
const Records = @import("metaflow_records.zig").Records;

/// Longest piece that `need` can give.
pub const stream_bytes = 4096;
/// Capture times remembered of buffered pieces; beyond it, neighbours share the earlier time.
const mark_count = 16;

const Mark = struct { end: u64, time: u64 };
const Loss = struct { from: u64, time: u64, why: []const u8 };

/// The bytes of one direction: look with `need`, pass with `take`.
pub const Stream = struct {
    /// Stream offset of the next byte.
    offset: u64,
    now: u64,
    skip: u64,
    lost: ?Loss,
    /// What is left of the segment at hand.
    left: []const u8,
    held: u32,
    started: bool,
    searching: bool,
    marks: u8,
    mark: [mark_count]Mark,
    buffer: [stream_bytes]u8,

    pub fn reset(self: *Stream) void {
        self.offset = 0;
        self.now = 0;
        self.skip = 0;
        self.lost = null;
        self.left = &.{};
        self.held = 0;
        self.started = false;
        self.searching = false;
        self.marks = 0;
    }

    /// The next `count` bytes (at most `stream_bytes`) in one piece, or null when they have not all come: return then.
    pub fn need(self: *Stream, count: usize) ?[]const u8 {
        if (count > stream_bytes) return null;
        if (self.held == 0 and self.left.len >= count) return self.left[0..count];
        if (self.held < count and self.left.len > 0) {
            const more = @min(count - self.held, self.left.len);
            @memcpy(self.buffer[self.held..][0..more], self.left[0..more]);
            self.held += @intCast(more);
            self.left = self.left[more..];
            if (self.marks < mark_count and (self.marks == 0 or self.mark[self.marks - 1].time != self.now)) {
                self.mark[self.marks].time = self.now;
                self.marks += 1;
            }
            self.mark[self.marks - 1].end = self.offset +% self.held;
        }
        return if (self.held >= count) self.buffer[0..count] else null;
    }

    /// Passes over `count` bytes, those that are there and those to come; they are not kept.
    pub fn take(self: *Stream, count: u64) void {
        const here: u32 = @intCast(@min(count, self.held));
        if (here > 0) {
            self.held -= here;
            for (0..self.held) |i| self.buffer[i] = self.buffer[i + here];
        }
        const direct: usize = @intCast(@min(count - here, self.left.len));
        self.left = self.left[direct..];
        self.offset +%= here + direct;
        self.skip += count - here - direct;
        var passed: u8 = 0;
        while (passed < self.marks and @as(i64, @bitCast(self.mark[passed].end -% self.offset)) <= 0) passed += 1;
        if (passed > 0) {
            self.marks -= passed;
            for (0..self.marks) |i| self.mark[i] = self.mark[i + passed];
        }
    }

    /// Capture time of the next byte.
    pub fn time(self: *const Stream) u64 {
        return if (self.held > 0 and self.marks > 0) self.mark[0].time else self.now;
    }

    /// Says what was lost and not yet told.
    pub fn tellLost(self: *Stream, out: *Records) void {
        const lost = self.lost orelse return;
        self.lost = null;
        out.beginAt(abi.record_type.skipped, lost.from, lost.time);
        out.set(abi.record_column.length, self.offset -% lost.from);
        out.text(abi.record_column.exception, lost.why);
        out.end();
    }

    fn noteLost(self: *Stream, why: []const u8) void {
        if (self.lost == null) self.lost = .{ .from = self.offset, .time = self.time(), .why = why };
    }

    fn lose(self: *Stream, count: u64) void {
        const passed = @min(self.skip, count);
        self.skip -= passed;
        self.offset +%= passed;
        if (count == passed) return;
        self.noteLost("bytes lost in the capture");
        self.offset +%= self.held + (count - passed);
        self.held = 0;
        self.marks = 0;
        self.searching = true;
    }

    /// Takes a gap segment.
    pub fn gap(self: *Stream, segment: *const kit.Segment) void {
        if (!self.started) self.offset = segment.stream_offset;
        self.started = true;
        self.now = segment.timestamp_ns;
        const missing: i64 = @bitCast(segment.stream_offset +% segment.wire_len -% (self.offset +% self.held));
        if (missing > 0) self.lose(@intCast(missing));
    }

    /// Puts a data segment behind what is there; false when all of it was seen before.
    pub fn open(self: *Stream, segment: *const kit.Segment, is_stream: bool, out: *Records) bool {
        _ = out;
        self.now = segment.timestamp_ns;
        self.left = segment.payload;
        if (!self.started or !is_stream) {
            self.started = true;
            self.held = 0;
            self.marks = 0;
            self.skip = 0;
            self.offset = segment.stream_offset;
            self.searching = is_stream and segment.flags & abi.segment_flag.mid_stream != 0;
        }
        const ahead: i64 = @bitCast(segment.stream_offset -% (self.offset +% self.held));
        if (ahead < 0) {
            const seen: u64 = @as(u64, 0) -% @as(u64, @bitCast(ahead));
            if (seen >= self.left.len) {
                self.left = &.{};
                return false;
            }
            self.left = self.left[@intCast(seen)..];
        } else if (ahead > 0) {
            self.lose(@intCast(ahead));
        }
        const passed = @min(self.skip, self.left.len);
        self.skip -= passed;
        self.take(passed);
        return true;
    }

    /// Looks for the next message after a loss; false when it has not come.
    pub fn search(self: *Stream, pattern: []const u8, out: *Records) bool {
        if (!self.searching) return true;
        while (pattern.len > 0) {
            const bytes = self.need(pattern.len) orelse return false;
            for (bytes, pattern) |found, wanted| {
                if (found != wanted) break;
            } else break;
            self.noteLost("no message begins here");
            self.take(1);
        }
        self.tellLost(out);
        self.searching = false;
        return true;
    }

    /// Keeps what the parser left for the next segment, or gives it up when it does not fit.
    pub fn keep(self: *Stream, is_stream: bool, out: *Records) void {
        if (self.left.len > 0 and self.need(stream_bytes) != null and self.left.len > 0) {
            self.noteLost("a message longer than the parser's buffer");
            self.take(self.held + self.left.len);
            self.searching = true;
        }
        if (!is_stream and self.held > 0) {
            self.noteLost("the datagram ends inside a message");
            self.take(self.held);
            self.tellLost(out);
        }
    }
};
