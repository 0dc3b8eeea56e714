//! The limits of the L7 side. Every one bounds memory or work; the defaults suit one engine on one core.

/// Options of an [`crate::L7Engine`]. Times are nanoseconds of packet time.
#[derive(Clone, Debug)]
pub struct L7Options {
    /// Out-of-order bytes that one direction of a connection may hold before its oldest hole is given up.
    pub stream_bytes: usize,
    /// Out-of-order segments that one direction may hold.
    pub stream_segments: usize,
    /// Bytes that all flows together may hold (out-of-order segments and payload that waits for a verdict).
    pub total_bytes: usize,
    /// How long a hole is waited for.
    pub hole_wait_ns: u64,
    /// How long it is waited for once the receiver has acknowledged bytes behind it: the receiver had them, so
    /// only a capture that reorders can still bring them.
    pub acked_hole_wait_ns: u64,
    /// A jump of the sequence number beyond this is not a hole but another connection or garbage.
    pub max_jump: u32,
    /// Segments of one batch handed to a parser.
    pub batch_segments: usize,
    /// Bytes of one batch (a single larger segment still passes).
    pub batch_bytes: usize,
    /// A batch is handed over when its first segment is this old, even in the middle of a block.
    pub batch_age_ns: u64,
    /// Bytes of sealed batches that may wait for an external parser.
    pub external_bytes: usize,
    /// Payload of one flow that may wait for a verdict.
    pub infer_pending_bytes: usize,
    /// Bytes of a flow's first message that a parser is shown.
    pub infer_check_bytes: usize,
    /// Payloads that all parsers may refuse before the flow is given up.
    pub infer_segments: u16,
    /// Entries of the server endpoint cache.
    pub endpoint_cache: usize,
    /// An endpoint that was not used for this long is forgotten.
    pub endpoint_ttl_ns: u64,
    /// Flows given up at one endpoint before its flows are not looked at any more (until the TTL passed).
    pub endpoint_failures: u32,
    /// Server ports whose endpoints are never cached (proxies that speak several protocols on one port).
    pub endpoint_whitelist: Vec<u16>,
    /// Requests that one flow may have open.
    pub pending_per_flow: u32,
    /// Requests that all flows may have open.
    pub pending_total: usize,
    /// Bytes of text that they may hold together.
    pub pending_bytes: usize,
    /// How long a response waits for a request that the capture delivers late.
    pub early_response_ns: u64,
    /// Faults of a parser inside `fault_window_ns` that put it into quarantine.
    pub fault_limit: u32,
    /// See `fault_limit`.
    pub fault_window_ns: u64,
    /// The first quarantine; each further one is twice as long, at most 256 times this.
    pub quarantine_ns: u64,
    /// Keep each flow's inference history.
    pub explain: bool,
    /// Without `explain`: how many of its steps become rows, by second of packet time.
    pub explain_steps_per_second: u32,
    /// Write `l7_message` rows.
    pub messages: bool,
    /// Write `l7_flow_log` rows.
    pub flow_log: bool,
}

impl Default for L7Options {
    fn default() -> Self {
        const MS: u64 = 1_000_000;
        const S: u64 = 1000 * MS;
        L7Options {
            stream_bytes: 1 << 20,
            stream_segments: 1024,
            total_bytes: 256 << 20,
            hole_wait_ns: 3 * S,
            acked_hole_wait_ns: 10 * MS,
            max_jump: 1 << 30,
            batch_segments: 4096,
            batch_bytes: 1 << 20,
            batch_age_ns: S,
            external_bytes: 64 << 20,
            infer_pending_bytes: 2 << 20,
            infer_check_bytes: 16 << 10,
            infer_segments: 16,
            endpoint_cache: 4096,
            endpoint_ttl_ns: 60 * S,
            endpoint_failures: 128,
            endpoint_whitelist: vec![15001, 15006],
            pending_per_flow: 8192,
            pending_total: 1 << 18,
            pending_bytes: 64 << 20,
            early_response_ns: S,
            fault_limit: 5,
            fault_window_ns: 60 * S,
            quarantine_ns: S,
            explain: false,
            explain_steps_per_second: 0,
            messages: true,
            flow_log: true,
        }
    }
}
