//! A MetaFlow parser in Zig: this module, metaflow_abi.zig and one source file. No library, no heap, no imports.
//!
//!     const mf = @import("metaflow");
//!
//!     pub const State = u32;                    // what is kept of a session, zero at its start (optional)
//!     pub const resync = "MAGI";                // what a message begins with; after lost bytes the next is looked for (optional)
//!     pub fn check(segment: *const mf.Segment) mf.Check { ... }
//!     pub fn messages(session: *mf.Session(State), in: *mf.Stream, out: *mf.Records) void { ... }
//!
//!     comptime { mf.exportParser(@This()); }
//!
//! The module does the rest of mf_abi_v1 (wasm-sdk/abi/v1.md): arena, walk over the batch, sessions, messages that are split
//! over segments, gaps, lost bytes, columns. Everything is static and bounded. Build (mflow wasm build does it):
//! zig build-exe -target wasm32-freestanding -fno-entry -rdynamic -O ReleaseFast --dep metaflow -Mroot=x.zig -Mmetaflow=metaflow.zig

pub const abi = @import("metaflow_abi.zig");
const records = @import("metaflow_records.zig");
const streams = @import("metaflow_stream.zig");

pub const Records = records.Records;
pub const Stream = streams.Stream;

/// Largest batch; the manifest's limits.batch_bytes must not be larger.
pub const input_bytes = 1 << 20;
/// Sessions remembered; the least recently used of a set of four gives way.
pub const session_count = 1024;

/// One segment of a batch.
pub const Segment = struct {
    kind: u8,
    direction: u1,
    transport: u8,
    flags: u8,
    server_port: u16,
    client_port: u16,
    wire_len: u32,
    session_id: u64,
    timestamp_ns: u64,
    stream_offset: u64,
    payload: []const u8,
};

/// What a parser says of a flow's first bytes.
pub const Check = union(enum) {
    /// Not this protocol: why, and the byte at which it was seen.
    no: struct { reason: []const u8, offset: u32 = 0 },
    more,
    request,
    response,
};

/// One session with the parser's state.
pub fn Session(comptime State: type) type {
    return struct {
        const Self = @This();

        id: u64,
        /// 0: the slot is free.
        used: u64,
        /// Another protocol after all: what comes is ignored.
        ended: bool,
        state: State,
        lanes: [2]Stream,

        /// Withdraws from the session: the next byte is not this protocol. Return after it.
        pub fn violation(self: *Self, in: *const Stream, out: *Records, reason: []const u8) void {
            out.begin(in, abi.record_type.violation);
            out.text(abi.record_column.exception, reason);
            out.end();
            self.ended = true;
        }
    };
}

fn readInt(comptime T: type, bytes: []const u8, at: usize) T {
    var value: T = 0;
    inline for (0..@sizeOf(T)) |i| value |= @as(T, bytes[at + i]) << (8 * i);
    return value;
}

/// Big-endian number at the start of `bytes`, for protocols of the network.
pub fn big(comptime T: type, bytes: []const u8) T {
    var value: T = 0;
    inline for (0..@sizeOf(T)) |i| value = (if (@sizeOf(T) == 1) 0 else value << 8) | bytes[i];
    return value;
}

/// Exports the symbols of mf_abi_v1 for a parser.
pub fn exportParser(comptime P: type) void {
    const driver = Driver(P);
    @export(&driver.marker, .{ .name = abi.symbol.export_marker });
    @export(&driver.input, .{ .name = abi.symbol.export_input });
    @export(&driver.check, .{ .name = abi.symbol.export_check });
    @export(&driver.parse, .{ .name = abi.symbol.export_parse });
}

