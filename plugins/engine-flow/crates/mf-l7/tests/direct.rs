//! Parsers that take segments one by one, where they lie, and batches that keep their limit.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::line::LineParser;
use common::result::read_batch;
use common::{flow_info, Rows, Talk, Told};
use mf_l7::{
    Count, Fault, L7Engine, L7Options, L7Table, Op, ParserDescription, ParserRuntime, Runtime, Seen, SEGMENT_HEADER,
};

/// The line parser behind the calls for single segments. A line `>N` says that the next N bytes are passed over.
#[derive(Default)]
struct OneByOne {
    line: LineParser,
    batch: Vec<u8>,
    count: u32,
    out: Vec<u8>,
    seen: Rc<RefCell<Vec<(u8, u64)>>>,
}

impl ParserRuntime for OneByOne {
    fn input(&mut self, cap: usize) -> Option<&mut [u8]> {
        self.line.input(cap)
    }

    fn check(&mut self, len: usize) -> Result<&[u8], Fault> {
        self.line.check(len)
    }

    fn parse(&mut self, _: usize) -> Result<&[u8], Fault> {
        panic!("no batch when segments can be shown one by one")
    }

    fn takes_segments(&self) -> bool {
        true
    }

    fn segment(&mut self, header: &[u8; SEGMENT_HEADER], payload: &[u8]) -> Result<Seen, Fault> {
        if payload == b"BOOM\n" {
            return Err(Fault::Trap("boom".to_string()));
        }
        self.seen.borrow_mut().push((header[4], u64::from_le_bytes(header[24..32].try_into().unwrap())));
        self.batch.extend_from_slice(header);
        self.batch.extend_from_slice(payload);
        self.batch.resize(self.batch.len().next_multiple_of(8), 0);
        self.count += 1;
        let text = std::str::from_utf8(payload).unwrap_or("");
        let passes = text.strip_prefix('>').and_then(|number| number.trim().parse().ok()).unwrap_or(0);
        Ok(Seen { passes, withdrew: text.starts_with('X') })
    }

    fn collect(&mut self) -> Result<&[u8], Fault> {
        let mut batch = b"MFB1".to_vec();
        batch.extend_from_slice(&self.count.to_le_bytes());
        batch.extend_from_slice(&[0; 8]);
        batch.append(&mut self.batch);
        self.count = 0;
        self.out = self.line.parse_bytes(&batch)?;
        Ok(&self.out)
    }

    fn restart(&mut self) -> Result<(), Fault> {
        self.batch.clear();
        self.count = 0;
        self.line.restart()
    }
}

fn description(name: &str, port: u16) -> ParserDescription {
    ParserDescription { ports: vec![(port, port)], ..ParserDescription::new(name, 200, "LINE") }
}

/// The rows of one conversation on port 80, told to parsers `a` (port 80) and `b`, in blocks of `every` lines.
fn rows(one_by_one: bool, every: usize, lines: &[&[u8]]) -> (String, Told, u64) {
    let mut engine = L7Engine::new(L7Options::default());
    for (name, port) in [("a", 80), ("b", 81)] {
        let runtime: Box<dyn ParserRuntime> =
            if one_by_one { Box::<OneByOne>::default() } else { Box::<LineParser>::default() };
        engine.add_parser(description(name, port), Runtime::Native(runtime)).unwrap();
    }
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    for (index, line) in lines.iter().enumerate() {
        talk.say(&mut engine, &mut told, u8::from(line.starts_with(b"!")), line);
        if index % every == every - 1 {
            engine.flush_block(talk.now, &mut told);
        }
    }
    engine.finish(&mut told);
    let messages = Rows::take(&mut engine, L7Table::Message).dump();
    assert_eq!((engine.sessions(), engine.waiting_bytes(), engine.waiting_messages()), (0, 0, 0));
    (messages, told, engine.count(Count::UnparsedBytes))
}

