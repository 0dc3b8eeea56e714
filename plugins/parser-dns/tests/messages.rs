//! What is reported about messages over UDP and TCP, the same for every split, whatever is damaged.

mod build;

use build::{answer, query, Build};
use metaflow_parser_dns::DnsParser;
use metaflow_parser_sdk::testing::{Row, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<DnsParser>();
    script.assert_survives_damage::<DnsParser>();
    script.run::<DnsParser>()
}

fn udp() -> Script {
    Script::new(53).udp()
}

fn kinds(rows: &[Row]) -> Vec<&'static str> {
    rows.iter().map(Row::kind).collect()
}

#[test]
fn a_query_and_its_answer_carry_what_the_catalogue_wants() {
    let response = answer(0x1234, 0, "WWW.example.com", 1)
        .record(1, 5, b"\x03web\xc0\x10")
        .record(1, 1, &[192, 0, 2, 1])
        .record(1, 1, &[192, 0, 2, 2])
        .edns(0x8000);
    let rows = proven(&udp().client(query(0x1234, "WWW.example.com", 1).edns(0).0).server(&response.0));
    for row in &rows {
        assert_eq!((row.text("request_type"), row.text("request_domain")), ("A", "www.example.com"));
        assert_eq!((row.text("request_resource"), row.text("endpoint")), ("WWW.example.com", "www.example.com"));
        assert_eq!((row.number("request_id"), row.number("stream_id")), (Some(0x1234), Some(0x1234)));
        assert_eq!(row.attribute("dns_opcode"), Some("QUERY"));
    }
    assert_eq!(kinds(&rows), ["request", "response"]);
    assert_eq!(rows[0].attribute("dns_flags"), Some("rd"));
    assert_eq!(rows[1].attribute("dns_flags"), Some("rd ra do"));
    assert_eq!(rows[1].text("result"), "web.example.com;192.0.2.1;192.0.2.2");
    assert_eq!((rows[1].status(), rows[1].number("code"), rows[1].text("exception")), ("ok", Some(0), ""));
    assert_eq!(rows[1].number("length"), Some(response.0.len() as i128));
}

#[test]
fn response_codes_say_whose_error_it_is() {
    for (rcode, ttl, status, code, exception) in [
        (1, 0, "client_error", 1, "FormErr"),
        (2, 0, "server_error", 2, "ServFail"),
        (3, 0, "client_error", 3, "NXDomain"),
        (5, 0, "server_error", 5, "Refused"),
        (0, 0x0100_0000, "server_error", 16, "BADVERS"),
        (15, 0, "server_error", 15, "RCODE15"),
    ] {
        let rows = proven(&udp().server(answer(7, rcode, "a.b", 28).edns(ttl).0));
        let row = &rows[0];
        assert_eq!((row.status(), row.number("code"), row.text("exception")), (status, Some(code), exception));
    }
    let expected =
        udp().server(answer(7, 3, "x.svc.cluster.local", 1).0).option("nxdomain_ok_suffixes", "cluster.local");
    assert_eq!(expected.run::<DnsParser>()[0].status(), "ok");
}

#[test]
fn several_questions_flags_and_opcodes() {
    let rows = proven(&udp().client(query(1, "a.example", 1).question("b.example", 28).question("c.example", 28).0));
    assert_eq!((rows[0].text("request_domain"), rows[0].text("request_type")), ("a.example", "A;AAAA"));
    assert_eq!(rows[0].text("request_resource"), "a.example;b.example;c.example");
    let rows = proven(&udp().server(Build::new(9, 0x86b0 | 0x100).question("t", 16).record(1, 16, b"\x02hi").0));
    assert_eq!((rows[0].attribute("dns_flags"), rows[0].text("result")), (Some("aa tc rd ra ad cd"), "\"hi\""));
    let rows = proven(&udp().client(Build::new(9, 0x2800).question("zone", 6).record(2, 1, b"").0));
    assert_eq!((rows[0].attribute("dns_opcode"), rows[0].text("request_type")), (Some("UPDATE"), "SOA"));
}

#[test]
fn multicast_messages_stand_alone() {
    let group = Build::new(0, 0).question("printer.local", 255);
    assert_eq!(kinds(&proven(&Script::new(5355).udp().client(&group.0))), ["session"]);
    // The test kit's client port is not 5353, so this is a query that is answered by unicast (RFC 6762, 6.7).
    assert_eq!(kinds(&proven(&Script::new(5353).udp().client(&group.0))), ["request"]);
    let mut announce = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    announce.extend_from_slice(b"\x07printer\x05local\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04\xc0\x00\x02\x09");
    let rows = proven(&Script::new(5353).udp().server(announce));
    assert_eq!((rows[0].text("request_domain"), rows[0].text("result")), ("printer.local", "192.0.2.9"));
    assert_eq!(rows[0].text("request_type"), "A");
}

