//! Parsers that fail, lie or are run by the host: the engine goes on, and what is lost is counted.

mod common;

use common::line::LineParser;
use common::result::read_batch;
use common::{flow_info, Prng, Rows, Talk, Told, MS};
use mf_l7::{Count, L7Engine, L7Options, L7Table, Op, ParserDescription, ParserRuntime, Runtime};

fn description(name: &str, port: u16) -> ParserDescription {
    let mut description = ParserDescription::new(name, 127, name);
    description.ports = vec![(port, port)];
    description
}

fn native() -> (L7Engine, std::rc::Rc<std::cell::Cell<u32>>) {
    let mut engine = L7Engine::new(L7Options::default());
    let parser = LineParser::default();
    let restarts = parser.restarts.clone();
    engine.add_parser(description("line", 80), Runtime::Native(Box::new(parser))).unwrap();
    (engine, restarts)
}

#[test]
fn a_failed_batch_is_lost_and_the_next_one_works() {
    for bad in ["BOOM\n", "LIE\n"] {
        let (mut engine, restarts) = native();
        let mut told = Told::default();
        let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
        talk.handshake(&mut engine, &mut told);
        talk.say(&mut engine, &mut told, 0, b"?1 one\n");
        talk.say(&mut engine, &mut told, 1, b"!1\n");
        talk.say(&mut engine, &mut told, 0, b"?2 two\n");
        engine.flush_block(talk.now, &mut told);
        talk.say(&mut engine, &mut told, 0, bad.as_bytes());
        engine.flush_block(talk.now, &mut told);
        assert_eq!(restarts.get(), 1);
        talk.say(&mut engine, &mut told, 0, b"?3 tre\n");
        talk.say(&mut engine, &mut told, 1, b"!3\n");
        engine.finish(&mut told);
        assert_eq!(engine.count(Count::BatchesLost), 1);
        assert_eq!(told.rrts, [1000, 1000], "the open request of before is not paired with the answer of after");
        assert_eq!(engine.count(Count::Unanswered), 1);
        assert_eq!(told.ended.len(), 1);
        assert!(engine.counters().any(|(stage, reason, _)| stage == "parser" && reason.starts_with("line: ")));
    }
}

#[test]
fn too_many_faults_are_quarantine_by_packet_time() {
    let (mut engine, restarts) = native();
    let mut told = Told::default();
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.handshake(&mut engine, &mut told);
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    engine.flush_block(talk.now, &mut told);
    for _ in 0..5 {
        talk.say(&mut engine, &mut told, 0, b"BOOM\n");
        engine.flush_block(talk.now, &mut told);
    }
    assert_eq!(engine.count(Count::Quarantines), 1);
    assert_eq!(restarts.get(), 5);
    talk.say(&mut engine, &mut told, 0, b"?2 two\n");
    engine.flush_block(talk.now, &mut told);
    assert_eq!(engine.count(Count::QuarantinedSegments), 1);
    // A new flow is not offered to it either.
    let mut other = Talk::open(&mut engine, &flow_info(2, 80));
    other.say(&mut engine, &mut told, 0, b"?1 one\n");
    engine.flush_block(talk.now, &mut told);
    assert_eq!(told.identified.len(), 1);
    talk.now += 1000 * MS;
    talk.say(&mut engine, &mut told, 0, b"tail\n?3 tre\n");
    talk.say(&mut engine, &mut told, 1, b"!3\n");
    engine.finish(&mut told);
    assert_eq!(told.rrts, [1000]);
    assert_eq!(told.ended.len(), 2);
}

#[test]
fn a_parser_that_cannot_be_restarted_is_out() {
    let mut engine = L7Engine::new(L7Options::default());
    let mut parser = LineParser::default();
    parser.cannot_restart = true;
    engine.add_parser(description("line", 80), Runtime::Native(Box::new(parser))).unwrap();
    let mut told = Told::default();
    for id in 0..4 {
        let mut talk = Talk::open(&mut engine, &flow_info(id, 80));
        talk.now += id * 3000 * MS;
        talk.say(&mut engine, &mut told, 0, b"?1 one\nBOOM\n");
        engine.flush_block(talk.now, &mut told);
    }
    engine.finish(&mut told);
    assert_eq!(told.ended.len(), 4);
    assert_eq!(told.requests, 0);
}

