/* The part of metaflow.h that no author calls: sessions, streams, the columns' bytes, the exported symbols. */
#ifndef METAFLOW_DRIVER_H
#define METAFLOW_DRIVER_H

static mf_session mf_sessions_[MF_SESSIONS];
static uint64_t mf_clock_;

enum { MF_WAYS_ = 4 };

/* The session, or null when it has no state and `create` is 0. A set of four slots; the one used longest ago gives way. */
static mf_session *mf_find_(uint64_t id, int create) {
    uint64_t mixed = (id ^ id >> 29) * 0x9e3779b97f4a7c15u;
    mf_session *set = mf_sessions_ + ((mixed >> 32) & (MF_SESSIONS / MF_WAYS_ - 1)) * MF_WAYS_, *oldest = set;
    mf_clock_++;
    for (mf_session *slot = set; slot < set + MF_WAYS_; slot++) {
        if (slot->used && slot->id == id) {
            slot->used = mf_clock_;
            return slot;
        }
        if (slot->used < oldest->used) oldest = slot;
    }
    if (!create) return 0;
    for (int direction = 0; direction < 2; direction++) {
        mf_stream *lane = &oldest->lane[direction];
        __builtin_memset(lane, 0, offsetof(mf_stream, buffer));
        lane->direction = (uint8_t)direction;
    }
    __builtin_memset(&oldest->state, 0, sizeof oldest->state);
    oldest->id = id;
    oldest->ended = 0;
    oldest->used = mf_clock_;
    return oldest;
}

static void mf_tell_lost_(mf_stream *in) {
    if (!in->lost_why) return;
    mf_begin_at_(MF_RECORD_TYPE_SKIPPED, in->lost_from, in->lost_time);
    mf_set(MF_RECORD_COLUMN_LENGTH, in->offset - in->lost_from);
    mf_string(MF_RECORD_COLUMN_EXCEPTION, in->lost_why);
    mf_end();
    in->lost_why = 0;
}

static void mf_note_lost_(mf_stream *in, const char *why) {
    if (in->lost_why) return;
    in->lost_why = why;
    in->lost_from = in->offset;
    in->lost_time = mf_time(in);
}

/* `missing` bytes behind the last one never came. */
static void mf_lose_(mf_stream *in, uint64_t missing) {
    uint64_t passed = in->skip < missing ? in->skip : missing;
    in->skip -= passed;
    in->offset += passed;
    missing -= passed;
    if (!missing) return;
    mf_note_lost_(in, "bytes lost in the capture");
    in->offset += in->held + missing;
    in->held = in->marks = 0;
    in->searching = 1;
}

/* Looks for the next message; 0 when it has not come. */
static int mf_search_(mf_stream *in) {
    if (!in->searching) return 1;
#ifdef MF_RESYNC
    const uint32_t length = sizeof MF_RESYNC - 1;
    const uint8_t *bytes;
    while ((bytes = mf_need(in, length))) {
        uint32_t same = 0;
        while (same < length && bytes[same] == (uint8_t)MF_RESYNC[same]) same++;
        if (same == length) break;
        mf_note_lost_(in, "no message begins here");
        mf_take(in, 1);
    }
    if (!bytes) return 0;
#ifdef MF_RESYNC_BEHIND /* the pattern ends a message instead of beginning one */
    mf_note_lost_(in, "no message begins here");
    mf_take(in, length);
#endif
#endif
    mf_tell_lost_(in);
    in->searching = 0;
    return 1;
}

