//! What shares the format of DNS keeps its own names, and is paired only where answers come in the same flow.

mod build;

use build::{answer, query, Build};
use metaflow_parser_dns::DnsParser;
use metaflow_parser_sdk::testing::{Row, Script};

fn rows(script: &Script) -> Vec<Row> {
    script.assert_survives_damage::<DnsParser>();
    script.run::<DnsParser>()
}

/// A name of NetBIOS as it stands on the wire.
fn netbios(name: &str, kind: u8) -> Vec<u8> {
    let mut bytes = [b' '; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[15] = kind;
    let letters = bytes.iter().flat_map(|byte| [b'A' + (byte >> 4), b'A' + (byte & 15)]);
    [&[32][..], &letters.collect::<Vec<_>>(), &[0]].concat()
}

/// Header, then one question of a type or (in a response) one record with this data.
fn nbns(id: u16, flags: u16, name: &str, kind: u16, data: Option<&[u8]>) -> Vec<u8> {
    let mut message = Build::new(id, flags).0;
    message[if data.is_some() { 7 } else { 5 }] = 1;
    message.extend(netbios(name, 0x20));
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    if let Some(data) = data {
        message.extend([0, 0, 1, 44]);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

#[test]
fn netbios_names_are_readable_and_its_numbers_have_their_own_names() {
    let own = [&[2][..], b"FILESRV        \x20\x04\0", b"SHOP           \0\x84\0"].concat();
    let script = Script::new(137)
        .udp()
        .client(nbns(1, 0, "FILESRV", 32, None))
        .server(nbns(1, 0x8500, "FILESRV", 32, Some(&[0, 0, 10, 0, 0, 2, 0, 0, 10, 0, 0, 3])))
        .client(nbns(2, 0, "*", 33, None))
        .server(nbns(2, 0x8400, "*", 33, Some(&own)))
        .client(nbns(3, 0x2900, "SHOP", 32, None))
        .server(nbns(3, 0xad86, "SHOP", 32, Some(&[0; 6])));
    let found = rows(&script);
    let line = |row: &Row| {
        let number = row.number("code").map(|code| format!(" {code} {}", row.text("exception"))).unwrap_or_default();
        let opcode = row.attribute("dns_opcode").unwrap_or_default();
        assert_eq!(row.attribute("dns_variant"), Some("nbns"));
        let (kind, name, result) = (row.text("request_type"), row.text("request_resource"), row.text("result"));
        format!("{} {opcode} {kind} {name}{number} {result}", row.kind()).trim_end().to_string()
    };
    assert_eq!(
        found.iter().map(line).collect::<Vec<_>>(),
        [
            "request QUERY NB FILESRV<20>",
            "response QUERY NB FILESRV<20> 0  10.0.0.2 10.0.0.3",
            "request QUERY NBSTAT *<20>",
            "response QUERY NBSTAT *<20> 0  FILESRV<20> SHOP<00>",
            "request REGISTRATION NB SHOP<20>",
            "response REGISTRATION NB SHOP<20> 6 ACT_ERR 0.0.0.0",
        ]
    );
    assert_eq!(found[0].text("request_domain"), "filesrv<20>");
}

#[test]
fn a_question_to_everybody_stands_alone() {
    let asked = rows(&Script::new(137).udp().client(nbns(1, 0x0110, "FILESRV", 32, None)));
    assert_eq!(asked[0].kind(), "session");
    let llmnr = rows(&Script::new(5355).udp().client(query(9, "printer", 1).0));
    assert_eq!((llmnr[0].kind(), llmnr[0].attribute("dns_variant")), ("session", Some("llmnr")));
}

#[test]
fn a_dns_server_at_the_port_of_mdns_is_one() {
    let script = Script::new(5353).udp();
    let found = rows(&script.client(query(7, "a.example", 1).0).server(answer(7, 0, "a.example", 1).0));
    assert_eq!((found[0].kind(), found[1].kind()), ("request", "response"));
    assert_eq!(found[0].attribute("dns_variant"), None);
    let local = rows(&Script::new(5353).udp().client(query(7, "printer.local", 1).0));
    assert_eq!((local[0].kind(), local[0].attribute("dns_variant")), ("request", Some("mdns")));
}

#[test]
fn two_hosts_that_ask_each_other_are_not_mixed_up() {
    let ask = |id| nbns(id, 0, "FILESRV", 32, None);
    let told = |id| nbns(id, 0x8500, "FILESRV", 32, Some(&[0; 6]));
    let script = Script::new(137).udp().client_port(137);
    let found = rows(&script.client(ask(5)).server(ask(5)).client(told(5)).server(told(5)));
    let keys: Vec<_> = found.iter().map(|row| (row.kind(), row.number("stream_id"))).collect();
    let (one, other) = (Some(5), Some(5 | 1 << 16));
    assert_eq!(keys, [("request", one), ("request", other), ("response", other), ("response", one)]);
    assert!(found.iter().all(|row| row.number("flags").is_none()), "nobody is told the other way round");
}