/// What a host does: runs the external parser until no work is left.
fn host(engine: &mut L7Engine, parser: &mut LineParser, told: &mut Told) -> usize {
    let mut rounds = 0;
    while let Some(work) = engine.next_work() {
        rounds += 1;
        let bytes = work.bytes.to_vec();
        let result = match work.op {
            Op::Check => parser.check_bytes(&bytes),
            Op::Parse => parser.parse_bytes(&bytes).unwrap_or_default(),
        };
        engine.complete(&result, told).unwrap();
    }
    rounds
}

#[test]
fn the_host_runs_external_parsers_and_gets_the_same_rows() {
    let run = |external: bool, every: usize, batch_segments: usize| {
        let mut engine = L7Engine::new(L7Options { batch_segments, ..L7Options::default() });
        let mut outside = LineParser::default();
        let runtime = if external { Runtime::External } else { Runtime::Native(Box::<LineParser>::default()) };
        engine.add_parser(description("line", 80), runtime).unwrap();
        let mut told = Told::default();
        let mut talks: Vec<_> = (0..5).map(|id| Talk::open(&mut engine, &flow_info(id, 80))).collect();
        for i in 0..50usize {
            for talk in &mut talks {
                talk.say(&mut engine, &mut told, 0, format!("?{i} question\n").as_bytes());
                talk.say(&mut engine, &mut told, 1, format!("!{i}\n").as_bytes());
            }
            if i % every == every - 1 {
                engine.flush_block(talks[0].now, &mut told);
                host(&mut engine, &mut outside, &mut told);
            }
        }
        engine.finish(&mut told);
        host(&mut engine, &mut outside, &mut told);
        assert_eq!(told.ended.len(), 5);
        assert_eq!(engine.sessions(), 0);
        assert_eq!(engine.waiting_bytes(), 0);
        let dump = Rows::take(&mut engine, L7Table::Message).dump();
        let mut lines: Vec<_> = dump.lines().map(str::to_string).collect();
        lines.sort();
        (lines, told.rrts.len())
    };
    let expected = run(false, 1, 4096);
    assert_eq!(expected.1, 250);
    assert!(run(true, 1, 4096) == expected);
    assert!(run(true, 50, 4096) == expected, "all segments wait for the first verdict");
    assert!(run(true, 50, 3) == expected, "sealed batches keep their order");
}

#[test]
fn work_stays_until_it_is_completed_and_failures_are_counted() {
    let mut engine = L7Engine::new(L7Options::default());
    engine.add_parser(description("line", 80), Runtime::External).unwrap();
    let mut told = Told::default();
    assert!(engine.next_work().is_none());
    assert!(engine.complete(b"MFR1", &mut told).is_err());
    let mut talk = Talk::open(&mut engine, &flow_info(1, 80));
    talk.say(&mut engine, &mut told, 0, b"?1 one\n");
    let first = engine.next_work().unwrap().bytes.to_vec();
    assert_eq!(engine.next_work().unwrap().bytes, first);
    assert_eq!(read_batch(&first)[0].payload, b"?1 one\n");
    engine.complete(b"", &mut told).unwrap();
    assert!(engine.next_work().is_none());
    assert_eq!(engine.count(Count::BatchesLost), 1);
    talk.say(&mut engine, &mut told, 0, b"?2 two\n");
    assert_eq!(host(&mut engine, &mut LineParser::default(), &mut told), 2);
    assert_eq!(told.requests, 1);
}

/// A parser whose every answer is noise around the format.
struct Liar {
    random: Prng,
    arena: Vec<u8>,
    out: Vec<u8>,
    honest: LineParser,
}

