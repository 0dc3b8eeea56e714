//! Frames (RFC 9113, 4 and 6): their headers, and what a header cannot be.

/// Octets of a frame's header.
pub(crate) const HEADER: usize = 9;

/// Longest frame that a search believes in: the size that nobody may refuse (RFC 9113, 4.2).
pub(crate) const USUAL_LENGTH: u32 = 16_384;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// END_STREAM of DATA and HEADERS; ACK of SETTINGS and PING.
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Octets of the payload.
    pub length: u32,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

/// Why bytes are no frame's header, and at which of the nine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoFrame {
    pub reason: &'static str,
    pub offset: usize,
}

const fn no(reason: &'static str, offset: usize) -> Option<NoFrame> {
    Some(NoFrame { reason, offset })
}

impl Frame {
    /// The header at the begin of the bytes; `None` when they are fewer than nine.
    #[inline]
    pub fn read(bytes: &[u8]) -> Option<Frame> {
        let [a, b, c, kind, flags, w, x, y, z, ..] = *bytes else { return None };
        let stream = u32::from_be_bytes([w & 0x7f, x, y, z]);
        Some(Frame { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream })
    }

    /// Octets of the whole frame.
    pub const fn size(&self) -> usize {
        HEADER + self.length as usize
    }

    /// The flag is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What a receiver must treat as an error of the connection: lengths and streams that the type does not allow.
    #[inline]
    pub const fn fault(&self) -> Option<NoFrame> {
        let is_of_stream = self.stream != 0;
        match (self.kind, self.length) {
            (DATA | HEADERS | PRIORITY | RST_STREAM | PUSH_PROMISE | CONTINUATION, _) if !is_of_stream => {
                no("a frame of a stream on stream 0", 5)
            }
            (SETTINGS | PING | GOAWAY, _) if is_of_stream => no("a frame of the connection on a stream", 5),
            (SETTINGS, length) if length % 6 != 0 => no("SETTINGS of a wrong length", 0),
            (SETTINGS, length) if length != 0 && self.has(ACK) => no("an ACK of SETTINGS with settings", 0),
            (PING, length) if length != 8 => no("a PING of a wrong length", 0),
            (PRIORITY, length) if length != 5 => no("a PRIORITY of a wrong length", 0),
            (RST_STREAM, length) if length != 4 => no("an RST_STREAM of a wrong length", 0),
            (WINDOW_UPDATE, length) if length != 4 => no("a WINDOW_UPDATE of a wrong length", 0),
            (GOAWAY, length) if length < 8 => no("a GOAWAY of a wrong length", 0),
            (PUSH_PROMISE, length) if length < 4 => no("a PUSH_PROMISE of a wrong length", 0),
            _ => None,
        }
    }

    /// What no sender does: the stricter look at bytes that may not be frames at all.
    pub const fn doubt(&self) -> Option<NoFrame> {
        if self.length > USUAL_LENGTH {
            return no("a frame longer than 16384 bytes", 0);
        }
        let flags = match self.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | WITH_PRIORITY,
            SETTINGS | PING => ACK,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            PRIORITY | RST_STREAM | GOAWAY | WINDOW_UPDATE => 0,
            _ => return no("no type of a frame", 3),
        };
        if self.flags & !flags != 0 {
            return no("flags that the type of frame does not have", 4);
        }
        match (self.kind, self.length) {
            (DATA | CONTINUATION, 0) if self.flags == 0 => no("a frame without anything", 0),
            (HEADERS, 0) => no("HEADERS without a field", 0),
            (SETTINGS, length) if length > 6 * 64 => no("SETTINGS of a wrong length", 0),
            _ => self.fault(),
        }
    }
}

/// Payload without padding and priority: where it begins and ends; `None` when the padding does not fit.
pub(crate) fn content(frame: &Frame, payload: &[u8]) -> Option<(usize, usize)> {
    let (mut from, mut to) = (0, payload.len());
    if frame.has(PADDED) && matches!(frame.kind, HEADERS | PUSH_PROMISE | DATA) {
        from = 1;
        to = to.checked_sub(usize::from(*payload.first()?))?;
    }
    if frame.kind == HEADERS && frame.has(WITH_PRIORITY) {
        from += 5;
    }
    if frame.kind == PUSH_PROMISE {
        from += 4;
    }
    (from <= to).then_some((from, to))
}

/// The name of an error code (RFC 9113, 7), "" for one that is not registered.
pub(crate) const fn error_name(code: u32) -> &'static str {
    match code {
        0 => "NO_ERROR",
        1 => "PROTOCOL_ERROR",
        2 => "INTERNAL_ERROR",
        3 => "FLOW_CONTROL_ERROR",
        4 => "SETTINGS_TIMEOUT",
        5 => "STREAM_CLOSED",
        6 => "FRAME_SIZE_ERROR",
        7 => "REFUSED_STREAM",
        8 => "CANCEL",
        9 => "COMPRESSION_ERROR",
        0xa => "CONNECT_ERROR",
        0xb => "ENHANCE_YOUR_CALM",
        0xc => "INADEQUATE_SECURITY",
        0xd => "HTTP_1_1_REQUIRED",
        _ => "",
    }
}

/// The code accuses the one who gets it (of breaking the protocol), not the one who sends it.
pub(crate) const fn accuses_receiver(code: u32) -> bool {
    matches!(code, 1 | 3..=6 | 9 | 0xb..=0xd)
}