#[test]
fn one_by_one_gives_the_rows_that_batches_give() {
    let talks: [&[&[u8]]; 4] = [
        &[b"?1 a\n", b"!1\n", b"?2 b\n", b"?3 c\n", b"!2\n", b"!3\n"],
        // A violation: from its segment on the flow is the other parser's, whatever the block holds.
        &[b"?1 a\n", b"!1\n", b"X\n?2 b\n", b"?3 c\n", b"!2\n", b"!3\n"],
        &[b"?1 a\n", b"X\n", b"X\n", b"X\n", b"?2 b\n", b"!2\n"],
        &[b"~", b"~ x\n", b"?1 a\n", b"!1\n"],
    ];
    for lines in talks {
        let expected = rows(false, 1, lines);
        for every in 1..=lines.len() {
            assert_eq!(rows(true, every, lines), expected, "blocks of {every} lines");
        }
    }
}

#[test]
fn what_a_parser_passes_over_is_not_shown_and_gaps_are() {
    let mut engine = L7Engine::new(L7Options::default());
    let parser = OneByOne::default();
    let seen = parser.seen.clone();
    engine.add_parser(description("a", 80), Runtime::Native(Box::new(parser))).unwrap();
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 a\n");
    engine.flush_block(talk.now, &mut told);
    talk.say(&mut engine, &mut told, 0, b">25\n"); // offset 5; 9..34 are not wanted
    talk.say(&mut engine, &mut told, 0, b"0123456789");
    talk.say(&mut engine, &mut told, 0, b"0123456789"); // up to 29
    talk.say(&mut engine, &mut told, 1, b"!1\n");
    talk.say(&mut engine, &mut told, 0, b"0123456789\n"); // 29..40 holds wanted bytes
    talk.say(&mut engine, &mut told, 0, b"?2 b\n");
    engine.finish(&mut told);
    assert_eq!(*seen.borrow(), [(0, 0), (0, 5), (0, 0), (0, 29), (0, 40), (2, 0)]);
    assert_eq!(told.rrts.len(), 1);
    assert_eq!(engine.count(Count::UnparsedBytes), 0);
}

#[test]
fn a_failure_loses_what_was_not_collected_and_the_next_segment_works() {
    let mut engine = L7Engine::new(L7Options::default());
    let parser = OneByOne::default();
    let restarts = parser.line.restarts.clone();
    engine.add_parser(description("a", 80), Runtime::Native(Box::new(parser))).unwrap();
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?0 a\n");
    engine.flush_block(talk.now, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 a\n");
    talk.say(&mut engine, &mut told, 0, b"BOOM\n");
    talk.say(&mut engine, &mut told, 0, b"?2 a\n");
    talk.say(&mut engine, &mut told, 1, b"!2\n");
    engine.finish(&mut told);
    assert_eq!((restarts.get(), engine.count(Count::BatchesLost), engine.count(Count::SegmentsLost)), (1, 1, 2));
    assert_eq!(engine.count(Count::UnparsedBytes), 10);
    assert_eq!((told.requests, told.responses, told.rrts.len()), (2, 1, 1));
}

#[test]
fn payload_that_waited_for_a_verdict_keeps_the_limit_of_a_batch() {
    let mut engine = L7Engine::new(L7Options { batch_bytes: 8192, ..L7Options::default() });
    engine.add_parser(description("line", 80), Runtime::External).unwrap();
    let mut told = Told::default();
    let mut outside = LineParser::default();
    let mut talks: Vec<_> = (0..20).map(|id| Talk::open(&mut engine, &flow_info(id, 80))).collect();
    let text = "x".repeat(900);
    for round in 0..20 {
        for talk in &mut talks {
            talk.say(&mut engine, &mut told, 0, format!("?{round} {text}\n").as_bytes());
        }
    }
    engine.flush_block(talks[0].now, &mut told);
    let mut segments = 0;
    while let Some(work) = engine.next_work() {
        assert!(work.bytes.len() <= 8192 || read_batch(work.bytes).len() == 1, "{} bytes", work.bytes.len());
        let bytes = work.bytes.to_vec();
        let result = match work.op {
            Op::Check => outside.check_bytes(&bytes),
            Op::Parse => {
                segments += read_batch(&bytes).len();
                outside.parse_bytes(&bytes).unwrap()
            }
        };
        engine.complete(&result, &mut told).unwrap();
    }
    assert_eq!((segments, told.requests), (400, 400));
}
