//! A conversation as a list of steps, and the host that plays it to a parser.

use super::rows::{decode_checks, decode_records, Row};
use super::Random;
use crate::abi_generated as abi;
use crate::{Direction, Host, Parser, SEGMENT_WITHDRAWN};

/// One step of a conversation. Each step has a capture time of its own, the same for all pieces it is cut into.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bytes of a direction.
    Data(Direction, Vec<u8>),
    /// Bytes that the capture lost.
    Gap(Direction, u32),
    /// The first `kept` bytes of what was sent: the capture cut the packet.
    Cut(Direction, Vec<u8>, usize),
}

/// A conversation of one session.
#[derive(Clone, Debug)]
pub struct Script {
    /// The steps in order of capture.
    pub steps: Vec<Step>,
    options: Vec<(String, String)>,
    server_port: u16,
    client_port: u16,
    transport: u8,
    flags: u8,
}

impl Script {
    /// A TCP conversation with a server on this port.
    pub const fn new(server_port: u16) -> Script {
        let transport = abi::TRANSPORT_TCP as u8;
        Script { steps: Vec::new(), options: Vec::new(), server_port, client_port: 40_000, transport, flags: 0 }
    }

    /// The client's port; 40000 otherwise.
    pub const fn client_port(mut self, port: u16) -> Script {
        self.client_port = port;
        self
    }

    /// The same over UDP: a step is a datagram and is never cut.
    pub fn udp(mut self) -> Script {
        self.transport = abi::TRANSPORT_UDP as u8;
        self
    }

    /// The start of the flow was not seen.
    pub fn mid_stream(mut self) -> Script {
        self.flags |= abi::SEGMENT_FLAG_MID_STREAM as u8;
        self
    }

    pub(super) const fn is_udp(&self) -> bool {
        self.transport == abi::TRANSPORT_UDP as u8
    }

    pub(super) const fn is_mid_stream(&self) -> bool {
        self.flags & abi::SEGMENT_FLAG_MID_STREAM as u8 != 0
    }

