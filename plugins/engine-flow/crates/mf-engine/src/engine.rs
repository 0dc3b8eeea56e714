//! One engine: everything between blocks of bytes and tables of rows. Used by one thread at a time.

use mf_column::Batch;
use mf_flow::FlowTable;
use mf_l7::{L7Engine, L7Table, ParserDescription, Runtime, Work};
use mf_packet::{Decoder, Format, Packet};

use crate::intake::Intake;
use crate::kernel::{Sockets, SocketsConfig};
use crate::options::Options;
use crate::output::Output;
use crate::sources::Sources;
use crate::wiring::Wiring;

/// Number of tables; their ids are those of `docs/explanation/data-plane.md`.
pub const TABLES: u32 = 12;
/// The format of blocks of calls on sockets; the others are those of frames.
const SEGMENTS: u32 = 4;

/// An engine, or one shard of several that see the same blocks.
pub struct Engine {
    most_sources: usize,
    sources: Sources,
    decoder: Decoder,
    intake: Intake,
    sockets: Sockets,
    wiring: Wiring,
    counts: Counts,
    finished: bool,
}

/// Where a block comes from and what it is (`docs/explanation/data-plane.md`, "Blocks").
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// number of the source
    pub source: u32,
    /// format of the block
    pub format: u32,
    /// flags of the format
    pub flags: u32,
    /// link type of the pcap registry
    pub link_type: u32,
}

#[derive(Debug, Default)]
struct Counts {
    blocks: u64,
    bytes: u64,
    frames: u64,
}

impl Engine {
    /// An engine without parsers.
    pub fn new(options: Options) -> Self {
        let sockets = SocketsConfig {
            most: options.flow.max_flows,
            hole_wait_ns: options.call_wait_ns,
            idle_ns: options.flow.timeouts.established,
            closing_ns: options.flow.timeouts.closing,
            datagram_idle_ns: options.datagram_idle_ns,
            shards: (options.shards, options.shard),
        };
        Engine {
            most_sources: options.sources,
            sources: Sources::default(),
            decoder: Decoder::new(options.decoder),
            intake: Intake::new(FlowTable::new(options.flow.clone()), options.shards, options.shard),
            sockets: Sockets::new(sockets),
            wiring: Wiring { out: Output::new(&options), l7: L7Engine::new(options.l7) },
            counts: Counts::default(),
            finished: false,
        }
    }

    /// Adds a parser; the order is the order of priority. Returns its index.
    ///
    /// # Errors
    /// A sentence when the description is wrong or there is no room.
    pub fn add_parser(&mut self, description: ParserDescription, runtime: Runtime) -> Result<u16, String> {
        if description.ciphertext {
            self.sockets.want_ciphertext();
        }
        self.wiring.l7.add_parser(description, runtime)
    }

    /// Takes a block and runs native parsers on what came of it. Returns the number of frames (of calls) in it. Parsers that the
    /// host runs are asked after it, whatever is reported in it; see [`Engine::push_part`].
    ///
    /// # Errors
    /// A sentence when the format is unknown or there are too many sources; damaged frames are counted, not errors.
    pub fn push(&mut self, source: u32, format: u32, flags: u32, link_type: u32, block: &[u8]) -> Result<u64, String> {
        self.take_block(Origin { source, format, flags, link_type }, block, 0, false).map(|(frames, _)| frames)
    }

    /// The same, but stops where parsers that the host runs have to be asked: before flows are reported, and where they say what
    /// need not be read. `from` is 0, or where it stopped in this same block. Returns the number of frames taken and where to go
    /// on, after [`Engine::work`] has no more: none when the block is done.
    ///
    /// # Errors
    /// As [`Engine::push`].
    pub fn push_part(&mut self, origin: Origin, block: &[u8], from: usize) -> Result<(u64, Option<usize>), String> {
        self.take_block(origin, block, from, true)
    }

    fn take_block(
        &mut self,
        origin: Origin,
        block: &[u8],
        from: usize,
        stops: bool,
    ) -> Result<(u64, Option<usize>), String> {
        let Origin { source, format, flags, link_type } = origin;
        self.intake.resume(stops, &mut self.wiring);
        if self.intake.is_stopped() {
            return Ok((0, Some(from.max(1))));
        }
        if from == 0 {
            self.settle();
            self.finished = false;
            self.counts.blocks += 1;
            self.counts.bytes += block.len() as u64;
        }
        if format == SEGMENTS {
            return self.take_calls(flags, block).map(|records| (records, None));
        }
        let format = Format::from_id(format).ok_or_else(|| {
            format!("block format {format}: expected 0 records, 1 pcap, 2 pcapng, 3 tpacket3 or 4 segments")
        })?;
        let link_type = u16::try_from(link_type)
            .map_err(|_| format!("link type {link_type}: expected a number of the pcap registry, at most 65535"))?;
        let reader = self.sources.reader(source, format, flags, link_type, self.most_sources)?;
        self.intake.begin(source, stops);
        let (decoder, intake, wiring) = (&mut self.decoder, &mut self.intake, &mut self.wiring);
        let (frames, next) = reader.read_from(block, from, |frame| {
            let mut packet = Packet::new(&frame);
            if decoder.fill(&frame, &mut packet) {
                intake.offer(&packet, wiring);
            } else {
                while let Some(fragments) = decoder.given_up() {
                    intake.offer(&fragments, wiring);
                }
            }
            !(intake.is_stopped() || (stops && wiring.l7.asks()))
        });
        self.counts.frames += frames;
        self.wiring.l7.flush_block(self.intake.clock.now_ns, &mut self.wiring.out);
        Ok((frames, next))
    }