impl Liar {
    fn lie(&mut self, honest: Vec<u8>) {
        self.out = honest;
        match self.random.below(6) {
            0 => self.out.truncate(self.random.below(self.out.len() + 1)),
            1 => self.out.clear(),
            _ => {
                for _ in 0..1 + self.random.below(6) {
                    let at = self.random.below(self.out.len());
                    let value = self.random.next() as u8;
                    let value = [value, 0, 1, 0xff, 5][self.random.below(5)];
                    if let Some(byte) = self.out.get_mut(at) {
                        *byte = value;
                    }
                }
            }
        }
    }
}

impl ParserRuntime for Liar {
    fn input(&mut self, cap: usize) -> Option<&mut [u8]> {
        self.arena.resize(cap, 0);
        Some(&mut self.arena)
    }

    fn check(&mut self, len: usize) -> Result<&[u8], mf_l7::Fault> {
        let honest = self.honest.check_bytes(&self.arena[..len]);
        if self.random.below(3) == 0 {
            self.lie(honest);
        } else {
            self.out = honest;
        }
        Ok(&self.out)
    }

    fn parse(&mut self, len: usize) -> Result<&[u8], mf_l7::Fault> {
        let honest = self.honest.parse_bytes(&self.arena[..len])?;
        self.lie(honest);
        Ok(&self.out)
    }
}

#[test]
fn lies_and_bad_packets_never_panic_and_memory_stays_bounded() {
    for seed in 1..40u64 {
        let options = L7Options {
            fault_limit: 1 << 30,
            pending_per_flow: 50,
            pending_total: 300,
            total_bytes: 100_000,
            explain: seed % 2 == 0,
            batch_segments: 1 + (seed as usize * 7) % 60,
            ..L7Options::default()
        };
        let mut engine = L7Engine::new(options);
        for name in ["a", "b", "c"] {
            let liar = Liar {
                random: Prng(seed * 77 + name.len() as u64),
                arena: Vec::new(),
                out: Vec::new(),
                honest: LineParser::default(),
            };
            let mut description = description(name, 80);
            description.pairing = if name == "b" { mf_l7::Pairing::Keyed } else { mf_l7::Pairing::Fifo };
            engine.add_parser(description, Runtime::Native(Box::new(liar))).unwrap();
        }
        let mut random = Prng(seed);
        let mut told = Told::default();
        let mut talks: Vec<_> = (0..20).map(|id| Talk::open(&mut engine, &flow_info(id, 80))).collect();
        let lines: [&[u8]; 8] = [b"?1 a\n", b"!1\n", b"?2 b\n!", b"+7\n", b"X\n", b"*1 c\n", b"~", b"BOOM\n"];
        for step in 0..1500 {
            let which = random.below(talks.len());
            let talk = &mut talks[which];
            match random.below(40) {
                0 => talk.lose(random.below(2) as u8, random.below(5000) as u32),
                1 => talk.seq[0] = random.next() as u32,
                2 => talk.now += random.below(3000) as u64 * MS,
                3 => {
                    engine.close(talk.flow, &mut told);
                    *talk = Talk::open(&mut engine, &flow_info(1000 + step, 80));
                }
                4 => talk.flags(&mut engine, &mut told, random.below(2) as u8, random.next() as u8),
                5 => engine.flush_block(talk.now, &mut told),
                n => talk.say(&mut engine, &mut told, (n % 2) as u8, lines[random.below(lines.len())]),
            }
            assert!(engine.waiting_messages() <= 300);
            assert!(engine.waiting_bytes() <= 110_000);
        }
        engine.finish(&mut told);
        assert_eq!(engine.sessions(), 0, "every session ends");
        assert_eq!(engine.waiting_messages(), 0);
        assert_eq!(engine.waiting_bytes(), 0);
        for table in [L7Table::Message, L7Table::FlowLog, L7Table::Explain] {
            let _ = Rows::take(&mut engine, table).dump();
        }
    }
}
