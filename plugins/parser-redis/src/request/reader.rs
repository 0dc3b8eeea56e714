//! Reads commands from the client's stream: arrays of bulk strings, and inline lines.

use super::line::CommandLine;
use crate::options::Options;
use crate::text::{find_lf, parse_number};

/// Redis refuses more arguments and longer inline lines than this.
const MAX_ARGUMENTS: i64 = 1024 * 1024;
const MAX_INLINE: usize = 64 * 1024;
/// `*` or `$`, a number, CR.
const MAX_NUMBER_LINE: usize = 32;
const MAX_STRING: i64 = 1 << 40;

/// What a call of [`RequestReader::feed`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes are used, the command goes on.
    More,
    /// A command is finished after that many bytes.
    Command(usize),
    /// Something empty, which the server ignores, ends after that many bytes.
    Nothing(usize),
    /// The bytes are no command, and why.
    Bad(&'static str),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    Count,
    Length { left: u32 },
    Body { left: u32, bytes: u64 },
    BodyEnd { left: u32, seen: u8 },
    Inline,
}

/// Reads the commands of one session.
#[derive(Debug)]
pub struct RequestReader {
    step: Step,
    /// A line that is not finished: of a number, or inline.
    part: Vec<u8>,
    /// The argument that is being read, when it came in pieces.
    body: Vec<u8>,
    inline_len: usize,
    /// The command that is being read, complete after [`Progress::Command`].
    pub command: CommandLine,
    /// The command was an inline line.
    pub is_inline: bool,
}

impl RequestReader {
    /// A reader with these bounds.
    pub fn new(options: Options) -> Self {
        Self {
            step: Step::Start,
            part: Vec::new(),
            body: Vec::new(),
            inline_len: 0,
            command: CommandLine::new(options),
            is_inline: false,
        }
    }

    /// True between two commands.
    pub fn is_idle(&self) -> bool {
        matches!(self.step, Step::Start)
    }

    /// Drops a half-read command.
    pub fn reset(&mut self) {
        self.step = Step::Start;
        self.part.clear();
        self.body.clear();
    }

    /// Takes missing bytes that all lie inside an argument and the CR LF behind it, so that the place in the stream is still
    /// known; `Some`: how many of these two are missing, and must be made up.
    pub fn gap(&mut self, missing: u64) -> Option<usize> {
        match &mut self.step {
            Step::Body { bytes, .. } if *bytes > 0 && missing <= *bytes + 2 => {
                let inside = missing.min(*bytes);
                *bytes -= inside;
                Some((missing - inside) as usize)
            }
            _ => None,
        }
    }

