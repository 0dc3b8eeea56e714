//! A connection after `PSYNC` or `SYNC`: a database image, then the commands of the primary, which nobody answers.

use crate::options::Options;
use crate::request::{Progress, RequestReader};
use crate::text::parse_number;

/// What came of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// All bytes are used.
    More,
    /// The database image ends after that many bytes.
    Image(usize),
    /// A command ends after that many bytes; it is in [`Replication::reader`].
    Command(usize),
    /// No message ends, after that many bytes: a keep-alive, or the line in front of an image.
    Nothing(usize),
    /// The bytes are neither.
    Bad(&'static str),
}

#[derive(Debug)]
enum Step {
    /// The line in front of the image.
    Head,
    /// An image of known size.
    Bytes(u64),
    /// An image that ends with a mark of 40 bytes.
    Mark {
        mark: [u8; 40],
        seen: Vec<u8>,
    },
    Commands,
}

/// The primary's side of a replication connection.
#[derive(Debug)]
pub struct Replication {
    step: Step,
    line: Vec<u8>,
    /// Reads the primary's commands.
    pub reader: RequestReader,
}

impl Replication {
    /// Replication that begins with an image, or goes on with commands.
    pub fn new(options: Options, with_image: bool) -> Self {
        let step = if with_image { Step::Head } else { Step::Commands };
        Self { step, line: Vec::new(), reader: RequestReader::new(options) }
    }

    /// True where a new message may begin.
    pub fn is_idle(&self) -> bool {
        match self.step {
            Step::Head => self.line.is_empty(),
            Step::Commands => self.reader.is_idle(),
            _ => false,
        }
    }

    /// Takes missing bytes; true when the place in the stream is still known.
    pub fn gap(&mut self, missing: u64) -> bool {
        match &mut self.step {
            Step::Bytes(left) if missing < *left => {
                *left -= missing;
                true
            }
            Step::Mark { .. } => true,
            Step::Commands => self.reader.gap(missing) == Some(0),
            _ => false,
        }
    }

    /// Takes bytes up to the next event.
    pub fn feed(&mut self, data: &[u8]) -> Event {
        match &mut self.step {
            Step::Head => self.head(data),
            Step::Bytes(left) => {
                let take = (*left).min(data.len() as u64);
                *left -= take;
                if *left > 0 {
                    return Event::More;
                }
                self.step = Step::Commands;
                Event::Image(take as usize)
            }
            Step::Mark { mark, seen } => {
                let held = seen.len();
                seen.extend_from_slice(data);
                if let Some(at) = seen.windows(40).position(|window| window == mark) {
                    self.step = Step::Commands;
                    return Event::Image(at + 40 - held);
                }
                seen.drain(..seen.len().saturating_sub(39));
                Event::More
            }
            Step::Commands => match self.reader.feed(data) {
                Progress::More => Event::More,
                Progress::Command(used) => Event::Command(used),
                Progress::Nothing(used) => Event::Nothing(used),
                Progress::Bad(reason) => Event::Bad(reason),
            },
        }
    }

    fn head(&mut self, data: &[u8]) -> Event {
        let end = data.iter().position(|byte| *byte == b'\n');
        let piece = &data[..end.unwrap_or(data.len())];
        if self.line.len() + piece.len() > 64 {
            return Event::Bad("the line in front of a database image is too long");
        }
        self.line.extend_from_slice(piece);
        let Some(end) = end else { return Event::More };
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            // The primary sends line feeds while it makes the image.
            return Event::Nothing(end + 1);
        }
        let Some(size) = line.strip_prefix(b"$") else {
            return Event::Bad("no database image after the answer to PSYNC");
        };
        if let Some(mark) = size.strip_prefix(b"EOF:").and_then(|mark| <[u8; 40]>::try_from(mark).ok()) {
            self.step = Step::Mark { mark, seen: Vec::new() };
            return Event::Nothing(end + 1);
        }
        match parse_number(size) {
            Some(bytes) if bytes > 0 => {
                self.step = Step::Bytes(bytes as u64);
                Event::Nothing(end + 1)
            }
            _ => Event::Bad("a database image has no usable size"),
        }
    }
}
