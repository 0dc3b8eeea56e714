//! Hessian 2: a walker over values of any type, bounded by the bytes that are there.

use super::{keep, parameters, Body, ATTACHMENTS};
use crate::options::Options;

/// Values inside of values.
const DEPTH: u8 = 48;
/// Classes of a body whose fields are remembered, and fields of a class.
const CLASSES: usize = 512;
const FIELDS: usize = 4096;

/// A place in a body.
#[derive(Default)]
struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    classes: Vec<Class<'a>>,
}

/// A class that was defined in the body: its name, how many fields, and which of them is an exception's message.
struct Class<'a> {
    name: &'a [u8],
    fields: usize,
    message: Option<usize>,
}

pub(super) fn request(bytes: &[u8], body: &mut Body, options: &Options) -> Option<()> {
    let mut walker = Walker { bytes, ..Walker::default() };
    for place in [&mut body.dubbo, &mut body.service, &mut body.service_version, &mut body.method] {
        keep(place, &walker.text()?);
    }
    let types = walker.text()?;
    keep(&mut body.types, &types);
    let start = walker.at;
    let is_generic = body.method.starts_with("$invoke");
    for number in 0..parameters(&types) {
        if is_generic && number == 0 {
            let before = walker.at;
            if let Some(name) = walker.text() {
                keep(&mut body.generic, &name);
                continue;
            }
            walker.at = before;
        }
        if walker.skip(0).is_none() {
            return search(&bytes[start..], body, options);
        }
    }
    attachments(&mut walker, body, options).or_else(|| search(&bytes[start..], body, options))
}

pub(super) fn response(bytes: &[u8], is_error: bool, body: &mut Body, options: &Options) -> Option<()> {
    let mut walker = Walker { bytes, ..Walker::default() };
    if is_error {
        keep(&mut body.message, &walker.text()?);
        return Some(());
    }
    let kind = walker.int()?;
    match kind {
        0 | 3 => walker.exception(body)?,
        1 | 4 => walker.skip(0)?,
        2 | 5 => {}
        _ => return None,
    }
    if kind >= 3 {
        attachments(&mut walker, body, options)?;
    }
    Some(())
}

/// The map behind the arguments.
fn attachments(walker: &mut Walker<'_>, body: &mut Body, options: &Options) -> Option<()> {
    match walker.byte()? {
        b'H' => {}
        b'M' => walker.kind()?,
        b'N' => return Some(()),
        _ => return None,
    }
    for _ in 0..ATTACHMENTS {
        if walker.peek()? == b'Z' {
            return Some(());
        }
        let name = walker.text()?;
        let before = walker.at;
        match walker.text() {
            Some(value) => body.attachment(&name, &value, options),
            None => {
                walker.at = before;
                walker.skip(0)?;
            }
        }
    }
    Some(())
}

fn search(bytes: &[u8], body: &mut Body, options: &Options) -> Option<()> {
    let name = |name: &str| [&[name.len() as u8][..], name.as_bytes()].concat();
    body.search(bytes, options, name, |rest| Walker { bytes: rest, ..Walker::default() }.text());
    None
}