    /// Takes a block of calls on sockets.
    fn take_calls(&mut self, layout: u32, block: &[u8]) -> Result<u64, String> {
        if layout != mf_segment::LAYOUT {
            return Err(format!("segments of layout {layout}: this engine reads layout {}", mf_segment::LAYOUT));
        }
        let records = self.sockets.push(block, &mut self.wiring.target());
        let clock = &mut self.intake.clock;
        clock.now_ns = clock.now_ns.max(self.sockets.clock_ns());
        self.wiring.l7.flush_block(clock.now_ns, &mut self.wiring.out);
        Ok(records)
    }

    /// Lets time go on without packets.
    pub fn tick(&mut self, now_ns: u64) {
        self.intake.resume(false, &mut self.wiring);
        self.intake.tick(now_ns, &mut self.wiring);
        self.sockets.time(now_ns, &mut self.wiring.target());
        self.wiring.l7.tick(now_ns, &mut self.wiring.out);
    }

    /// The end of the input: every flow is reported and closed, what waits for an answer is given up.
    pub fn finish(&mut self) {
        self.intake.resume(false, &mut self.wiring);
        self.sources.finish();
        self.decoder.finish();
        while let Some(fragments) = self.decoder.given_up() {
            self.intake.offer(&fragments, &mut self.wiring);
        }
        self.intake.finish(&mut self.wiring);
        self.sockets.finish(&mut self.wiring.target());
        self.wiring.l7.finish(&mut self.wiring.out);
        self.finished = true;
    }

    /// A batch for a parser that the host runs; the same one until it is completed.
    pub fn work(&mut self) -> Option<Work<'_>> {
        self.wiring.l7.next_work()
    }

    /// The result of the last batch, empty when the parser failed.
    ///
    /// # Errors
    /// A sentence when no batch was handed out.
    pub fn complete(&mut self, result: &[u8]) -> Result<(), String> {
        self.wiring.l7.complete(result, &mut self.wiring.out)
    }

    /// Closes seconds and minutes, once parsers have said everything about the blocks so far: what the host's parsers
    /// find belongs to the packets' time, however late it comes.
    fn settle(&mut self) {
        if self.wiring.l7.next_work().is_some() {
            return;
        }
        if self.finished {
            self.wiring.out.finish();
        } else {
            self.wiring.out.advance(self.intake.clock.now_ns);
        }
    }

    /// Rows ready in a table.
    pub fn ready(&mut self, table: u32) -> usize {
        self.settle();
        let (l7, out) = (&mut self.wiring.l7, &self.wiring.out);
        match table {
            0 => l7.table(L7Table::Message).rows(),
            1 => l7.table(L7Table::FlowLog).rows(),
            2 => out.flows.rows(),
            3..=6 => out.network.ready(table as usize - 3),
            7..=10 => out.application.ready(table as usize - 7),
            11 => l7.table(L7Table::Explain).rows(),
            _ => 0,
        }
    }

    /// Moves a table's rows out.
    ///
    /// # Errors
    /// A sentence when there is no such table.
    pub fn take(&mut self, table: u32) -> Result<Batch, String> {
        self.settle();
        let (l7, out) = (&mut self.wiring.l7, &mut self.wiring.out);
        let batch = match table {
            0 => Some(l7.table(L7Table::Message).take()),
            1 => Some(l7.table(L7Table::FlowLog).take()),
            2 => Some(out.flows.take()),
            3..=6 => out.network.take(table as usize - 3),
            7..=10 => out.application.take(table as usize - 7),
            11 => Some(l7.table(L7Table::Explain).take()),
            _ => None,
        };
        batch.ok_or_else(|| format!("table {table}: expected 0 to {}", TABLES - 1))
    }

    /// `stage<TAB>reason<TAB>value` lines of every counter that is not zero, ordered.
    pub fn counters(&self) -> String {
        let (counts, packets, flows) = (&self.counts, &self.intake.counts, self.intake.flows());
        let mut rows: Vec<(String, String, u64)> = Vec::new();
        let mut add = |stage: &str, reason: &str, value: u64| {
            if value > 0 {
                let clean = |text: &str| text.replace(['\t', '\n', '\r'], " ");
                rows.push((clean(stage), clean(reason), value));
            }
        };
        add("received", "blocks", counts.blocks);
        add("received", "bytes", counts.bytes);
        add("received", "frames", counts.frames);
        add("decode", "packets", packets.packets);
        add("decode", "packets_of_other_shards", packets.other_shards);
        add("flow", "open_flows", flows.len() as u64);
        add("segment", "open_sockets", self.sockets.len() as u64);
        let [damage, calls] = self.sockets.counters();
        for counters in [&self.sources.counters(), self.decoder.counters(), flows.counters(), damage, calls] {
            for row in counters.sorted() {
                add(row.stage, row.reason, row.value);
            }
        }
        for (stage, reason, value) in self.wiring.l7.counters() {
            add(stage, reason, value);
        }
        for (late, early) in [self.wiring.out.network.counters(), self.wiring.out.application.counters()] {
            add("aggregate", "late_events", late);
            add("aggregate", "closed_early_too_many_keys", early);
        }
        rows.sort();
        rows.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0 && later.1 == earlier.1;
            if same {
                earlier.2 += later.2;
            }
            same
        });
        rows.iter().map(|(stage, reason, value)| format!("{stage}\t{reason}\t{value}\n")).collect()
    }

    /// How a flow's protocol was inferred, a line a step.
    pub fn explain(&self, flow_id: u64) -> String {
        self.wiring.l7.explain_text(flow_id)
    }
}
