//! What was done and what was dropped, by stage and reason.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident => $stage:literal, $reason:literal;)*) => {
        /// A fixed counter; its stage and reason are what people see.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Count { $($(#[$doc])* $name,)* }
        const NAMES: &[(&str, &str)] = &[$(($stage, $reason),)*];
    };
}

counts! {
    /// Payload segments taken.
    Segments => "l7", "segments";
    /// Payload bytes taken (captured).
    Bytes => "l7", "bytes";
    /// Bytes seen before (retransmissions and overlaps).
    Duplicate => "stream", "duplicate_bytes";
    /// Bytes that the capture never brought.
    GapBytes => "stream", "gap_bytes";
    /// Holes given up.
    Gaps => "stream", "gaps";
    /// Bytes cut by the snap length.
    CutBytes => "stream", "cut_bytes";
    /// Out-of-order bytes dropped because all memory for them was in use.
    NoMemory => "stream", "dropped_bytes_no_memory";
    /// Segments with a sequence number far outside the window.
    OutOfWindow => "stream", "out_of_window";
    /// Payload after the connection's end.
    AfterClose => "stream", "after_close";
    /// Directions whose sequence numbers were taken up anew.
    Resync => "stream", "resync";
    /// Bytes of flows that no parser wants.
    UnparsedBytes => "infer", "unparsed_bytes";
    /// Flows given up by every parser.
    GivenUp => "infer", "given_up_flows";
    /// Flows not looked at because their endpoint is known to be unknown.
    KnownUnknown => "infer", "known_unknown_flows";
    /// Flows with a parser.
    Confirmed => "infer", "confirmed_flows";
    /// Parsers that withdrew from a flow.
    Violations => "infer", "violations";
    /// Bytes dropped because too many waited for a verdict.
    PendingOverflow => "infer", "dropped_bytes_waiting";
    /// Batches handed to parsers.
    Batches => "parser", "batches";
    /// Batches lost: the parser failed or its answer was malformed.
    BatchesLost => "parser", "batches_lost";
    /// Segments in lost batches.
    SegmentsLost => "parser", "segments_lost";
    /// Times a parser was put into quarantine.
    Quarantines => "parser", "quarantines";
    /// Segments not shown to a parser in quarantine.
    QuarantinedSegments => "parser", "segments_quarantined";
    /// Segments dropped because an external parser is too slow.
    ParserSlow => "parser", "segments_parser_slow";
    /// Records that name a segment which does not exist or is a verdict's.
    BadRecords => "parser", "bad_records";
    /// Messages.
    Messages => "parser", "messages";
    /// Bytes a parser skipped.
    SkippedBytes => "parser", "skipped_bytes";
    /// Messages a parser could not read.
    ParseFailed => "parser", "parse_failed";
    /// Requests paired with a response.
    Paired => "pair", "paired";
    /// Requests without response inside the timeout.
    Timeouts => "pair", "timeouts";
    /// Requests whose answer is unknown (flow end, gap, lost batch).
    Unanswered => "pair", "unanswered";
    /// Responses without request.
    LoneResponses => "pair", "lone_responses";
    /// Requests pushed out by the limits.
    PendingFull => "pair", "pending_full";
}

/// All counters of one engine.
#[derive(Debug)]
pub struct Counters {
    fixed: Vec<u64>,
    reasons: Vec<Reason>,
    /// Places in `reasons` by the hash of what they were made of.
    known: HashMap<u64, Vec<u32>>,
    hasher: RandomState,
}

/// A reason made at run time. Flows that nobody wants are refused by every parser, so its text is made once.
#[derive(Debug)]
struct Reason {
    stage: &'static str,
    /// As it was given.
    raw: String,
    /// As it is shown.
    text: String,
    value: u64,
}

/// Different texts kept per engine; a hostile parser can name more, they are counted together.
const MAX_REASONS: usize = 1024;

impl Default for Counters {
    fn default() -> Self {
        Counters { fixed: vec![0; NAMES.len()], reasons: Vec::new(), known: HashMap::new(), hasher: RandomState::new() }
    }
}

impl Counters {
    /// Adds to a fixed counter.
    #[inline]
    pub fn add(&mut self, count: Count, n: u64) {
        self.fixed[count as usize] = self.fixed[count as usize].wrapping_add(n);
    }

    /// Reads a fixed counter.
    pub fn get(&self, count: Count) -> u64 {
        self.fixed[count as usize]
    }

    /// Adds to a counter whose reason is made at run time (a parser's name and words), of `parts` in a row. Returns the reason.
    pub fn add_reason(&mut self, stage: &'static str, parts: &[&str], n: u64) -> &str {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(stage.as_bytes());
        for part in parts {
            hasher.write(part.as_bytes());
        }
        let places = self.known.entry(hasher.finish()).or_default();
        let same = |&&at: &&u32| {
            self.reasons.get(at as usize).is_some_and(|reason| reason.stage == stage && is_joined(&reason.raw, parts))
        };
        let place = match places.iter().find(same) {
            Some(&at) => at as usize,
            None if self.reasons.len() < MAX_REASONS => {
                let raw = parts.concat();
                places.push(self.reasons.len() as u32);
                self.reasons.push(Reason { stage, text: clean(&raw), raw, value: 0 });
                self.reasons.len() - 1
            }
            None => {
                if places.is_empty() {
                    self.known.remove(&hasher.finish());
                }
                self.other(stage)
            }
        };
        match self.reasons.get_mut(place) {
            Some(reason) => {
                reason.value = reason.value.saturating_add(n);
                &reason.text
            }
            None => "",
        }
    }

    /// Where a stage's further reasons are counted.
    fn other(&mut self, stage: &'static str) -> usize {
        let further = self.reasons.get(MAX_REASONS..).unwrap_or_default();
        let found = further.iter().position(|reason| reason.stage == stage);
        found.map_or_else(
            || {
                let other = || "other".to_string();
                self.reasons.push(Reason { stage, raw: other(), text: other(), value: 0 });
                self.reasons.len() - 1
            },
            |at| at + MAX_REASONS,
        )
    }

    /// `(stage, reason, value)` of every counter that is not zero, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let fixed = NAMES.iter().zip(&self.fixed).map(|(&(stage, reason), &value)| (stage, reason, value));
        let mut reasons = BTreeMap::new();
        for reason in &self.reasons {
            *reasons.entry((reason.stage, reason.text.as_str())).or_insert(0u64) += reason.value;
        }
        let reasons = reasons.into_iter().map(|((stage, reason), value)| (stage, reason, value));
        fixed.chain(reasons).filter(|&(_, _, value)| value != 0)
    }
}

/// Whether a text is these parts in a row.
fn is_joined(text: &str, parts: &[&str]) -> bool {
    let rest = parts.iter().try_fold(text, |rest, part| rest.strip_prefix(part));
    rest.is_some_and(str::is_empty)
}

/// Counter lines are separated by tabs and newlines, so a reason has neither; it is cut at 120 bytes.
fn clean(reason: &str) -> String {
    let mut out = String::with_capacity(reason.len().min(128));
    for c in reason.chars() {
        if out.len() >= 120 {
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}
