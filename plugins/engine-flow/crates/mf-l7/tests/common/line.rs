//! A parser of a line protocol: `?KEY TEXT` request, `!KEY TEXT` response, `-KEY TEXT` failed response, `+KEY TEXT`
//! response that is followed by more, `%KEY TEXT` one of which nobody knows what it answers, `*TEXT` one-way, `XTEXT` violation, `V` violation behind the line. `BOOM` makes it fail, `LIE` makes it lie.

use std::collections::BTreeMap;

use super::result::{read_batch, result, texts, u32s, u64s, u8s};
use mf_l7::{Fault, ParserRuntime};

#[derive(Default)]
struct Half {
    line: Vec<u8>,
    offset: u64,
    time: u64,
    lost: bool,
}

#[derive(Default)]
pub struct LineParser {
    arena: Vec<u8>,
    out: Vec<u8>,
    halves: BTreeMap<(u64, u8), Half>,
    /// First bytes it confirms; `?` and `!` when empty.
    pub prefix: Vec<u8>,
    pub restarts: std::rc::Rc<std::cell::Cell<u32>>,
    pub cannot_restart: bool,
}

#[derive(Default)]
struct Found {
    segment: Vec<u32>,
    kind: Vec<u8>,
    status: Vec<u8>,
    flags: Vec<u8>,
    stream: Vec<u64>,
    offset: Vec<u64>,
    time: Vec<u64>,
    length: Vec<u64>,
    resource: Vec<String>,
    exception: Vec<String>,
}

impl LineParser {
    pub fn parse_bytes(&mut self, batch: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut found = Found::default();
        for (index, segment) in read_batch(batch).into_iter().enumerate() {
            let key = (segment.session, segment.direction);
            match segment.kind {
                0 => {}
                1 => {
                    self.halves.entry(key).or_default().lost = true;
                    continue;
                }
                _ => {
                    self.halves.remove(&(segment.session, 0));
                    self.halves.remove(&(segment.session, 1));
                    continue;
                }
            }
            let half = self.halves.entry(key).or_default();
            for (at, &byte) in segment.payload.iter().enumerate() {
                if half.lost {
                    half.line.clear();
                    half.lost = byte != b'\n';
                    continue;
                }
                if half.line.is_empty() {
                    half.offset = segment.offset + at as u64;
                    half.time = segment.time;
                }
                if byte != b'\n' {
                    half.line.push(byte);
                    continue;
                }
                let line = String::from_utf8_lossy(&std::mem::take(&mut half.line)).to_string();
                match line.as_str() {
                    "BOOM" => return Err(Fault::Trap("boom".to_string())),
                    "LIE" => return Ok(b"MFR1\xff\xff\xff\xff\x01\0\0\0".to_vec()),
                    _ => {}
                }
                let (kind, status, flags) = match line.as_bytes().first() {
                    Some(b'?') => (1, 0, 0),
                    Some(b'!') => (2, 0, 0),
                    Some(b'-') => (2, 3, 0),
                    Some(b'+') => (2, 0, 8),
                    Some(b'%') => (2, 0, 16),
                    Some(b'*') => (3, 0, 0),
                    Some(b'X' | b'V') => (5, 0, 0),
                    _ => (6, 0, 0),
                };
                let rest = line.get(1..).unwrap_or("");
                let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
                found.segment.push(index as u32);
                found.kind.push(kind);
                found.status.push(status);
                found.flags.push(flags);
                found.stream.push(number.parse().unwrap_or(0));
                let is_behind = line.starts_with('V');
                found.offset.push(half.offset + if is_behind { line.len() as u64 + 1 } else { 0 });
                found.time.push(half.time);
                found.length.push(line.len() as u64 + 1);
                found.resource.push(text.to_string());
                found.exception.push(if kind >= 5 { "not a line I know".to_string() } else { String::new() });
            }
        }
        let columns = [
            u32s(1, found.segment.iter().copied()),
            u8s(2, found.kind.iter().copied()),
            u8s(3, found.status),
            u64s(6, found.stream),
            u64s(7, found.offset),
            u64s(8, found.time),
            u64s(10, found.length),
            u8s(13, found.flags),
            texts(18, found.resource.iter().map(String::as_str)),
            texts(19, found.resource.iter().map(String::as_str)),
            texts(21, found.exception.iter().map(String::as_str)),
        ];
        let mut out = Vec::new();
        result(&mut out, b"MFR1", found.kind.len(), &columns);
        Ok(out)
    }

    pub fn check_bytes(&mut self, batch: &[u8]) -> Vec<u8> {
        let prefix = if self.prefix.is_empty() { b"?!".as_slice() } else { &self.prefix };
        let rows = read_batch(batch);
        let verdict = |payload: &[u8]| match payload.first() {
            Some(b'~') if payload.len() < 4 => 1,
            Some(b'~') => 2,
            Some(b'!') if prefix.contains(&b'!') => 3,
            Some(byte) if prefix.contains(byte) => 2,
            _ => 0,
        };
        let columns = [
            u8s(1, rows.iter().map(|row| verdict(&row.payload))),
            u32s(2, rows.iter().map(|_| 0)),
            texts(16, rows.iter().map(|_| "no mark of a line")),
        ];
        let mut out = Vec::new();
        result(&mut out, b"MFC1", rows.len(), &columns);
        out
    }
}

impl ParserRuntime for LineParser {
    fn input(&mut self, cap: usize) -> Option<&mut [u8]> {
        self.arena.resize(self.arena.len().max(cap), 0);
        Some(&mut self.arena)
    }

    fn check(&mut self, len: usize) -> Result<&[u8], Fault> {
        let batch = self.arena[..len].to_vec();
        self.out = self.check_bytes(&batch);
        Ok(&self.out)
    }

    fn parse(&mut self, len: usize) -> Result<&[u8], Fault> {
        let batch = self.arena[..len].to_vec();
        self.out = self.parse_bytes(&batch)?;
        Ok(&self.out)
    }

    fn restart(&mut self) -> Result<(), Fault> {
        self.restarts.set(self.restarts.get() + 1);
        self.halves.clear();
        if self.cannot_restart {
            return Err(Fault::Internal);
        }
        Ok(())
    }
}
