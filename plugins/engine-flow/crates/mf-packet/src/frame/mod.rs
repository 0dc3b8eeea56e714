//! From the blocks of a source to frames.
//!
//! A file's block may end anywhere; [`FrameReader`] keeps the unfinished frame and completes it from the next block. A length
//! that cannot be right ends a file's stream (there is no way to find the next frame), everything before it is kept; in a live
//! ring (`tpacket3`) and in `records` each block stands for itself.

mod pcap;
mod pcapng;
mod records;
mod tpacket3;

use crate::Counters;

/// A frame longer than this is taken for a corrupt length.
pub(crate) const MAX_FRAME: u32 = 16 << 20;

/// What the capture knows about the way of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// Not said.
    #[default]
    Unknown = 0,
    /// Received by the capturing host.
    In = 1,
    /// Sent by the capturing host.
    Out = 2,
}

/// One frame as captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Bytes on the wire, at least `data.len()`.
    pub wire_len: u32,
    /// Link type of the pcap registry.
    pub link_type: u16,
    /// Interface number of the source.
    pub interface: u16,
    /// Whether it was received or sent.
    pub direction: Direction,
    /// A VLAN tag that the network card took off the frame.
    pub vlan_tci: Option<u16>,
    /// The captured bytes.
    pub data: &'a [u8],
}

/// Formats of a block (numbers of the C ABI).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Format {
    /// MetaFlow's records.
    Records = 0,
    /// Records of a classic pcap file, without its file header.
    Pcap = 1,
    /// pcapng blocks.
    Pcapng = 2,
    /// A TPACKET_V3 ring block.
    Tpacket3 = 3,
}

impl Format {
    /// The format with this number.
    pub const fn from_id(id: u32) -> Option<Self> {
        match id {
            0 => Some(Self::Records),
            1 => Some(Self::Pcap),
            2 => Some(Self::Pcapng),
            3 => Some(Self::Tpacket3),
            _ => None,
        }
    }
}

/// Flag bits of a block.
pub mod block_flags {
    /// `pcap`: the records are big-endian.
    pub const BIG_ENDIAN: u32 = 1;
    /// `pcap`: the second word of a timestamp is nanoseconds.
    pub const NANOSECONDS: u32 = 2;
    /// `tpacket3`: leave out the sent copy of each frame (a capture on a loopback interface sees every frame twice).
    pub const SKIP_OUTGOING: u32 = 4;
}

/// What a walker found at the start of its bytes.
pub(crate) enum Step<'a> {
    /// A frame, and how many bytes it took.
    Frame(usize, Frame<'a>),
    /// Something that is no frame.
    Skip(usize),
    /// The next item needs this many bytes from here; fewer are there.
    Need(usize),
    /// Nothing sensible here: why.
    Corrupt(&'static str),
    /// A damaged item of known size: why, and its size.
    Bad(usize, &'static str),
}

enum Walker {
    Records,
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
    Tpacket3(tpacket3::Tpacket3),
}

impl Walker {
    /// Inlined into the loop over a block, so that a step stays in registers.
    #[inline(always)]
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        match self {
            Self::Records => records::step(bytes),
            Self::Pcap(state) => state.step(bytes),
            Self::Pcapng(state) => state.step(bytes),
            Self::Tpacket3(_) => Step::Corrupt("not_a_stream"),
        }
    }

    /// The same for the few steps over the end of a block.
    #[inline(never)]
    fn step_over<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        self.step(bytes)
    }
}

/// Reads the frames of one source.
pub struct FrameReader {
    walker: Walker,
    tail: Vec<u8>,
    broken: bool,
    counters: Counters,
}

impl FrameReader {
    /// A reader of one source's blocks. `flags` are those of [`block_flags`], `link_type` is that of the file or interface
    /// (`records` and `pcapng` carry their own).
    pub fn new(format: Format, flags: u32, link_type: u16) -> Self {
        let walker = match format {
            Format::Records => Walker::Records,
            Format::Pcap => Walker::Pcap(pcap::Pcap::new(flags, link_type)),
            Format::Pcapng => Walker::Pcapng(pcapng::Pcapng::default()),
            Format::Tpacket3 => Walker::Tpacket3(tpacket3::Tpacket3::new(flags, link_type)),
        };
        Self {
            walker,
            tail: Vec::new(),
            broken: false,
            counters: Counters::new(),
        }
    }