fn Driver(comptime P: type) type {
    const State = if (@hasDecl(P, "State")) P.State else u32;
    const resync: []const u8 = if (@hasDecl(P, "resync")) P.resync else "";
    const ways = 4;

    return struct {
        const ThisSession = Session(State);

        var arena: [input_bytes]u8 align(8) = undefined;
        var sessions: [session_count]ThisSession = undefined;
        var clock: u64 = 0;
        var verdicts: [input_bytes / abi.segment.size + 1]Check = undefined;
        var out: Records = undefined;

        fn marker() callconv(.c) void {}

        fn input(capacity: u32) callconv(.c) u32 {
            return if (capacity <= input_bytes) @intCast(@intFromPtr(&arena)) else 0;
        }

        /// The session; null when it is not known and `create` is false.
        fn find(id: u64, create: bool) ?*ThisSession {
            const mixed = (id ^ (id >> 29)) *% 0x9e3779b97f4a7c15;
            const first: usize = @intCast(((mixed >> 32) % (session_count / ways)) * ways);
            if (clock == 0) {
                for (&sessions) |*slot| slot.used = 0;
            }
            clock += 1;
            var oldest = &sessions[first];
            for (sessions[first .. first + ways]) |*slot| {
                if (slot.used != 0 and slot.id == id) {
                    slot.used = clock;
                    return slot;
                }
                if (slot.used < oldest.used) oldest = slot;
            }
            if (!create) return null;
            oldest.id = id;
            oldest.used = clock;
            oldest.ended = false;
            @memset(@as([*]u8, @ptrCast(&oldest.state))[0..@sizeOf(State)], 0);
            for (&oldest.lanes) |*lane| lane.reset();
            return oldest;
        }

        fn data(session: *ThisSession, segment: *const Segment) void {
            const in = &session.lanes[segment.direction];
            const is_stream = segment.transport == abi.transport.tcp;
            if (!in.open(segment, is_stream, &out)) return;
            if (in.left.len > 0 and in.search(resync, &out)) P.messages(session, in, &out);
            if (!session.ended) in.keep(is_stream, &out);
            in.left = &.{};
        }

        fn one(segment: *const Segment) void {
            const is_close = segment.kind == abi.segment_kind.close;
            const session = find(segment.session_id, !is_close) orelse return;
            if (is_close) {
                for (&session.lanes) |*lane| {
                    if (!session.ended) lane.tellLost(&out);
                }
                session.used = 0;
            } else if (!session.ended) {
                if (segment.kind == abi.segment_kind.data) data(session, segment) else session.lanes[segment.direction].gap(segment);
            }
        }

        /// Walks over the batch in the arena; the number of segments, or null when a length does not fit.
        fn walk(length: u32, comptime is_check: bool) ?u32 {
            if (length > input_bytes or length < abi.buffer_header.size) return null;
            var rest: []const u8 = arena[0..length];
            if (readInt(u32, rest, 0) != abi.magic.batch) return null;
            const count = readInt(u32, rest, abi.buffer_header.count);
            if (count > length / abi.segment.size) return null;
            rest = rest[abi.buffer_header.size..];
            for (0..count) |index| {
                if (rest.len < abi.segment.size) return null;
                const size = readInt(u32, rest, abi.segment.total_size);
                const cap_len = readInt(u32, rest, abi.segment.cap_len);
                if (size > rest.len or size < abi.segment.size or cap_len > size - abi.segment.size) return null;
                const head = rest[0..size];
                rest = rest[size..];
                if (is_check) verdicts[index] = .{ .no = .{ .reason = "a segment of an unknown kind" } };
                if (head[abi.segment.kind] > abi.segment_kind.close or head[abi.segment.direction] > 1) continue;
                const segment = Segment{
                    .kind = head[abi.segment.kind],
                    .direction = @intCast(head[abi.segment.direction]),
                    .transport = head[abi.segment.transport],
                    .flags = head[abi.segment.flags],
                    .server_port = readInt(u16, head, abi.segment.server_port),
                    .client_port = readInt(u16, head, abi.segment.client_port),
                    .wire_len = readInt(u32, head, abi.segment.wire_len),
                    .session_id = readInt(u64, head, abi.segment.session_id),
                    .timestamp_ns = readInt(u64, head, abi.segment.timestamp_ns),
                    .stream_offset = readInt(u64, head, abi.segment.stream_offset),
                    .payload = head[abi.segment.size..][0..cap_len],
                };
                if (is_check) {
                    verdicts[index] = P.check(&segment);
                } else {
                    out.segment = @intCast(index);
                    one(&segment);
                    out.end();
                }
            }
            return count;
        }

        fn check(length: u32) callconv(.c) i64 {
            const count = walk(length, true) orelse return -@as(i64, abi.@"error".malformed);
            return records.writeChecks(verdicts[0..count]) orelse -@as(i64, abi.@"error".no_memory);
        }

        fn parse(length: u32) callconv(.c) i64 {
            out.clear();
            _ = walk(length, false) orelse return -@as(i64, abi.@"error".malformed);
            return out.write() orelse -@as(i64, abi.@"error".no_memory);
        }
    };
}