#[test]
fn several_messages_in_a_stream_split_anywhere() {
    let queries = [query(1, "a.example", 1).framed(), query(2, "b.example", 28).framed()].concat();
    let answers =
        [answer(2, 0, "b.example", 28).record(1, 28, &[0; 16]).framed(), answer(1, 3, "a.example", 1).framed()]
            .concat();
    let rows = proven(&Script::new(53).client(&queries).server(&answers).client(query(3, "c.example", 255).framed()));
    assert_eq!(kinds(&rows), ["request", "request", "response", "response", "request"]);
    let ids: Vec<_> = rows.iter().filter_map(|row| row.number("stream_id")).collect();
    assert_eq!(ids, [1, 2, 2, 1, 3]);
    assert_eq!((rows[2].text("result"), rows[3].status()), ("::", "client_error"));
    assert_eq!(rows[1].number("stream_offset"), Some(queries.len() as i128 / 2));
}

#[test]
fn a_loss_in_a_stream_costs_the_messages_it_touches() {
    let one = query(1, "one.example", 1).framed();
    let all = [one.clone(), query(2, "two.example", 1).framed(), query(3, "three.example", 1).framed()].concat();
    let rows = proven(&Script::new(53).client(&all[..40]).gap(ClientToServer, 10).client(&all[50..]));
    assert_eq!(kinds(&rows), ["request", "skipped", "request"]);
    assert_eq!((rows[1].number("stream_offset"), rows[1].number("length")), (Some(one.len() as i128), Some(31)));
    assert_eq!(rows[2].text("request_domain"), "three.example");
    let rows = proven(&Script::new(53).mid_stream().client(&all[20..]));
    assert_eq!(rows[0].text("exception"), "the start of the flow was not seen");
    assert_eq!((rows[1].text("request_domain"), rows.len()), ("two.example", 3));
}

#[test]
fn a_zone_transfer_keeps_its_pair_open_until_the_soa_comes_again() {
    let soa = b"\x01n\x00\x01r\x00\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
    let rows = proven(
        &Script::new(53)
            .client(query(7, "zone", 252).framed())
            .server(answer(7, 0, "zone", 252).record(1, 6, soa).record(1, 1, &[1; 4]).framed())
            .server(answer(7, 0, "zone", 252).record(1, 1, &[2; 4]).framed())
            .server(answer(7, 0, "zone", 252).record(1, 6, soa).framed()),
    );
    let flags: Vec<_> = rows.iter().map(|row| row.number("flags")).collect();
    assert_eq!(flags, [None, Some(8), Some(8), None]);
}

#[test]
fn what_is_damaged_behind_the_question_is_still_a_row() {
    let response = answer(7, 0, "a.example", 1).record(1, 1, &[192, 0, 2, 1]).record(1, 1, &[192, 0, 2, 2]).0;
    let rows = Script::new(53).udp().cut(ServerToClient, &response, response.len() - 3).run::<DnsParser>();
    assert_eq!((rows[0].kind(), rows[0].text("result")), ("response", "192.0.2.1"));
    assert_eq!(rows[0].attribute("dns_damage"), Some("a record longer than the message"));
    assert_eq!(rows[0].number("length"), Some(response.len() as i128));
}

#[test]
fn a_flow_that_is_no_dns_is_given_back() {
    let rows = udp().client("not dns at all").client("nor this one....").client("and not this one").run::<DnsParser>();
    assert_eq!(kinds(&rows), ["skipped", "skipped", "violation"]);
    let noise = vec![0xff; 300_000];
    let mut script = Script::new(53);
    for piece in noise.chunks(30_000) {
        script = script.client(piece);
    }
    assert_eq!(kinds(&script.run::<DnsParser>()), ["violation"]);
}

#[test]
fn the_first_messages_of_a_connection_may_lack_their_length() {
    let question = query(0x1234, "www.shop.test", 1);
    let reply = answer(0x1234, 0, "www.shop.test", 1).record(1, 1, &[192, 0, 2, 1]);
    let start = || Script::new(53).mid_stream();
    // The capture began behind the length, inside it, or the program was seen without the call that read it.
    for front in [&[][..], &question.framed()[1..2]] {
        let script = start().client([front, &question.0].concat()).server(reply.framed()).client(question.framed());
        let rows = proven(&script);
        let messages: Vec<_> = rows.iter().filter(|row| row.kind() != "skipped").collect();
        assert_eq!(messages.iter().map(|row| row.kind()).collect::<Vec<_>>(), ["request", "response", "request"]);
        assert_eq!(messages[0].text("request_domain"), "www.shop.test");
        assert_eq!(messages[0].number("length"), Some(question.0.len() as i128));
        assert_eq!(messages[0].number("stream_offset"), Some(front.len() as i128));
    }
    // An id that is no length of a message shows at once that there is none.
    let small = proven(&start().client(query(7, "www.shop.test", 1).0).server(reply.framed()));
    assert_eq!(kinds(&small), ["request", "response"]);
    let none = proven(&Script::new(53).client(&question.0).server(&reply.0).client(&question.0).server(&reply.0));
    assert_eq!(kinds(&none), ["request", "response", "request", "response"]);
    // In the middle of a message no other is made up.
    let middle = proven(&start().server(&reply.framed()[20..]).client(question.framed()).server(reply.framed()));
    assert_eq!(kinds(&middle), ["request", "skipped", "response"]);
}
