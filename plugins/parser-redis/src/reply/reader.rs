//! The reader: bytes in any pieces, one finished value at a time, memory bounded whatever a length claims.

use super::value::Reply;
use crate::text::{find_lf, parse_number};

/// Every first byte that a value may have.
pub const KINDS: &[u8] = b"+-:$*_#,(!=%~|>";

/// Aggregates inside aggregates: Redis itself nests a handful.
const MAX_DEPTH: usize = 128;
/// A line that holds a length, an integer or a double is never longer.
const MAX_NUMBER_LINE: usize = 64;
/// Bytes kept of a line of text; the rest is counted only.
const MAX_TEXT_LINE: usize = 65536;
/// A buffer that grew beyond this is given back between two values.
const MAX_IDLE: usize = 4096;
/// No aggregate has more elements, no string more bytes: what claims more is not RESP.
const MAX_ITEMS: i64 = u32::MAX as i64;
const MAX_STRING: i64 = 1 << 40;

/// What a call of [`ReplyReader::feed`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes are used, the value goes on.
    More,
    /// A value is finished after that many bytes.
    Value(usize),
    /// The bytes are no RESP value, and why.
    Bad(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Reading a type byte and its line.
    Line,
    /// Inside a string: bytes to come, type, part of a streamed string.
    Body { left: u64, kind: u8, chunk: bool },
    /// The two bytes after a string.
    BodyEnd { seen: u8, kind: u8, chunk: bool },
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// Elements to come; `None` when the sender does not know.
    left: Option<u64>,
    index: u64,
    kind: u8,
}

/// Reads values of one direction of one session.
#[derive(Debug)]
pub struct ReplyReader {
    step: Step,
    line: Vec<u8>,
    line_len: usize,
    body: Vec<u8>,
    stack: Vec<Level>,
    chunked: bool,
    fresh: bool,
    limit: usize,
    /// The value that is being read, complete after [`Progress::Value`].
    pub reply: Reply,
}

impl ReplyReader {
    /// A reader that keeps at most `limit` bytes of text of a value.
    pub fn new(limit: usize) -> Self {
        Self {
            step: Step::Line,
            line: Vec::new(),
            line_len: 0,
            body: Vec::new(),
            stack: Vec::new(),
            chunked: false,
            fresh: true,
            limit,
            reply: Reply::default(),
        }
    }

    /// True between two values.
    pub fn is_idle(&self) -> bool {
        self.fresh
    }

    /// Drops a half-read value.
    pub fn reset(&mut self) {
        self.step = Step::Line;
        self.line_len = 0;
        self.line.clear();
        self.body.clear();
        self.stack.clear();
        self.chunked = false;
        self.fresh = true;
    }

    /// Takes missing bytes that all lie inside a string and the CR LF behind it, so that the place in the stream is still
    /// known; `Some`: how many of these two are missing, and must be made up.
    pub fn gap(&mut self, missing: u64) -> Option<usize> {
        match &mut self.step {
            Step::Body { left, .. } if *left > 0 && missing <= *left + 2 => {
                let inside = missing.min(*left);
                *left -= inside;
                Some((missing - inside) as usize)
            }
            _ => None,
        }
    }

    /// Takes bytes up to the end of one value.
    pub fn feed(&mut self, data: &[u8]) -> Progress {
        let mut at = 0;
        if self.fresh && !data.is_empty() {
            self.fresh = false;
            if self.line.capacity() > MAX_IDLE {
                self.line = Vec::new();
            }
            self.reply.reset(self.limit);
        }
        while at < data.len() {
            let done = match self.step {
                Step::Line => match self.take_line(data, &mut at) {
                    Ok(done) => done,
                    Err(reason) => return Progress::Bad(reason),
                },
                Step::Body { left, kind, chunk } => {
                    let take = left.min((data.len() - at) as u64) as usize;
                    let piece = &data[at..at + take];
                    let whole = take as u64 == left;
                    // The usual case: the whole string lies here, nothing is copied.
                    if whole && !chunk && self.body.is_empty() && data[at + take..].starts_with(b"\r\n") {
                        at += take + 2;
                        self.step = Step::Line;
                        self.scalar(kind, piece)
                    } else {
                        let room = self.reply.room().saturating_sub(self.body.len());
                        self.body.extend_from_slice(&piece[..take.min(room)]);
                        at += take;
                        self.step = if whole {
                            Step::BodyEnd { seen: 0, kind, chunk }
                        } else {
                            Step::Body { left: left - take as u64, kind, chunk }
                        };
                        false
                    }
                }
                Step::BodyEnd { seen, kind, chunk } => {
                    if data[at] != b"\r\n"[usize::from(seen)] {
                        return Progress::Bad("a string is not followed by CR LF");
                    }
                    at += 1;
                    if seen == 0 {
                        self.step = Step::BodyEnd { seen: 1, kind, chunk };
                        false
                    } else {
                        self.step = Step::Line;
                        if chunk {
                            false
                        } else {
                            self.body_scalar(kind)
                        }
                    }
                }
            };
            if done {
                self.fresh = true;
                return Progress::Value(at);
            }
        }
        Progress::More
    }