    /// What was wrong with the blocks, by stage (`frame`) and reason.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Hands every frame of `block` to `each`, in order; gives their number. The frame borrows the block (or the reader's tail).
    pub fn read<F: FnMut(Frame<'_>)>(&mut self, block: &[u8], mut each: F) -> u64 {
        let all = |frame: Frame<'_>| {
            each(frame);
            true
        };
        self.read_from(block, 0, all).0
    }

    /// The same until `each` returns false: gives the number of frames and, when it stopped, where in this block to go on
    /// (`from` of the next call with the same block; a position of [`FrameReader`]'s own, never 0).
    #[inline]
    pub fn read_from<F: FnMut(Frame<'_>) -> bool>(
        &mut self,
        block: &[u8],
        from: usize,
        mut each: F,
    ) -> (u64, Option<usize>) {
        if let Walker::Tpacket3(ring) = &mut self.walker {
            return ring.read(block, from, &mut self.counters, each);
        }
        let mut frames = 0;
        let mut rest = block.get(from..).unwrap_or_default();
        if self.broken {
            self.counters
                .add("frame", "bytes_after_corruption", rest.len() as u64);
            return (0, None);
        }
        let mut goes_on = true;
        while !self.tail.is_empty() {
            let step = self.walker.step_over(&self.tail);
            if let Step::Need(need) = step {
                let missing = need.saturating_sub(self.tail.len()).max(1);
                if rest.is_empty() {
                    return (frames, None);
                }
                let (now, later) = rest.split_at(missing.min(rest.len()));
                self.tail.extend_from_slice(now);
                rest = later;
                continue;
            }
            let mut each = |frame: Frame<'_>| goes_on = each(frame);
            let Some(used) = take(step, &mut self.counters, &mut frames, &mut each) else {
                return (self.stop(frames, rest.len()), None);
            };
            // The tail holds exactly one item, because it was filled only as far as that item needed.
            let used = used.min(self.tail.len());
            self.tail.drain(..used);
            if !goes_on {
                return (frames, Some(block.len() - rest.len()));
            }
        }
        loop {
            let step = self.walker.step(rest);
            match step {
                Step::Need(_) => {
                    self.tail.extend_from_slice(rest);
                    return (frames, None);
                }
                Step::Frame(used, _) => look_ahead(rest, used),
                _ => {}
            }
            let mut each = |frame: Frame<'_>| goes_on = each(frame);
            let Some(used) = take(step, &mut self.counters, &mut frames, &mut each) else {
                return (self.stop(frames, rest.len()), None);
            };
            rest = rest.get(used..).unwrap_or(&[]);
            if !goes_on {
                return (frames, Some(block.len() - rest.len()));
            }
        }
    }

    /// The end of the source: an unfinished frame is counted.
    pub fn finish(&mut self) {
        if !self.tail.is_empty() {
            self.counters.hit("frame", "cut_in_the_middle_of_a_frame");
            self.tail.clear();
        }
    }

    fn stop(&mut self, frames: u64, left: usize) -> u64 {
        self.broken = true;
        self.counters.add(
            "frame",
            "bytes_after_corruption",
            (left + self.tail.len()) as u64,
        );
        self.tail = Vec::new();
        frames
    }
}

/// Loads the first bytes of the next item, which are in no cache yet, while this one is worked on. Nothing waits for them.
#[inline]
fn look_ahead(bytes: &[u8], at: usize) {
    std::hint::black_box(bytes.get(at).copied());
    std::hint::black_box(bytes.get(at.saturating_add(64)).copied());
}

/// Acts on a step; gives the bytes it took, none when the stream cannot go on.
#[inline]
fn take<F: FnMut(Frame<'_>)>(
    step: Step<'_>,
    counters: &mut Counters,
    frames: &mut u64,
    each: &mut F,
) -> Option<usize> {
    match step {
        Step::Frame(used, frame) => {
            *frames += 1;
            each(frame);
            Some(used)
        }
        Step::Skip(used) => Some(used),
        Step::Bad(used, reason) => {
            counters.hit("frame", reason);
            Some(used)
        }
        Step::Corrupt(reason) => {
            counters.hit("frame", reason);
            None
        }
        Step::Need(_) => Some(0),
    }
}