static void mf_data_(mf_session *session, const mf_segment *segment) {
    mf_stream *in = &session->lane[segment->direction];
    in->now = segment->timestamp_ns;
    in->payload = segment->payload;
    in->left = segment->cap_len;
    int is_stream = segment->transport == MF_TRANSPORT_TCP;
    if (!in->started || !is_stream) {
        in->started = 1;
        in->held = in->marks = 0;
        in->skip = 0;
        in->offset = segment->stream_offset;
        in->searching = is_stream && segment->flags & MF_SEGMENT_FLAG_MID_STREAM;
    }
    int64_t ahead = (int64_t)(segment->stream_offset - (in->offset + in->held));
    if (ahead < 0) {
        uint64_t seen = -(uint64_t)ahead;
        if (seen >= in->left) {
            in->left = 0;
            return;
        }
        in->payload += seen;
        in->left -= (uint32_t)seen;
    } else if (ahead > 0) {
        mf_lose_(in, (uint64_t)ahead);
    }
    uint64_t pass = in->skip < in->left ? in->skip : in->left;
    in->skip -= pass;
    mf_take(in, pass);
    if (in->left && mf_search_(in)) parser_messages(session, in);
    while (in->left && !session->ended && !mf_need(in, MF_STREAM_BYTES)) { /* it moves what is left into the buffer */
    }
    if (in->left && !session->ended) { /* a message longer than the buffer: give it up */
        mf_note_lost_(in, "a message longer than the parser's buffer");
        mf_take(in, (uint64_t)in->held + in->left);
        in->searching = 1;
    }
    if (!is_stream && in->held && !session->ended) {
        mf_note_lost_(in, "the datagram ends inside a message");
        mf_take(in, in->held);
        mf_tell_lost_(in);
    }
    in->left = 0;
}

static void mf_segment_(const mf_segment *segment) {
    mf_session *session = mf_find_(segment->session_id, segment->kind != MF_SEGMENT_KIND_CLOSE);
    if (!session) return;
    if (segment->kind == MF_SEGMENT_KIND_CLOSE) {
        for (int direction = 0; direction < 2 && !session->ended; direction++) mf_tell_lost_(&session->lane[direction]);
        session->used = 0;
    } else if (session->ended) {
        return;
    } else if (segment->kind == MF_SEGMENT_KIND_DATA) {
        mf_data_(session, segment);
    } else {
        mf_stream *in = &session->lane[segment->direction];
        if (!in->started) in->offset = segment->stream_offset;
        in->started = 1;
        in->now = segment->timestamp_ns;
        int64_t missing = (int64_t)(segment->stream_offset + segment->wire_len - (in->offset + in->held));
        if (missing > 0) mf_lose_(in, (uint64_t)missing);
    }
}

static uint32_t mf_u32_(const uint8_t *p) {
    uint32_t value;
    __builtin_memcpy(&value, p, 4);
    return value;
}
static uint64_t mf_u64_(const uint8_t *p) {
    uint64_t value;
    __builtin_memcpy(&value, p, 8);
    return value;
}

/* Walks over the batch in the arena; -1 when a length does not fit. */
static int64_t mf_walk_(uint32_t length, void (*each)(const mf_segment *)) {
    if (length > MF_INPUT_BYTES || length < MF_BUFFER_HEADER_SIZE || mf_u32_(mf_input_) != MF_MAGIC_BATCH)
        return -(int64_t)MF_ERROR_MALFORMED;
    uint32_t count = mf_u32_(mf_input_ + MF_BUFFER_HEADER_COUNT), at = MF_BUFFER_HEADER_SIZE;
    for (uint32_t index = 0; index < count; index++) {
        if (length - at < MF_SEGMENT_SIZE) return -(int64_t)MF_ERROR_MALFORMED;
        const uint8_t *p = mf_input_ + at;
        uint32_t size = mf_u32_(p), cap_len = mf_u32_(p + MF_SEGMENT_CAP_LEN);
        if (size > length - at || size < MF_SEGMENT_SIZE || cap_len > size - MF_SEGMENT_SIZE)
            return -(int64_t)MF_ERROR_MALFORMED;
        at += size;
        mf_segment_index_ = index;
        mf_segment segment = {
            p[MF_SEGMENT_KIND], p[MF_SEGMENT_DIRECTION], p[MF_SEGMENT_TRANSPORT], p[MF_SEGMENT_FLAGS],
            (uint16_t)(p[MF_SEGMENT_SERVER_PORT] | p[MF_SEGMENT_SERVER_PORT + 1] << 8),
            (uint16_t)(p[MF_SEGMENT_CLIENT_PORT] | p[MF_SEGMENT_CLIENT_PORT + 1] << 8),
            mf_u32_(p + MF_SEGMENT_WIRE_LEN), cap_len,
            mf_u64_(p + MF_SEGMENT_SESSION_ID), mf_u64_(p + MF_SEGMENT_TIMESTAMP_NS),
            mf_u64_(p + MF_SEGMENT_STREAM_OFFSET), p + MF_SEGMENT_SIZE,
        };
        if (segment.kind > MF_SEGMENT_KIND_CLOSE || segment.direction > 1) continue; /* of a later minor version */
        each(&segment);
        mf_end();
    }
    return count;
}