impl<'a> Walker<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let part = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(part)
    }

    fn number(&mut self, count: usize) -> Option<usize> {
        Some(self.take(count)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    }

    /// A text, its chunks joined.
    fn text(&mut self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let code = self.byte()?;
            let (length, is_last) = match code {
                0x00..=0x1f => (code.into(), true),
                0x30..=0x33 => (usize::from(code - 0x30) << 8 | self.number(1)?, true),
                b'R' => (self.number(2)?, false),
                b'S' => (self.number(2)?, true),
                _ => return None,
            };
            whole.extend_from_slice(self.characters(length)?);
            if is_last {
                return Some(whole);
            }
        }
    }

    /// So many characters of UTF-16, each as one to three bytes (four for a pair that stands together).
    fn characters(&mut self, count: usize) -> Option<&'a [u8]> {
        let start = self.at;
        let mut left = count;
        while left > 0 {
            let size = match self.peek()? {
                0x00..=0x7f => 1,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf7 => {
                    left = left.saturating_sub(1);
                    4
                }
                _ => return None,
            };
            self.take(size)?;
            left = left.saturating_sub(1);
        }
        self.bytes.get(start..self.at)
    }

    fn int(&mut self) -> Option<i64> {
        let code = i64::from(self.byte()?);
        Some(match code {
            0x80..=0xbf => code - 0x90,
            0xc0..=0xcf => (code - 0xc8) << 8 | self.number(1)? as i64,
            0xd0..=0xd7 => (code - 0xd4) << 16 | self.number(2)? as i64,
            0x49 => i64::from(self.number(4)? as u32 as i32),
            _ => return None,
        })
    }

    fn count(&mut self) -> Option<usize> {
        // Whatever is counted takes a byte at least.
        usize::try_from(self.int()?).ok().filter(|count| *count <= self.bytes.len() - self.at)
    }

    /// The name of a type, or the number of one that was named before.
    fn kind(&mut self) -> Option<()> {
        let before = self.at;
        if self.text().is_none() {
            self.at = before;
            self.int()?;
        }
        Some(())
    }

    fn class(&mut self) -> Option<()> {
        let start = self.at;
        self.text()?;
        let name = &self.bytes[start..self.at];
        let name = &name[name.len().min(if name[0] < 0x20 { 1 } else { 2 })..];
        let count = self.count().filter(|count| *count <= FIELDS && self.classes.len() < CLASSES)?;
        let mut message = None;
        for field in 0..count {
            if self.text()? == b"detailMessage" {
                message = Some(field);
            }
        }
        self.classes.push(Class { name, fields: count, message });
        Some(())
    }

    /// An object's exception: its class, and its message.
    fn exception(&mut self, body: &mut Body) -> Option<()> {
        while self.peek()? == b'C' {
            self.byte();
            self.class()?;
        }
        let code = self.byte()?;
        let number = match code {
            0x60..=0x6f => usize::from(code - 0x60),
            b'O' => self.count()?,
            _ => {
                self.at -= 1;
                return self.skip(0);
            }
        };
        let class = self.classes.get(number)?;
        keep(&mut body.exception, class.name);
        let (fields, message) = (class.fields, class.message);
        for field in 0..fields {
            let before = self.at;
            match self.text().filter(|_| message == Some(field)) {
                Some(text) => keep(&mut body.message, &text),
                None => {
                    self.at = before;
                    self.skip(1)?;
                }
            }
        }
        Some(())
    }

    fn until_end(&mut self, depth: u8) -> Option<()> {
        while self.peek()? != b'Z' {
            self.skip(depth + 1)?;
        }
        self.byte().map(|_| ())
    }

    fn values(&mut self, count: usize, depth: u8) -> Option<()> {
        for _ in 0..count {
            self.skip(depth + 1)?;
        }
        Some(())
    }

    /// Pass over one value.
    fn skip(&mut self, depth: u8) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        while self.peek()? == b'C' {
            self.byte();
            self.class()?;
        }
        let code = self.byte()?;
        match code {
            0x00..=0x1f | 0x30..=0x33 | b'R' | b'S' => {
                self.at -= 1;
                self.text().map(|_| ())
            }
            0x20..=0x2f => self.take(usize::from(code - 0x20)).map(|_| ()),
            0x34..=0x37 => {
                let length = usize::from(code - 0x34) << 8 | self.number(1)?;
                self.take(length).map(|_| ())
            }
            b'A' => {
                let length = self.number(2)?;
                self.take(length)?;
                // The next chunk of the same bytes.
                self.skip(depth + 1)
            }
            b'B' => {
                let length = self.number(2)?;
                self.take(length).map(|_| ())
            }
            b'F' | b'N' | b'T' | 0x5b | 0x5c | 0x80..=0xbf | 0xd8..=0xef => Some(()),
            0x5d | 0xc0..=0xcf | 0xf0..=0xff => self.take(1).map(|_| ()),
            0x5e | 0x38..=0x3f | 0xd0..=0xd7 => self.take(2).map(|_| ()),
            0x5f | b'I' | b'K' | b'Y' => self.take(4).map(|_| ()),
            b'D' | b'J' | b'L' => self.take(8).map(|_| ()),
            b'H' | b'W' => self.until_end(depth),
            b'M' | b'U' => {
                self.kind()?;
                self.until_end(depth)
            }
            b'V' => {
                self.kind()?;
                let count = self.count()?;
                self.values(count, depth)
            }
            b'X' => {
                let count = self.count()?;
                self.values(count, depth)
            }
            0x70..=0x77 => {
                self.kind()?;
                self.values(usize::from(code - 0x70), depth)
            }
            0x78..=0x7f => self.values(usize::from(code - 0x78), depth),
            b'Q' => self.int().map(|_| ()),
            b'O' | 0x60..=0x6f => {
                let number = if code == b'O' { self.count()? } else { usize::from(code - 0x60) };
                let fields = self.classes.get(number)?.fields;
                self.values(fields, depth)
            }
            _ => None,
        }
    }
}
