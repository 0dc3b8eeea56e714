//! What is kept of one reply: a short rendering and the few facts that pairing needs.

use crate::text::push_printable;

/// How many bytes of an aggregate's first element are kept to recognise a push.
const WORD: usize = 16;

/// The digest of one top-level value.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Type byte of the value, attributes left out.
    pub kind: u8,
    /// Elements an aggregate announced (0 when streamed).
    pub items: u64,
    /// Rendering, printable UTF-8 of bounded size.
    pub text: Vec<u8>,
    /// Text of a top-level error, else of the first error inside an aggregate.
    pub error: Vec<u8>,
    /// The error is inside an aggregate (`EXEC`), not the reply itself.
    pub nested_error: bool,
    /// The last integer directly inside a top-level aggregate.
    pub last_integer: i64,
    word: [u8; WORD],
    word_len: u8,
    limit: usize,
}

impl Reply {
    /// Forgets everything and takes a new limit for texts, bytes.
    pub fn reset(&mut self, limit: usize) {
        self.kind = 0;
        self.items = 0;
        self.text.clear();
        self.error.clear();
        self.nested_error = false;
        self.last_integer = -1;
        self.word_len = 0;
        self.limit = limit;
    }

    /// First element of an aggregate when it is text, at most 16 bytes.
    pub fn word(&self) -> &[u8] {
        &self.word[..usize::from(self.word_len)]
    }

    /// True for a top-level `-` or `!`.
    pub fn is_error(&self) -> bool {
        matches!(self.kind, b'-' | b'!')
    }

    /// Bytes of one more scalar that could still be of use.
    pub fn room(&self) -> usize {
        // 4: the type in front of a verbatim string is not shown.
        (self.limit.saturating_sub(self.text.len()) + 4).max(WORD)
    }

    /// Takes a scalar: its type, its bytes (maybe only the first ones), how deep it lies and its place there.
    pub fn scalar(&mut self, kind: u8, data: &[u8], depth: usize, index: u64) {
        if matches!(kind, b'-' | b'!') && self.error.is_empty() {
            push_printable(&mut self.error, data, self.limit);
            self.nested_error = depth > 0;
        }
        if depth == 1 {
            if index == 0 && matches!(kind, b'$' | b'+' | b'=') {
                let len = data.len().min(WORD);
                self.word[..len].copy_from_slice(&data[..len]);
                self.word_len = len as u8;
            }
            if kind == b':' {
                self.last_integer = crate::text::parse_number(data).unwrap_or(-1);
            }
        }
        if self.text.len() >= self.limit {
            return;
        }
        match kind {
            b'_' => push_printable(&mut self.text, b"(nil)", self.limit),
            b'#' => push_printable(&mut self.text, if data == b"t" { b"true" } else { b"false" }, self.limit),
            b'=' => push_printable(&mut self.text, data.get(4..).unwrap_or(data), self.limit),
            _ => push_printable(&mut self.text, data, self.limit),
        }
    }

    /// Writes what stands between two elements.
    pub fn separator(&mut self, pairs: bool, index: u64) {
        if index > 0 && self.text.len() < self.limit {
            let text: &[u8] = if pairs && index % 2 == 1 { b": " } else { b", " };
            push_printable(&mut self.text, text, self.limit);
        }
    }

    /// Writes an opening or closing bracket.
    pub fn bracket(&mut self, bracket: u8) {
        if self.text.len() < self.limit {
            self.text.push(bracket);
        }
    }
}
