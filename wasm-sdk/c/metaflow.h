/* A MetaFlow parser in C: this header, metaflow_abi.h and one source file. No library, no heap, no imports.
 *
 * Define what differs from the defaults, include this header once, and write two functions:
 *
 *     #define MF_RESYNC "MAGI"             what a message begins with; after lost bytes the next one is looked for
 *     #include "metaflow.h"
 *
 *     void parser_check(const mf_segment *segment);              call mf_no, mf_more, mf_request or mf_response once
 *     void parser_messages(mf_session *session, mf_stream *in);  take every message that is there
 *
 * The kit does the rest of mf_abi_v1 (wasm-sdk/abi/v1.md): arena, walk over the batch, sessions, messages that are split
 * over segments, gaps, lost bytes, columns. Build: zig cc -target wasm32-freestanding -O2 -mbulk-memory -nostdlib
 * -Wl,--no-entry (mflow wasm build does it). Everything is static and bounded; the macros below are the bounds.
 */
#ifndef METAFLOW_H
#define METAFLOW_H

#include <stddef.h>
#include <stdint.h>

#include "metaflow_abi.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function" /* a parser uses what it needs */

#ifndef MF_INPUT_BYTES
#define MF_INPUT_BYTES (1u << 20) /* largest batch; the manifest's limits.batch_bytes must not be larger */
#endif
#ifndef MF_STREAM_BYTES
#define MF_STREAM_BYTES 4096u /* longest piece that mf_need can give */
#endif
#ifndef MF_SESSIONS
#define MF_SESSIONS 1024u /* sessions remembered, a power of two; the least recently used gives way */
#endif
#ifndef MF_ROWS
#define MF_ROWS 65536u /* records of one batch */
#endif
#ifndef MF_TEXT_BYTES
#define MF_TEXT_BYTES (2u << 20) /* texts of one batch; what does not fit is absent */
#endif
#ifndef MF_STATE
#define MF_STATE uint32_t /* what the parser keeps of a session, zero at its start */
#endif

/* One segment of a batch. */
typedef struct {
    uint8_t kind, direction, transport, flags;
    uint16_t server_port, client_port;
    uint32_t wire_len, cap_len;
    uint64_t session_id, timestamp_ns, stream_offset;
    const uint8_t *payload;
} mf_segment;

enum { MF_MARKS_ = 16 }; /* beyond it, neighbours share the earlier time */

/* One direction of a session, as contiguous bytes. */
typedef struct {
    uint64_t offset;    /* stream offset of the next byte */
    uint64_t now;       /* of the segment at hand */
    uint64_t skip;      /* bytes to come that nobody wants */
    uint64_t lost_from, lost_time;
    const char *lost_why; /* null: nothing is lost */
    const uint8_t *payload;
    uint32_t left, held;
    uint8_t direction, started, searching;
    uint8_t marks;                    /* pieces in the buffer: where each ends (stream offset) and when it came */
    struct { uint64_t end, time; } mark[MF_MARKS_];
    uint8_t buffer[MF_STREAM_BYTES];
} mf_stream;

/* One session. */
typedef struct {
    uint64_t id;
    uint64_t used; /* 0: the slot is free */
    uint8_t ended; /* another protocol after all */
    MF_STATE state;
    mf_stream lane[2];
} mf_session;

void parser_check(const mf_segment *segment);
void parser_messages(mf_session *session, mf_stream *in);

/* ---- reading a stream ---------------------------------------------------------------------------------------- */

/* The next n bytes (at most MF_STREAM_BYTES) in one piece, or null when they have not all come: return then. */
static const uint8_t *mf_need(mf_stream *in, uint32_t n) {
    if (n > MF_STREAM_BYTES) return 0;
    if (in->held == 0 && in->left >= n) return in->payload;
    if (in->held < n && in->left) {
        uint32_t more = n - in->held < in->left ? n - in->held : in->left;
        __builtin_memcpy(in->buffer + in->held, in->payload, more);
        in->held += more;
        in->payload += more;
        in->left -= more;
        if (in->marks < MF_MARKS_ && (!in->marks || in->mark[in->marks - 1].time != in->now))
            in->mark[in->marks++].time = in->now;
        in->mark[in->marks - 1].end = in->offset + in->held;
    }
    return in->held >= n ? in->buffer : 0;
}

