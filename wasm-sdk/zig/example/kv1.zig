//! KV1, the private protocol of wasm-sdk/README.md, in Zig.

const mf = @import("metaflow");
const abi = mf.abi;
const column = abi.record_column;

pub const State = u32;
pub const resync = "KV1!";

const verbs = [_][]const u8{ "", "GET", "SET", "DEL" };
const header_size = 16;
const longest_body = 4080;

const Header = struct {
    kind: u8,
    verb: u8,
    key: u16,
    id: u32,
    body: u32,

    fn read(bytes: []const u8) Header {
        return .{
            .kind = bytes[4],
            .verb = bytes[5],
            .key = mf.big(u16, bytes[6..8]),
            .id = mf.big(u32, bytes[8..12]),
            .body = mf.big(u32, bytes[12..16]),
        };
    }
};

/// The offset of what KV1 does not allow in a header, or null.
fn wrongAt(bytes: []const u8) ?u32 {
    for (bytes[0..4], resync) |found, wanted| {
        if (found != wanted) return 0;
    }
    const head = Header.read(bytes);
    if (head.kind < 1 or head.kind > 3) return 4;
    if (head.kind != abi.record_type.response and (head.verb < 1 or head.verb > 3)) return 5;
    if (head.body > longest_body) return 12;
    return if (head.key > head.body) 6 else null;
}

pub fn check(segment: *const mf.Segment) mf.Check {
    for (resync, 0..) |wanted, at| {
        if (at >= segment.payload.len) return .more;
        if (segment.payload[at] != wanted) return .{ .no = .{ .reason = "no KV1 magic", .offset = @intCast(at) } };
    }
    if (segment.payload.len < header_size) return .more;
    if (wrongAt(segment.payload)) |at| return .{ .no = .{ .reason = "not a KV1 header", .offset = at } };
    return if (segment.payload[4] == abi.record_type.response) .response else .request;
}

pub fn messages(session: *mf.Session(State), in: *mf.Stream, out: *mf.Records) void {
    while (in.need(header_size)) |bytes| {
        if (wrongAt(bytes) != null) return session.violation(in, out, "not a KV1 header");
        const head = Header.read(bytes);
        const size = header_size + head.body;
        const frame = in.need(size) orelse return;
        const key = frame[header_size..][0..head.key];
        out.begin(in, head.kind); // KV1's numbers of types are those of the ABI: request, response, session
        out.set(column.request_id, head.id);
        out.set(column.stream_id, head.id);
        out.set(column.length, size);
        if (head.kind == abi.record_type.response) {
            out.set(column.code, head.verb);
            out.set(column.status, switch (head.verb) {
                0 => abi.status.ok,
                1 => abi.status.client_error,
                else => abi.status.server_error,
            });
            out.text(if (head.verb == 0) column.result else column.exception, key);
        } else {
            out.text(column.request_type, verbs[head.verb]);
            out.text(column.request_resource, key);
        }
        out.end();
        in.take(size);
    }
}

comptime {
    mf.exportParser(@This());
}
