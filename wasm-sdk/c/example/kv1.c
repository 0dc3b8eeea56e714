/* KV1, the private protocol of wasm-sdk/README.md, in C. */
#define MF_RESYNC "KV1!"
#include "metaflow.h"

static const char *const VERBS[] = {"", "GET", "SET", "DEL"};

/* A header that KV1 allows; the offset of what is wrong, or -1. */
static int wrong_at(const uint8_t *head) {
    if (head[0] != 'K' || head[1] != 'V' || head[2] != '1' || head[3] != '!') return 0;
    if (head[4] < 1 || head[4] > 3) return 4;
    if (head[4] != 2 && (head[5] < 1 || head[5] > 3)) return 5;
    if (mf_be32(head + 12) > 4080) return 12;
    if (mf_be16(head + 6) > mf_be32(head + 12)) return 6;
    return -1;
}

void parser_check(const mf_segment *segment) {
    for (uint32_t i = 0; i < 4; i++) {
        if (i >= segment->cap_len) { mf_more(); return; }
        if (segment->payload[i] != (uint8_t)"KV1!"[i]) { mf_no("no KV1 magic", i); return; }
    }
    if (segment->cap_len < 16) { mf_more(); return; }
    int wrong = wrong_at(segment->payload);
    if (wrong >= 0) mf_no("not a KV1 header", (uint32_t)wrong);
    else if (segment->payload[4] == 2) mf_response();
    else mf_request();
}

void parser_messages(mf_session *session, mf_stream *in) {
    const uint8_t *head, *frame;
    while ((head = mf_need(in, 16))) {
        if (wrong_at(head) >= 0) { mf_violation(session, in, "not a KV1 header"); return; }
        uint32_t size = 16 + mf_be32(head + 12);
        if (!(frame = mf_need(in, size))) return;
        uint32_t key = mf_be16(frame + 6), id = mf_be32(frame + 8);
        mf_begin(in, frame[4]); /* KV1's numbers of types are those of the ABI: request, response, session */
        mf_set(MF_RECORD_COLUMN_REQUEST_ID, id);
        mf_set(MF_RECORD_COLUMN_STREAM_ID, id);
        mf_set(MF_RECORD_COLUMN_LENGTH, size);
        if (frame[4] == 2) {
            mf_set(MF_RECORD_COLUMN_CODE, frame[5]);
            mf_set(MF_RECORD_COLUMN_STATUS, frame[5] == 0 ? MF_STATUS_OK : frame[5] == 1 ? MF_STATUS_CLIENT_ERROR : MF_STATUS_SERVER_ERROR);
            mf_text(frame[5] ? MF_RECORD_COLUMN_EXCEPTION : MF_RECORD_COLUMN_RESULT, frame + 16, key);
        } else {
            mf_string(MF_RECORD_COLUMN_REQUEST_TYPE, VERBS[frame[5]]);
            mf_text(MF_RECORD_COLUMN_REQUEST_RESOURCE, frame + 16, key);
        }
        mf_end();
        mf_take(in, size);
    }
}