/* Passes over n bytes, those that are there and those to come; they are not kept. */
static void mf_take(mf_stream *in, uint64_t n) {
    uint64_t here = n < in->held ? n : in->held;
    if (here) {
        in->held -= (uint32_t)here;
        __builtin_memmove(in->buffer, in->buffer + here, in->held);
    }
    uint64_t direct = n - here < in->left ? n - here : in->left;
    in->payload += direct;
    in->left -= (uint32_t)direct;
    in->offset += here + direct;
    in->skip += n - here - direct;
    uint8_t passed = 0;
    while (passed < in->marks && (int64_t)(in->mark[passed].end - in->offset) <= 0) passed++;
    if (passed) {
        in->marks -= passed;
        for (uint8_t i = 0; i < in->marks; i++) in->mark[i] = in->mark[i + passed];
    }
}

/* The next line without its '\n' (and a '\r' before it); null when its end has not come. Take *taken bytes after use. */
static const uint8_t *mf_line(mf_stream *in, uint32_t *length, uint32_t *taken) {
    for (uint32_t n = in->held ? in->held : 1;; n++) {
        const uint8_t *bytes = mf_need(in, n);
        if (!bytes) return 0;
        if (bytes[n - 1] == '\n') {
            *taken = n;
            *length = n > 1 && bytes[n - 2] == '\r' ? n - 2 : n - 1;
            return bytes;
        }
    }
}

/* Capture time of the next byte. */
static uint64_t mf_time(const mf_stream *in) { return in->held && in->marks ? in->mark[0].time : in->now; }

static uint16_t mf_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t mf_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- records -------------------------------------------------------------------------------------------------- */

enum { MF_NUMBERS_ = 15, MF_TEXTS_ = 17, MF_FIRST_TEXT_ = 16, MF_PIECES_ = 4 * (1 << 16) };

typedef struct {
    uint32_t row, length;
    uint32_t column;
} mf_piece_; /* of a text; pieces of one cell are joined */

static uint8_t mf_input_[MF_INPUT_BYTES + 8] __attribute__((aligned(8)));
static uint64_t mf_values_[MF_NUMBERS_][MF_ROWS];
static uint8_t mf_valid_[MF_NUMBERS_][MF_ROWS / 8];
static uint32_t mf_present_[MF_NUMBERS_];
static mf_piece_ mf_pieces_[MF_PIECES_];
static uint8_t mf_bytes_[MF_TEXT_BYTES];
static uint32_t mf_piece_count_, mf_byte_count_, mf_rows_, mf_segment_index_;
static uint8_t mf_open_, mf_overflow_;
static uint8_t mf_out_[16 + MF_ROWS * 72 + MF_ROWS * 4 * MF_TEXTS_ + MF_TEXT_BYTES + 64 * 1024] __attribute__((aligned(8)));

/* Sets a number column (MF_RECORD_COLUMN_...) of the record at hand. */
static void mf_set(uint32_t column, uint64_t value) {
    if (!mf_open_ || column >= MF_NUMBERS_) return;
    uint8_t bit = (uint8_t)(1u << (mf_rows_ & 7));
    if (!(mf_valid_[column][mf_rows_ >> 3] & bit)) mf_present_[column]++;
    mf_valid_[column][mf_rows_ >> 3] |= bit;
    mf_values_[column][mf_rows_] = value;
}

/* Length of the character at p, or 0 minus the bytes that form none (the longest prefix of one, at least 1). */
static int mf_character_(const uint8_t *p, uint32_t n) {
    uint8_t first = p[0], low = 0x80, high = 0xbf;
    int more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
    if (more < 0) return -1;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
    int good = 1;
    while (good <= more && (uint32_t)good < n && p[good] >= low && p[good] <= high) {
        good++;
        low = 0x80;
        high = 0xbf;
    }
    return good > more ? good : -good;
}