/* ---- the columns' bytes ------------------------------------------------------------------------------------------- */

static uint32_t mf_at_; /* end of the result so far */

static void mf_put_(uint64_t value, uint32_t width) {
    __builtin_memcpy(mf_out_ + mf_at_, &value, width);
    mf_at_ += width;
}

static void mf_pad_(void) {
    while (mf_at_ & 7) mf_out_[mf_at_++] = 0;
}

static uint32_t mf_column_(uint32_t id, uint32_t type, uint32_t flags) {
    mf_put_(id | type << 16 | flags << 24, 4);
    mf_put_(0, 4);
    return mf_at_;
}

static void mf_close_column_(uint32_t start) {
    mf_pad_();
    uint32_t size = mf_at_ - start;
    __builtin_memcpy(mf_out_ + start - 4, &size, 4);
}

static int64_t mf_result_(void) { return (int64_t)((uint64_t)(uintptr_t)mf_out_ << 32 | mf_at_); }

static void mf_header_(uint32_t magic, uint32_t rows, uint32_t columns) {
    uint32_t words[4] = {magic, rows, columns, 0};
    __builtin_memcpy(mf_out_, words, 16);
}

static const uint8_t mf_types_[MF_NUMBERS_] = {
    0, MF_COLUMN_TYPE_U32, MF_COLUMN_TYPE_U8, MF_COLUMN_TYPE_U8, MF_COLUMN_TYPE_I32, MF_COLUMN_TYPE_U64,
    MF_COLUMN_TYPE_U64, MF_COLUMN_TYPE_U64, MF_COLUMN_TYPE_U64, MF_COLUMN_TYPE_U8, MF_COLUMN_TYPE_U64,
    MF_COLUMN_TYPE_U64, MF_COLUMN_TYPE_U64, MF_COLUMN_TYPE_U8, MF_COLUMN_TYPE_U32,
};

static void mf_write_numbers_(uint32_t id) {
    uint32_t type = mf_types_[id], width = type == MF_COLUMN_TYPE_U8 ? 1 : type == MF_COLUMN_TYPE_U64 ? 8 : 4;
    int sparse = mf_present_[id] < mf_rows_;
    uint32_t start = mf_column_(id, type, sparse ? MF_COLUMN_FLAG_VALIDITY : 0);
    if (sparse) {
        __builtin_memcpy(mf_out_ + mf_at_, mf_valid_[id], (mf_rows_ + 7) / 8);
        mf_at_ += (mf_rows_ + 7) / 8;
        mf_pad_();
    }
    for (uint32_t row = 0; row < mf_rows_; row++) {
        int there = mf_valid_[id][row >> 3] >> (row & 7) & 1;
        mf_put_(there ? mf_values_[id][row] : 0, width);
    }
    mf_close_column_(start);
}

static void mf_write_texts_(uint32_t id) {
    uint32_t start = mf_column_(id, MF_COLUMN_TYPE_UTF8, 0), row = 0, total = 0, from = 0;
    for (uint32_t i = 0; i < mf_piece_count_; i++) {
        if (mf_pieces_[i].column != id) continue;
        for (; row <= mf_pieces_[i].row; row++) mf_put_(total, 4);
        total += mf_pieces_[i].length;
    }
    for (; row <= mf_rows_; row++) mf_put_(total, 4);
    for (uint32_t i = 0; i < mf_piece_count_; from += mf_pieces_[i++].length) {
        if (mf_pieces_[i].column != id) continue;
        __builtin_memcpy(mf_out_ + mf_at_, mf_bytes_ + from, mf_pieces_[i].length);
        mf_at_ += mf_pieces_[i].length;
    }
    mf_close_column_(start);
}

/* ---- the symbols ---------------------------------------------------------------------------------------------------- */

#define MF_EXPORT_(name) __attribute__((export_name(name), visibility("default")))