    /// Takes bytes up to the end of one command.
    pub fn feed(&mut self, data: &[u8]) -> Progress {
        let mut at = 0;
        while at < data.len() {
            match self.step {
                Step::Start => {
                    self.command.reset();
                    self.part.clear();
                    self.inline_len = 0;
                    self.is_inline = data[at] != b'*';
                    if !self.is_inline {
                        self.step = Step::Count;
                    } else if matches!(data[at], b'\r' | b'\n' | b'\t' | 0x20..=0x7e) {
                        self.step = Step::Inline;
                    } else {
                        return Progress::Bad("a command begins neither with * nor with text");
                    }
                }
                Step::Count => match self.number(b'*', data, &mut at) {
                    Ok(None) => return Progress::More,
                    Ok(Some(count)) if (1..=MAX_ARGUMENTS).contains(&count) => {
                        self.step = Step::Length { left: count as u32 };
                    }
                    Ok(Some(count)) if count <= 0 => {
                        self.step = Step::Start;
                        return Progress::Nothing(at);
                    }
                    Ok(Some(_)) => return Progress::Bad("a command has more than 1048576 arguments"),
                    Err(reason) => return Progress::Bad(reason),
                },
                Step::Length { left } => {
                    if self.part.is_empty() && data[at] != b'$' {
                        return Progress::Bad("an argument is not a bulk string");
                    }
                    match self.number(b'$', data, &mut at) {
                        Ok(None) => return Progress::More,
                        Ok(Some(bytes)) if (0..=MAX_STRING).contains(&bytes) => {
                            self.body.clear();
                            self.step = Step::Body { left, bytes: bytes as u64 };
                        }
                        Ok(Some(_)) => return Progress::Bad("an argument has no usable length"),
                        Err(reason) => return Progress::Bad(reason),
                    }
                }
                Step::Body { left, bytes } => {
                    let take = bytes.min((data.len() - at) as u64) as usize;
                    let piece = &data[at..at + take];
                    // The usual case: the whole argument lies here, nothing is copied.
                    if take as u64 == bytes && self.body.is_empty() && data[at + take..].starts_with(b"\r\n") {
                        at += take + 2;
                        self.command.argument(piece);
                        if self.next_argument(left) {
                            return Progress::Command(at);
                        }
                        continue;
                    }
                    let room = self.command.room().saturating_sub(self.body.len());
                    self.body.extend_from_slice(&piece[..take.min(room)]);
                    at += take;
                    self.step = if take as u64 == bytes {
                        Step::BodyEnd { left, seen: 0 }
                    } else {
                        Step::Body { left, bytes: bytes - take as u64 }
                    };
                }
                Step::BodyEnd { left, seen } => {
                    if data[at] != b"\r\n"[usize::from(seen)] {
                        return Progress::Bad("an argument is not followed by CR LF");
                    }
                    at += 1;
                    if seen == 0 {
                        self.step = Step::BodyEnd { left, seen: 1 };
                        continue;
                    }
                    let body = std::mem::take(&mut self.body);
                    self.command.argument(&body);
                    self.body = body;
                    self.body.clear();
                    if self.next_argument(left) {
                        return Progress::Command(at);
                    }
                }
                Step::Inline => {
                    let end = find_lf(&data[at..]);
                    let piece = &data[at..end.map_or(data.len(), |end| at + end)];
                    if piece.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\r')) {
                        return Progress::Bad("an inline command holds control characters");
                    }
                    self.inline_len = self.inline_len.saturating_add(piece.len());
                    if self.inline_len > MAX_INLINE {
                        return Progress::Bad("an inline command is longer than 64 KiB");
                    }
                    self.part.extend_from_slice(piece);
                    let Some(end) = end else { return Progress::More };
                    at += end + 1;
                    self.step = Step::Start;
                    return if self.inline_words() { Progress::Command(at) } else { Progress::Nothing(at) };
                }
            }
        }
        Progress::More
    }

    /// True when that was the last argument.
    fn next_argument(&mut self, left: u32) -> bool {
        self.step = if left > 1 { Step::Length { left: left - 1 } } else { Step::Start };
        left <= 1
    }

    /// Reads a line that is a mark and a number.
    fn number(&mut self, mark: u8, data: &[u8], at: &mut usize) -> Result<Option<i64>, &'static str> {
        let rest = &data[*at..];
        let line_end = find_lf(&rest[..rest.len().min(MAX_NUMBER_LINE)]);
        let Some(end) = line_end else {
            if rest.len() + self.part.len() > MAX_NUMBER_LINE {
                return Err("a length is longer than 32 bytes");
            }
            self.part.extend_from_slice(rest);
            *at = data.len();
            return Ok(None);
        };
        *at += end + 1;
        let parsed = if self.part.is_empty() {
            length(mark, &rest[..end])
        } else {
            self.part.extend_from_slice(&rest[..end]);
            length(mark, &self.part)
        };
        self.part.clear();
        parsed.map(Some)
    }

    /// Splits an inline line into words as the server does, quotes included.
    fn inline_words(&mut self) -> bool {
        let line = std::mem::take(&mut self.part);
        let mut word = Vec::new();
        let mut quote = 0u8;
        let mut open = false;
        let mut any = false;
        for &byte in line.iter().chain(b" ") {
            let space = matches!(byte, b' ' | b'\t' | b'\r');
            if quote == 0 && space {
                if open {
                    self.command.argument(&word);
                    word.clear();
                    any = true;
                }
                open = false;
                continue;
            }
            open = true;
            if quote == 0 && matches!(byte, b'"' | b'\'') {
                quote = byte;
            } else if byte == quote {
                quote = 0;
            } else if word.len() < MAX_INLINE {
                word.push(byte);
            }
        }
        if open {
            self.command.argument(&word);
            any = true;
        }
        // A long line's buffer is not kept for the next one.
        if line.capacity() <= 4096 {
            self.part = line;
            self.part.clear();
        }
        any
    }
}

fn length(mark: u8, line: &[u8]) -> Result<i64, &'static str> {
    let Some((b'\r', line)) = line.split_last() else {
        return Err("a length does not end with CR LF");
    };
    line.strip_prefix(&[mark]).and_then(parse_number).ok_or("a length is not a number")
}
