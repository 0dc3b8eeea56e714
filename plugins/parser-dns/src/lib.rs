//! DNS (RFC 1035 and its many children) over UDP and TCP, mDNS (RFC 6762) and LLMNR (RFC 4795) for MetaFlow.
//!
//! One record for each message; requests and responses are paired by transaction id. The README says what is extracted.

mod check;
mod header;
mod message;
mod name;
mod rdata;
mod report;
mod tcp;
mod types;
mod variant;
mod wire;

use message::Message;
use metaflow_parser_sdk::{export_parser, Check, Direction, Kind, Parser, Records, Segment, Sessions, Transport};
use report::{Expected, Place};
use tcp::Stream;
use variant::Variant;

/// Sessions whose state is kept.
const SESSIONS: usize = 65_536;
/// Datagrams of a session that are no messages until the flow is given back.
const MOST_FAULTS: u8 = 3;

/// The two directions of a TCP connection.
#[derive(Default)]
struct Connection {
    streams: [Stream; 2],
    is_given_back: bool,
}

/// The parser.
pub struct DnsParser {
    message: Message,
    expected: Expected,
    connections: Sessions<Connection>,
    /// Datagrams that were no messages, for the UDP sessions that have any.
    faults: Sessions<u8>,
}

impl Parser for DnsParser {
    fn new() -> DnsParser {
        DnsParser {
            message: Message::default(),
            expected: Expected::default(),
            connections: Sessions::new(SESSIONS),
            faults: Sessions::new(SESSIONS),
        }
    }

    fn configure(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "nxdomain_ok_suffixes" => self.expected = Expected::parse(value)?,
            _ => return Err(format!("Unknown option {key:?}: expected nxdomain_ok_suffixes.")),
        }
        Ok(())
    }

    fn check(&mut self, segment: &Segment) -> Check {
        check::check(segment, &mut self.message)
    }

    fn parse(&mut self, segment: &Segment, out: &mut Records) {
        match (segment.transport, segment.kind) {
            (Transport::Tcp, Kind::Close) => {
                if let Some(mut connection) = self.connections.close(segment.session_id) {
                    if !connection.is_given_back {
                        connection.streams.iter_mut().for_each(|stream| stream.close(out));
                    }
                }
            }
            (Transport::Tcp, _) => self.take_stream(segment, out),
            (_, Kind::Data) => self.take_datagram(segment, out),
            (_, Kind::Close) => {
                if !self.faults.is_empty() {
                    self.faults.close(segment.session_id);
                }
            }
            (_, Kind::Gap) => {}
        }
    }
}

impl DnsParser {
    fn take_datagram(&mut self, segment: &Segment, out: &mut Records) {
        self.message.variant = Variant::of(segment);
        match self.message.read(segment.payload, segment.is_truncated()) {
            Ok(()) => {
                let place = Place {
                    offset: segment.stream_offset,
                    time_ns: segment.timestamp_ns,
                    end_time_ns: segment.timestamp_ns,
                    length: segment.wire_len.into(),
                    captured: segment.payload.len() as u32,
                    is_one_way: is_one_way(segment, &self.message),
                    is_reversed: !is_symmetric(segment) && is_reversed(segment.direction, &self.message),
                    asker: asker(segment, &self.message),
                    has_more: false,
                };
                report::write(&self.message, place, &self.expected, out);
            }
            Err(fault) => {
                let faults = self.faults.get(segment.session_id);
                *faults = faults.saturating_add(1);
                if *faults == MOST_FAULTS {
                    out.violation(segment.stream_offset, segment.timestamp_ns, fault.reason);
                } else {
                    let (offset, length) = (segment.stream_offset, segment.wire_len.into());
                    out.skipped(offset, segment.timestamp_ns, length, fault.reason);
                }
            }
        }
    }

    fn take_stream(&mut self, segment: &Segment, out: &mut Records) {
        let connection = self.connections.get(segment.session_id);
        if connection.is_given_back {
            return;
        }
        let stream = &mut connection.streams[segment.direction.index()];
        stream.append(segment);
        if segment.wire_len as usize > segment.payload.len() && segment.kind == Kind::Data {
            // The capture cut the packet: what it left out is a gap that is known now.
            let captured = segment.payload.len();
            take_messages(stream, &mut self.message, &self.expected, segment.direction, out);
            stream.append(&Segment {
                kind: Kind::Gap,
                stream_offset: segment.stream_offset.wrapping_add(captured as u64),
                wire_len: segment.wire_len - captured as u32,
                payload: &[],
                ..*segment
            });
        }
        take_messages(stream, &mut self.message, &self.expected, segment.direction, out);
        if stream.is_hopeless() {
            let (offset, time_ns) = stream.lost_at();
            out.violation(offset, time_ns, "no DNS message for a long time");
            *connection = Connection { is_given_back: true, ..Connection::default() };
        }
    }
}

fn take_messages(
    stream: &mut Stream,
    message: &mut Message,
    expected: &Expected,
    direction: Direction,
    out: &mut Records,
) {
    message.variant = Variant::Dns;
    while let Some(found) = stream.next(out) {
        let (length, whole) = (found.message.len(), found.prefix + found.message.len());
        let (offset, time_ns, end_time_ns) = (found.offset, found.time_ns, found.end_time_ns);
        match message.read(found.message, false) {
            Ok(()) => {
                let place = Place {
                    offset,
                    time_ns,
                    end_time_ns,
                    length: length as u64,
                    captured: length as u32,
                    is_one_way: false,
                    is_reversed: is_reversed(direction, message),
                    asker: 0,
                    has_more: stream.transfer_goes_on(message),
                };
                report::write(message, place, expected, out);
            }
            Err(fault) => out.skipped(offset, time_ns, whole as u64, fault.reason),
        }
        stream.consume(whole);
    }
}

/// Questions to a group are not answered inside their flow: mDNS answers to the group, the others from another address.
fn is_one_way(segment: &Segment, message: &Message) -> bool {
    match message.variant {
        Variant::Mdns => is_symmetric(segment),
        Variant::Llmnr => true,
        Variant::Nbns => message.is_broadcast && !message.is_response,
        Variant::Dns => false,
    }
}

/// Both ends use the service's port: each may ask the other.
fn is_symmetric(segment: &Segment) -> bool {
    segment.server_port == segment.client_port
}

/// The end whose question this is or answers, where both may ask: their ids have nothing to do with each other.
fn asker(segment: &Segment, message: &Message) -> u8 {
    u8::from(is_symmetric(segment) && is_reversed(segment.direction, message))
}

fn is_reversed(direction: Direction, message: &Message) -> bool {
    let expected = if message.is_response { Direction::ServerToClient } else { Direction::ClientToServer };
    direction != expected
}

export_parser!(DnsParser);
