//! A message as a record.

use crate::message::Message;
use crate::types;
use crate::variant::Variant;
use metaflow_parser_sdk::{abi_generated as abi, RecordType, Records, Status, Text};

/// Where a message stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub offset: u64,
    pub time_ns: u64,
    pub end_time_ns: u64,
    /// Bytes on the wire, without the length in front of TCP messages.
    pub length: u64,
    pub captured: u32,
    /// Nobody answers inside this flow (mDNS, LLMNR by multicast): the message stands alone.
    pub is_one_way: bool,
    /// The message goes against the direction of the flow.
    pub is_reversed: bool,
    /// 1: the end that is taken for the server asked (both use the service's port).
    pub asker: u8,
    /// More messages answer the same request (zone transfer).
    pub has_more: bool,
}

/// Suffixes of names whose NXDomain is no error, as resolvers with a search list make them.
#[derive(Default)]
pub(crate) struct Expected(Vec<String>);

impl Expected {
    /// Suffixes separated by commas.
    ///
    /// # Errors
    /// A sentence that names what is not a suffix.
    pub fn parse(text: &str) -> Result<Expected, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let names = items.map(|item| match item.trim_matches('.') {
            name if !name.is_empty() && !name.contains(char::is_whitespace) => Ok(name.to_ascii_lowercase()),
            _ => Err(format!("Option nxdomain_ok_suffixes has {item:?}: expected domain names separated by commas.")),
        });
        names.collect::<Result<_, _>>().map(Expected)
    }

    fn has(&self, domain: &str) -> bool {
        self.0.iter().any(|suffix| {
            domain.strip_suffix(suffix.as_str()).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        })
    }
}

pub(crate) fn write(message: &Message, place: Place, expected: &Expected, out: &mut Records) {
    let kind = match message.is_response {
        _ if place.is_one_way => RecordType::Session,
        false => RecordType::Request,
        true => RecordType::Response,
    };
    out.begin(kind).stream_offset(place.offset).time_ns(place.time_ns).end_time_ns(place.end_time_ns);
    out.length(place.length).captured_bytes(place.captured);
    out.request_id(message.id.into()).stream_id(u64::from(place.asker) << 16 | u64::from(message.id));
    let mut flags = 0;
    if place.is_reversed {
        flags |= abi::RECORD_FLAG_IS_REVERSED as u8;
    }
    if place.has_more {
        flags |= abi::RECORD_FLAG_MORE_RESPONSES as u8;
    }
    if flags != 0 {
        out.flags(flags);
    }
    out.text(Text::RequestType, &message.kinds);
    if asks_for_addresses(&message.kinds) {
        out.text(Text::RequestDomain, &message.domain);
    }
    out.text(Text::RequestResource, &message.resource).text(Text::Endpoint, &message.domain);
    if message.is_response {
        out.status(status(message, expected)).code(message.rcode.into()).text(Text::Result, &message.result);
        if message.rcode != 0 {
            match message.variant.rcode(message.rcode).unwrap_or_else(|| types::rcode(message.rcode)) {
                "" => out.text(Text::Exception, &format!("RCODE{}", message.rcode)),
                name => out.text(Text::Exception, name),
            };
        }
    }
    let opcode = message.variant.opcode(message.opcode).unwrap_or_else(|| types::opcode(message.opcode));
    out.attribute("dns_opcode", opcode);
    match message.variant {
        // A DNS server at mDNS' port answers for other names.
        Variant::Mdns if place.is_one_way || message.domain.ends_with(".local") => {
            out.attribute("dns_variant", Variant::Mdns.word());
        }
        Variant::Dns | Variant::Mdns => {}
        variant => {
            out.attribute("dns_variant", variant.word());
        }
    }
    if !message.flags.is_empty() {
        out.attribute("dns_flags", &message.flags);
    }
    if let Some(damage) = message.damage {
        out.attribute("dns_damage", damage.reason);
    }
    out.end();
}

/// Names whose addresses are asked for are domains that somebody is about to talk to; others (`PTR`, `TXT`, ...) are not.
fn asks_for_addresses(kinds: &str) -> bool {
    kinds.split(';').any(|kind| matches!(kind, "A" | "AAAA" | "NB"))
}

fn status(message: &Message, expected: &Expected) -> Status {
    match message.rcode {
        0 => Status::Ok,
        3 if expected.has(&message.domain) => Status::Ok,
        1 | 3 => Status::ClientError,
        _ => Status::ServerError,
    }
}

#[cfg(test)]
mod tests {
    use super::Expected;

    #[test]
    fn suffixes_match_whole_labels() {
        let expected = Expected::parse(".svc.cluster.local, Example.").unwrap();
        for (domain, answer) in [
            ("a.svc.cluster.local", true),
            ("svc.cluster.local", true),
            ("asvc.cluster.local", false),
            ("x.example", true),
            ("", false),
        ] {
            assert_eq!(expected.has(domain), answer, "{domain}");
        }
        assert!(Expected::parse("a b").is_err());
    }
}