    fn take_line(&mut self, data: &[u8], at: &mut usize) -> Result<bool, &'static str> {
        let rest = &data[*at..];
        if self.line_len == 0 {
            let known = if self.chunked {
                rest[0] == b';'
            } else {
                KINDS.contains(&rest[0]) || (rest[0] == b'.' && self.stack.last().is_some_and(|top| top.left.is_none()))
            };
            if !known {
                return Err("a value does not begin with a RESP type");
            }
        }
        let Some(end) = find_lf(rest) else {
            self.keep_line(rest);
            *at = data.len();
            let first = self.line[0];
            if self.line_len > MAX_NUMBER_LINE && !matches!(first, b'+' | b'-' | b'(') {
                return Err("a length or number is longer than 64 bytes");
            }
            return Ok(false);
        };
        *at += end + 1;
        if self.line_len == 0 {
            return self.line(&rest[..end]);
        }
        self.keep_line(&rest[..end]);
        let line = std::mem::take(&mut self.line);
        self.line_len = 0;
        let result = self.line(&line);
        self.line = line;
        self.line.clear();
        result
    }

    fn keep_line(&mut self, piece: &[u8]) {
        let room = MAX_TEXT_LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
        self.line_len = self.line_len.saturating_add(piece.len());
        if piece.len() > room {
            // Only the end tells whether the line is well formed; keep that much of what does not fit.
            if let (Some(slot), Some(&last)) = (self.line.last_mut(), piece.last()) {
                *slot = last;
            }
        }
    }

    /// One whole line without its LF; true when it ends the top-level value.
    fn line(&mut self, line: &[u8]) -> Result<bool, &'static str> {
        let Some((b'\r', line)) = line.split_last() else {
            return Err("a line does not end with CR LF");
        };
        let Some((&kind, text)) = line.split_first() else {
            return Err("an empty line where a value is expected");
        };
        if text.len() > MAX_NUMBER_LINE && !matches!(kind, b'+' | b'-' | b'(') {
            return Err("a length or number is longer than 64 bytes");
        }
        match kind {
            b'+' | b'-' => Ok(self.scalar(kind, text)),
            b'(' => match text.strip_prefix(b"-").unwrap_or(text) {
                digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => Ok(self.scalar(kind, text)),
                _ => Err("a big number is not a number"),
            },
            b':' => {
                let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
                if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
                    return Err("an integer is not a number");
                }
                Ok(self.scalar(kind, text))
            }
            b',' => {
                let known = !text.is_empty()
                    && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'));
                if known {
                    Ok(self.scalar(kind, text))
                } else {
                    Err("a double is not a number")
                }
            }
            b'#' if matches!(text, b"t" | b"f") => Ok(self.scalar(kind, text)),
            b'#' => Err("a boolean is neither t nor f"),
            b'_' if text.is_empty() => Ok(self.scalar(kind, text)),
            b'_' => Err("a null has a value"),
            b'$' | b'!' | b'=' => self.string(kind, text),
            b';' => self.chunk(text),
            b'.' => {
                if !text.is_empty() {
                    return Err("the end of a streamed aggregate has a value");
                }
                self.close_streamed()
            }
            _ => self.aggregate(kind, text),
        }
    }

    fn string(&mut self, kind: u8, text: &[u8]) -> Result<bool, &'static str> {
        if text == b"?" && kind == b'$' {
            self.chunked = true;
            return Ok(false);
        }
        match parse_number(text) {
            Some(-1) if kind == b'$' => Ok(self.scalar(b'_', b"")),
            Some(length) if (0..=MAX_STRING).contains(&length) => {
                self.step = Step::Body { left: length as u64, kind, chunk: false };
                Ok(false)
            }
            _ => Err("a string has no usable length"),
        }
    }

    fn chunk(&mut self, text: &[u8]) -> Result<bool, &'static str> {
        match parse_number(text) {
            Some(0) => {
                self.chunked = false;
                Ok(self.body_scalar(b'$'))
            }
            Some(length) if (1..=MAX_STRING).contains(&length) => {
                self.step = Step::Body { left: length as u64, kind: b'$', chunk: true };
                Ok(false)
            }
            _ => Err("a part of a streamed string has no usable length"),
        }
    }

    fn aggregate(&mut self, kind: u8, text: &[u8]) -> Result<bool, &'static str> {
        let pairs = matches!(kind, b'%' | b'|');
        let left = if text == b"?" && kind != b'|' {
            None
        } else {
            match parse_number(text) {
                Some(-1) if kind == b'*' => return Ok(self.scalar(b'_', b"")),
                Some(count) if (0..=MAX_ITEMS).contains(&count) => {
                    Some(if pairs { 2 * count as u64 } else { count as u64 })
                }
                _ => return Err("an aggregate has no usable length"),
            }
        };
        if self.stack.len() >= MAX_DEPTH {
            return Err("aggregates are nested deeper than 128");
        }
        if kind != b'|' {
            if self.stack.is_empty() && self.reply.kind == 0 {
                self.reply.kind = kind;
                self.reply.items = left.unwrap_or(0);
            }
            self.separator();
            self.open_bracket(kind);
        }
        self.stack.push(Level { left, index: 0, kind });
        if left == Some(0) {
            return Ok(self.close());
        }
        Ok(false)
    }

    fn close_streamed(&mut self) -> Result<bool, &'static str> {
        match self.stack.last() {
            Some(top) if top.left.is_none() => Ok(self.close()),
            _ => Err("a streamed aggregate ends that never began"),
        }
    }

    /// Elements of an attribute are never shown.
    fn in_attribute(&self) -> bool {
        self.stack.iter().any(|level| level.kind == b'|')
    }

    fn separator(&mut self) {
        if let Some(top) = self.stack.last() {
            let (pairs, index) = (top.kind == b'%', top.index);
            if !self.in_attribute() {
                self.reply.separator(pairs, index);
            }
        }
    }

    fn open_bracket(&mut self, kind: u8) {
        if !self.in_attribute() {
            self.reply.bracket(if kind == b'%' { b'{' } else { b'[' });
        }
    }

    fn body_scalar(&mut self, kind: u8) -> bool {
        let body = std::mem::take(&mut self.body);
        let done = self.scalar(kind, &body);
        self.body = body;
        self.body.clear();
        done
    }

    fn scalar(&mut self, kind: u8, data: &[u8]) -> bool {
        let Some(top) = self.stack.last() else {
            self.reply.kind = kind;
            self.reply.scalar(kind, data, 0, 0);
            return true;
        };
        let index = top.index;
        if !self.in_attribute() {
            self.separator();
            self.reply.scalar(kind, data, self.stack.len(), index);
        }
        self.element()
    }

    /// Closes the innermost aggregate, and those that it completes.
    fn close(&mut self) -> bool {
        let Some(level) = self.stack.pop() else { return true };
        if level.kind == b'|' {
            // An attribute stands in front of its value and is no element itself.
            return false;
        }
        if !self.in_attribute() {
            self.reply.bracket(if level.kind == b'%' { b'}' } else { b']' });
        }
        self.element()
    }

    fn element(&mut self) -> bool {
        loop {
            let Some(top) = self.stack.last_mut() else { return true };
            top.index += 1;
            let Some(left) = &mut top.left else { return false };
            *left -= 1;
            if *left > 0 {
                return false;
            }
            let kind = top.kind;
            self.stack.pop();
            if kind == b'|' {
                return false;
            }
            if !self.in_attribute() {
                self.reply.bracket(if kind == b'%' { b'}' } else { b']' });
            }
        }
    }
}