/* Sets a text column, or appends to it; bytes that are no UTF-8 become U+FFFD. */
static void mf_text(uint32_t column, const void *text, uint32_t length) {
    const uint8_t *from = text;
    if (!mf_open_ || column < MF_FIRST_TEXT_ || column >= MF_FIRST_TEXT_ + MF_TEXTS_) return;
    if (mf_piece_count_ >= MF_PIECES_) return;
    uint32_t start = mf_byte_count_, limit = MF_TEXT_BYTES - start;
    if (limit > MF_LIMIT_TEXT_BYTES) limit = MF_LIMIT_TEXT_BYTES;
    uint8_t *to = mf_bytes_ + start;
    uint32_t size = 0;
    while (length) {
        int width = mf_character_(from, length);
        uint32_t used = (uint32_t)(width < 0 ? -width : width), wide = width < 0 ? 3 : used;
        if (size + wide > limit) break;
        if (width < 0) {
            to[size] = 0xef;
            to[size + 1] = 0xbf;
            to[size + 2] = 0xbd;
        } else {
            for (uint32_t i = 0; i < used; i++) to[size + i] = from[i];
        }
        size += wide;
        from += used;
        length -= used;
    }
    if (!size) return;
    mf_pieces_[mf_piece_count_++] = (mf_piece_){mf_rows_, size, column};
    mf_byte_count_ += size;
}

static uint32_t mf_length_(const char *text) {
    uint32_t n = 0;
    while (text[n]) n++;
    return n;
}

/* Sets a text column to a string of the program. */
static void mf_string(uint32_t column, const char *text) { mf_text(column, text, mf_length_(text)); }

/* Adds an attribute; neither text may hold a NUL. */
static void mf_attribute(const char *key, const void *value, uint32_t length) {
    mf_text(MF_RECORD_COLUMN_ATTRIBUTES, key, mf_length_(key) + 1);
    mf_text(MF_RECORD_COLUMN_ATTRIBUTES, value, length);
    mf_text(MF_RECORD_COLUMN_ATTRIBUTES, "", 1);
}

/* Ends the record at hand. */
static void mf_end(void) {
    if (mf_open_) mf_rows_++;
    mf_open_ = 0;
}

static void mf_begin_at_(uint32_t type, uint64_t offset, uint64_t time) {
    mf_end();
    if (mf_rows_ >= MF_ROWS) {
        mf_overflow_ = 1;
        return;
    }
    mf_open_ = 1;
    mf_set(MF_RECORD_COLUMN_SEGMENT_INDEX, mf_segment_index_);
    mf_set(MF_RECORD_COLUMN_TYPE, type);
    mf_set(MF_RECORD_COLUMN_STREAM_OFFSET, offset);
    mf_set(MF_RECORD_COLUMN_TIME_NS, time);
}

/* Begins a record (MF_RECORD_TYPE_...) of a message that starts at the stream's next byte. */
static void mf_begin(const mf_stream *in, uint32_t type) { mf_begin_at_(type, in->offset, mf_time(in)); }

/* Withdraws from the session: the next byte is not this protocol. Return after it. */
static void mf_violation(mf_session *session, const mf_stream *in, const char *reason) {
    mf_begin(in, MF_RECORD_TYPE_VIOLATION);
    mf_string(MF_RECORD_COLUMN_EXCEPTION, reason);
    mf_end();
    session->ended = 1;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t verdict;
    uint32_t offset;
    const char *reason;
} mf_verdict_;

enum { MF_CHECKS_ = MF_INPUT_BYTES / 48 + 1 };
static mf_verdict_ mf_verdicts_[MF_CHECKS_];

/* Refuses: why, and the byte of the payload at which it was seen. */
static void mf_no(const char *reason, uint32_t offset) {
    mf_verdicts_[mf_segment_index_] = (mf_verdict_){MF_VERDICT_NO, offset, reason};
}
static void mf_more(void) { mf_verdicts_[mf_segment_index_].verdict = MF_VERDICT_MORE; }
static void mf_request(void) { mf_verdicts_[mf_segment_index_].verdict = MF_VERDICT_REQUEST; }
static void mf_response(void) { mf_verdicts_[mf_segment_index_].verdict = MF_VERDICT_RESPONSE; }

/* ---- below: the symbols and what is between them and the two functions -------------------------------------------- */

#include "metaflow_driver.h"

#pragma GCC diagnostic pop

#endif /* METAFLOW_H */