MF_EXPORT_("mf_abi_v1") void mf_abi_v1(void) {}

MF_EXPORT_("mf_input") uint8_t *mf_input(uint32_t capacity) { return capacity <= MF_INPUT_BYTES ? mf_input_ : 0; }

static void mf_check_one_(const mf_segment *segment) {
    mf_verdicts_[mf_segment_index_] = (mf_verdict_){MF_VERDICT_NO, 0, "the parser gave no verdict"};
    parser_check(segment);
}

MF_EXPORT_("mf_check") int64_t mf_check(uint32_t length) {
    uint32_t claimed = length >= 16 && length <= MF_INPUT_BYTES ? mf_u32_(mf_input_ + 4) : 0;
    for (uint32_t i = 0; i < claimed && i < MF_CHECKS_; i++)
        mf_verdicts_[i] = (mf_verdict_){MF_VERDICT_NO, 0, "a segment of an unknown kind"};
    int64_t count = mf_walk_(length, mf_check_one_);
    if (count < 0) return count;
    mf_at_ = 16;
    uint32_t start = mf_column_(MF_CHECK_COLUMN_VERDICT, MF_COLUMN_TYPE_U8, 0), total = 0;
    for (int64_t i = 0; i < count; i++) mf_put_(mf_verdicts_[i].verdict, 1);
    mf_close_column_(start);
    start = mf_column_(MF_CHECK_COLUMN_OFFSET, MF_COLUMN_TYPE_U32, 0);
    for (int64_t i = 0; i < count; i++) mf_put_(mf_verdicts_[i].verdict == MF_VERDICT_NO ? mf_verdicts_[i].offset : 0, 4);
    mf_close_column_(start);
    start = mf_column_(MF_CHECK_COLUMN_REASON, MF_COLUMN_TYPE_UTF8, 0);
    mf_put_(0, 4);
    for (int64_t i = 0; i < count; i++) {
        if (mf_verdicts_[i].verdict == MF_VERDICT_NO) total += mf_length_(mf_verdicts_[i].reason);
        mf_put_(total, 4);
    }
    for (int64_t i = 0; i < count; i++) {
        if (mf_verdicts_[i].verdict != MF_VERDICT_NO) continue;
        uint32_t size = mf_length_(mf_verdicts_[i].reason);
        if (mf_at_ + size + 8 > sizeof mf_out_) return -(int64_t)MF_ERROR_NO_MEMORY;
        __builtin_memcpy(mf_out_ + mf_at_, mf_verdicts_[i].reason, size);
        mf_at_ += size;
    }
    mf_close_column_(start);
    mf_header_(MF_MAGIC_CHECKS, (uint32_t)count, 3);
    return mf_result_();
}

MF_EXPORT_("mf_parse") int64_t mf_parse(uint32_t length) {
    for (uint32_t id = 0; id < MF_NUMBERS_; id++) {
        mf_present_[id] = 0;
        __builtin_memset(mf_valid_[id], 0, (mf_rows_ + 8) / 8 <= MF_ROWS / 8 ? (mf_rows_ + 8) / 8 : MF_ROWS / 8);
    }
    mf_rows_ = mf_piece_count_ = mf_byte_count_ = 0;
    mf_open_ = mf_overflow_ = 0;
    int64_t count = mf_walk_(length, mf_segment_);
    if (count < 0) return count;
    if (mf_overflow_) return -(int64_t)MF_ERROR_NO_MEMORY;
    uint32_t columns = 0, used = 0;
    mf_at_ = 16;
    for (uint32_t id = 1; id < MF_NUMBERS_; id++) {
        if (!mf_present_[id]) continue;
        mf_write_numbers_(id);
        columns++;
    }
    for (uint32_t i = 0; i < mf_piece_count_; i++) used |= 1u << (mf_pieces_[i].column - MF_FIRST_TEXT_);
    for (uint32_t id = 0; id < MF_TEXTS_; id++) {
        if (!(used >> id & 1)) continue;
        mf_write_texts_(id + MF_FIRST_TEXT_);
        columns++;
    }
    mf_header_(MF_MAGIC_RECORDS, mf_rows_, columns);
    return mf_result_();
}

#endif /* METAFLOW_DRIVER_H */