    /// An option for the parser.
    pub fn option(mut self, key: &str, value: &str) -> Script {
        self.options.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The client sends.
    pub fn client(mut self, bytes: impl AsRef<[u8]>) -> Script {
        self.steps.push(Step::Data(Direction::ClientToServer, bytes.as_ref().to_vec()));
        self
    }

    /// The server sends.
    pub fn server(mut self, bytes: impl AsRef<[u8]>) -> Script {
        self.steps.push(Step::Data(Direction::ServerToClient, bytes.as_ref().to_vec()));
        self
    }

    /// Bytes are lost.
    pub fn gap(mut self, direction: Direction, bytes: u32) -> Script {
        self.steps.push(Step::Gap(direction, bytes));
        self
    }

    /// A packet of which the capture kept the first `kept` bytes.
    pub fn cut(mut self, direction: Direction, bytes: impl AsRef<[u8]>, kept: usize) -> Script {
        self.steps.push(Step::Cut(direction, bytes.as_ref().to_vec(), kept));
        self
    }

    /// The records of the conversation, closed at the end, each step in one segment.
    pub fn run<P: Parser>(&self) -> Vec<Row> {
        self.run_cut::<P>(|bytes| vec![bytes.len()])
    }

    /// The records when the bytes of each data step are cut into pieces of the lengths that `cut` gives.
    pub fn run_cut<P: Parser>(&self, mut cut: impl FnMut(&[u8]) -> Vec<usize>) -> Vec<Row> {
        let mut runner = Runner::<P>::new(self);
        for step in &self.steps {
            runner.step(step, &mut cut);
        }
        runner.close();
        runner.rows
    }

    /// The same, with the segments handed over one by one as a native engine does: data that the parser said it passes
    /// over is left out.
    pub fn run_one_by_one<P: Parser>(&self, mut cut: impl FnMut(&[u8]) -> Vec<usize>) -> Vec<Row> {
        let mut runner = Runner::<P>::new(self);
        runner.one_by_one = true;
        for step in &self.steps {
            runner.step(step, &mut cut);
        }
        runner.close();
        runner.rows
    }

    /// The parser's verdict on the first step: "no", "more", "request" or "response", the reason and its offset.
    pub fn check<P: Parser>(&self) -> (&'static str, String, i128) {
        let mut runner = Runner::<P>::new(self);
        let Some(Step::Data(direction, bytes)) = self.steps.first() else {
            panic!("a check needs a first step with data");
        };
        let segment = runner.segment(abi::SEGMENT_KIND_DATA, *direction, bytes, bytes.len() as u32);
        let rows = decode_checks(runner.call(&segment, Host::check).expect("a check of a well-formed batch"));
        let names = ["no", "more", "request", "response"];
        let verdict = rows[0].number("verdict").expect("a verdict") as usize;
        (names[verdict], rows[0].text("reason").to_owned(), rows[0].number("offset").unwrap_or(0))
    }

    /// Check that every split gives the records that the whole gives: each single cut, byte by byte, random pieces.
    ///
    /// # Panics
    /// When a split gives other records (their `segment_index` aside).
    pub fn assert_any_split_is_equal<P: Parser>(&self) {
        let expected = self.run::<P>();
        let longest = self.steps.iter().map(Step::len).max().unwrap_or(0);
        for cut in 1..longest {
            let rows =
                self.run_cut::<P>(
                    |bytes| {
                        if cut < bytes.len() {
                            vec![cut, bytes.len() - cut]
                        } else {
                            vec![bytes.len()]
                        }
                    },
                );
            assert_rows(&rows, &expected, &format!("every step cut at byte {cut}"));
        }
        let rows = self.run_cut::<P>(|bytes| vec![1; bytes.len()]);
        assert_rows(&rows, &expected, "byte by byte");
        for seed in 0..32 {
            let mut random = Random::new(seed);
            let rows = self.run_cut::<P>(|bytes| pieces(bytes.len(), &mut random, seed));
            assert_rows(&rows, &expected, &format!("random pieces, seed {seed}"));
            let mut random = Random::new(seed);
            let rows = self.run_one_by_one::<P>(|bytes| pieces(bytes.len(), &mut random, seed));
            assert_rows(&rows, &expected, &format!("random pieces one by one, seed {seed}"));
        }
    }
}

/// Random lengths that make up `left`, longer ones with a larger seed.
fn pieces(mut left: usize, random: &mut Random, seed: u64) -> Vec<usize> {
    let mut pieces = Vec::new();
    while left > 0 {
        let piece = 1 + random.below(left.min(1 + (seed as usize) * 3));
        pieces.push(piece);
        left -= piece;
    }
    pieces
}

impl Step {
    fn len(&self) -> usize {
        match self {
            Step::Data(_, bytes) | Step::Cut(_, bytes, _) => bytes.len(),
            Step::Gap(..) => 0,
        }
    }
}

fn assert_rows(found: &[Row], expected: &[Row], how: &str) {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "record {index}, {how}");
    }
    assert_eq!(found.len(), expected.len(), "number of records, {how}: {found:#?}");
}

/// Plays segments to one parser and collects its rows (without `segment_index` and `passes`, which depend on the split).
pub struct Runner<P> {
    host: Host<P>,
    /// The rows so far.
    pub rows: Vec<Row>,
    offsets: [u64; 2],
    time_ns: u64,
    server_port: u16,
    client_port: u16,
    transport: u8,
    flags: u8,
    one_by_one: bool,
    /// Stream offsets up to which the parser passes over, by direction.
    passed: [u64; 2],
}

impl<P: Parser> Runner<P> {
    /// A parser with the options of the script, which it must take.
    pub fn new(script: &Script) -> Runner<P> {
        let mut runner = Runner {
            host: Host::new(),
            rows: Vec::new(),
            offsets: [0; 2],
            time_ns: 1_700_000_000_000_000_000,
            server_port: script.server_port,
            client_port: script.client_port,
            transport: script.transport,
            flags: script.flags,
            one_by_one: false,
            passed: [0; 2],
        };
        let lines: String = script.options.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let refused = runner.call(lines.as_bytes(), Host::configure).expect("options are UTF-8").to_vec();
        assert!(refused.is_empty(), "{}", String::from_utf8_lossy(&refused));
        runner
    }

    /// Play a step, its bytes cut as `cut` says.
    pub fn step(&mut self, step: &Step, cut: &mut impl FnMut(&[u8]) -> Vec<usize>) {
        self.time_ns += 1_000_000;
        match step {
            Step::Data(direction, bytes) => {
                let whole = self.transport == abi::TRANSPORT_UDP as u8 || bytes.is_empty();
                let pieces = if whole { vec![bytes.len()] } else { cut(bytes) };
                let mut rest = &bytes[..];
                for piece in pieces {
                    let (now, later) = rest.split_at(piece);
                    self.play(abi::SEGMENT_KIND_DATA, *direction, now, piece as u32);
                    rest = later;
                }
            }
            Step::Gap(direction, missing) => self.play(abi::SEGMENT_KIND_GAP, *direction, &[], *missing),
            Step::Cut(direction, bytes, kept) => {
                self.flags |= abi::SEGMENT_FLAG_TRUNCATED as u8;
                self.play(abi::SEGMENT_KIND_DATA, *direction, &bytes[..*kept], bytes.len() as u32);
                self.flags &= !(abi::SEGMENT_FLAG_TRUNCATED as u8);
            }
        }
    }

    /// End the session.
    pub fn close(&mut self) {
        self.play(abi::SEGMENT_KIND_CLOSE, Direction::ClientToServer, &[], 0);
    }

    fn play(&mut self, kind: u32, direction: Direction, payload: &[u8], wire_len: u32) {
        let segment = self.segment(kind, direction, payload, wire_len);
        let result = if self.one_by_one {
            self.show(&segment, payload, kind, direction, wire_len)
        } else {
            self.call(&segment, Host::parse).expect("a parse of a well-formed batch")
        };
        let rows = decode_records(result);
        for mut row in rows {
            row.0.remove("segment_index").expect("every record has a segment_index");
            // What a host may leave out is of the split, not of the message.
            row.0.remove("passes");
            row.0.remove("passes");
            assert_ne!(row.kind(), "?", "every record has a type");
            self.rows.push(row);
        }
        self.offsets[direction.index()] += u64::from(wire_len);
    }

    fn show(&mut self, batch: &[u8], payload: &[u8], kind: u32, direction: Direction, wire_len: u32) -> &[u8] {
        let end = self.offsets[direction.index()] + u64::from(wire_len);
        // No engine hands over data without bytes.
        let is_passed = kind == abi::SEGMENT_KIND_DATA && wire_len > 0 && end <= self.passed[direction.index()];
        if !is_passed {
            let header = &batch[abi::BUFFER_HEADER_SIZE as usize..][..abi::SEGMENT_SIZE as usize];
            let said = self.host.segment(header, payload).expect("a well-formed segment");
            if said & (SEGMENT_WITHDRAWN - 1) > 0 {
                self.passed[direction.index()] = end.saturating_add(said & (SEGMENT_WITHDRAWN - 1));
            }
        }
        self.host.collect()
    }

    fn segment(&self, kind: u32, direction: Direction, payload: &[u8], wire_len: u32) -> Vec<u8> {
        let mut batch = Vec::new();
        for word in [abi::MAGIC_BATCH, 1, 0, 0] {
            batch.extend_from_slice(&word.to_le_bytes());
        }
        let size = (abi::SEGMENT_SIZE as usize + payload.len()).next_multiple_of(8) as u32;
        batch.extend_from_slice(&size.to_le_bytes());
        batch.extend_from_slice(&[kind as u8, direction.index() as u8, self.transport, self.flags]);
        for word in [1, self.time_ns, self.offsets[direction.index()]] {
            batch.extend_from_slice(&word.to_le_bytes());
        }
        batch.extend_from_slice(&self.server_port.to_le_bytes());
        batch.extend_from_slice(&self.client_port.to_le_bytes());
        for word in [wire_len, payload.len() as u32, 0] {
            batch.extend_from_slice(&word.to_le_bytes());
        }
        batch.extend_from_slice(payload);
        batch.resize(abi::BUFFER_HEADER_SIZE as usize + size as usize, 0);
        batch
    }

    fn call<'a>(
        &'a mut self,
        input: &[u8],
        run: impl FnOnce(&'a mut Host<P>, usize) -> Result<&'a [u8], crate::Failure>,
    ) -> Result<&'a [u8], crate::Failure> {
        self.host.input(input.len()).expect("room for the input")[..input.len()].copy_from_slice(input);
        run(&mut self.host, input.len())
    }
}
