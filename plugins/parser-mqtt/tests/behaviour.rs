//! What a conversation becomes: one test for each thing that the protocol can do.

mod support;

use metaflow_parser_mqtt::MqttParser;
use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

fn shown(script: &Script) -> Vec<String> {
    script.assert_any_split_is_equal::<MqttParser>();
    lines(&script.run::<MqttParser>())
}

#[test]
fn a_login_tells_who_and_what_was_answered() {
    assert_eq!(shown(&session()), ["request 1:0 CONNECT", "response 1:0 ok CONNACK code=0"]);
    let rows = session().run::<MqttParser>();
    assert_eq!((rows[0].text("request_domain"), rows[0].text("version")), ("till-7", "3.1.1"));
    assert_eq!((rows[0].attribute("user"), rows[0].attribute("keep_alive")), (Some("bob"), Some("60")));
    assert!(!format!("{rows:?}").contains("secret"));
    for (code, line) in [
        (3, "response 1:0 server_error CONNACK server unavailable code=3"),
        (5, "response 1:0 client_error CONNACK not authorized code=5"),
    ] {
        assert_eq!(shown(&Script::new(1883).client(connect(4, "a")).server(connack(code)))[1], line);
    }
    // MQTT 5: a reason in words, an identifier that the server chose.
    let said = properties(&[&[0x1f][..], &text("go away"), &[0x12], &text("auto-1")].concat());
    let script = Script::new(1883).client(connect(5, "")).server(packet(0x20, [&[0, 0x87][..], &said].concat()));
    assert_eq!(shown(&script)[1], "response 1:0 client_error CONNACK go away code=135");
    assert_eq!(script.run::<MqttParser>()[1].text("request_domain"), "auto-1");
}

#[test]
fn publications_of_every_quality_in_both_directions() {
    let script = session()
        .client([publish(0, "a/0", 0, b"x"), publish(2, "a/1", 1, b"yy"), publish(4, "a/2", 2, b"zzz")].concat())
        .server([ack(4, 1), ack(5, 2)].concat())
        .client(ack(6, 2))
        .server(ack(7, 2))
        // The server may use the same numbers.
        .server([publish(3, "b/1", 1, b""), publish(4, "b/2", 2, b"")].concat())
        .client([ack(4, 1), ack(5, 2)].concat())
        .server(ack(6, 2))
        .client(ack(7, 2));
    assert_eq!(
        shown(&script)[2..],
        [
            "session ok PUBLISH a/0",
            "request 6:1 PUBLISH a/1",
            "request 6:2 PUBLISH a/2",
            "response 6:1 ok PUBACK code=0",
            "response 6:2 ok PUBREC code=0",
            "request 8:2 PUBREL a/2",
            "response 8:2 ok PUBCOMP code=0",
            "request 7:1 PUBLISH b/1",
            "request 7:2 PUBLISH b/2",
            "response 7:1 ok PUBACK code=0",
            "response 7:2 ok PUBREC code=0",
            "request 9:2 PUBREL b/2",
            "response 9:2 ok PUBCOMP code=0",
        ]
    );
    let rows = script.run::<MqttParser>();
    assert_eq!((rows[4].number("request_id"), rows[4].attribute("payload_bytes")), (Some(2), Some("3")));
    assert_eq!((rows[9].attribute("from"), rows[9].attribute("retain")), (Some("server"), Some("true")));
    assert_eq!(rows[2].text("endpoint"), "a/0");
}

#[test]
fn subscriptions_pings_and_the_end() {
    let script = session()
        .client(subscribe(9, &[("a/+", 0), ("b/#", 2)]))
        .server(packet(0x90, [0, 9, 0, 0x80]))
        .client([packet(0xa2, [&[0, 10][..], &text("a/+")].concat()), packet(0xc0, [])].concat())
        .server([packet(0xb0, [0, 10]), packet(0xd0, [])].concat())
        .client([packet(0xc0, []), packet(0xc0, [])].concat())
        .server([packet(0xd0, []), packet(0xd0, [])].concat())
        .client(packet(0xe0, []));
    assert_eq!(
        shown(&script)[2..],
        [
            "request 3:9 SUBSCRIBE a/+,b/#",
            "response 3:9 server_error SUBACK 0,128 unspecified error code=128",
            "request 3:10 UNSUBSCRIBE a/+",
            "request 2:0 PINGREQ",
            "response 3:10 ok UNSUBACK code=0",
            "response 2:0 ok PINGRESP code=0",
            "request 2:1 PINGREQ",
            "request 2:2 PINGREQ",
            "response 2:1 ok PINGRESP code=0",
            "response 2:2 ok PINGRESP code=0",
            "session ok DISCONNECT code=0",
        ]
        .map(|line| if line.starts_with("response 2:") { line.trim_end_matches(" code=0") } else { line })
    );
    assert_eq!(script.run::<MqttParser>()[2].attribute("qos"), Some("0,2"));
}

#[test]
fn version_5_has_properties_aliases_and_reasons() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let first =
        properties(&[&[0x23, 0, 7, 3][..], &text("text/plain"), &[0x26], &text("traceparent"), &text(parent)].concat());
    let again = properties(&[0x23, 0, 7]);
    let script = session5()
        .client(publish(2, "long/topic", 1, &[&first[..], b"hello"].concat()))
        .server(packet(0x40, [0, 1, 0x10, 0]))
        .client(publish(0, "", 0, &[&again[..], b"hi"].concat()))
        .client(packet(0x82, [&[0, 2, 0][..], &text("x/#"), &[0x2e]].concat()))
        .server(packet(0x90, [0, 2, 0, 0x8f]))
        .client(publish(4, "q", 3, &[0]))
        .server(packet(0x50, [0, 3, 0x97]))
        .client(packet(0xf0, [0x19, 4, 0x15, 0, 1, b'm']))
        .server(packet(0xf0, [0, 0]))
        .server(packet(0xe0, [&[0x8b][..], &properties(&[&[0x1c][..], &text("other")].concat())].concat()));
    assert_eq!(
        shown(&script)[2..],
        [
            "request 6:1 PUBLISH long/topic",
            "response 6:1 ok PUBACK code=16",
            "session ok PUBLISH long/topic",
            "request 3:2 SUBSCRIBE x/#",
            "response 3:2 client_error SUBACK 143 topic filter invalid code=143",
            "request 6:3 PUBLISH q",
            "response 6:3 server_error PUBREC quota exceeded code=151",
            "request 4:0 AUTH",
            "response 4:0 ok AUTH code=0",
            "session server_error DISCONNECT server shutting down code=139",
        ]
    );
    let rows = script.run::<MqttParser>();
    assert_eq!(rows[2].text("trace_id"), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(
        (rows[2].attribute("content_type"), rows[2].attribute("payload_bytes")),
        (Some("text/plain"), Some("5"))
    );
    assert_eq!(rows[4].attribute("topic_alias"), Some("7"));
    assert_eq!(rows[11].attribute("server_reference"), Some("other"));
}

#[test]
fn giant_payloads_cost_no_memory_and_gaps_in_them_are_no_loss() {
    let big = publish(2, "big", 1, &vec![b'0'; 300_000]);
    let script = session()
        .client(&big[..100_000])
        .gap(ClientToServer, 100_000)
        .client(&big[200_000..])
        .server(ack(4, 1))
        .cut(ClientToServer, publish(0, "cut/short", 0, &[b'x'; 500]), 40)
        .client(packet(0xc0, []));
    let rows = script.run::<MqttParser>();
    assert_eq!(
        lines(&rows)[2..],
        [
            "request 6:1 PUBLISH big",
            "response 6:1 ok PUBACK code=0",
            "session ok PUBLISH cut/short",
            "request 2:0 PINGREQ"
        ]
    );
    assert_eq!(rows[2].attribute("payload_bytes"), Some("300000"));
}

#[test]
fn a_session_may_be_joined_and_goes_on_after_a_gap() {
    let script = Script::new(1883)
        .mid_stream()
        .client([&b"\x00tail\x01"[..], &publish(2, "a/b", 7, b"x")].concat())
        .server(ack(4, 7))
        .server(publish(0, "c", 0, b"y"))
        .client(subscribe(8, &[("d", 1)]));
    let found = shown(&script);
    assert_eq!(found[0], "skipped the flow was joined in the middle of a message");
    assert_eq!(found[1], "request 6:7 PUBLISH a/b");
    assert_eq!(found.last().unwrap(), "request 3:8 SUBSCRIBE d");
    let script = session()
        .client(&publish(0, "lost", 0, b"x")[..5])
        .gap(ClientToServer, 900)
        .client(publish(2, "a/b", 7, b"x"))
        .gap(ServerToClient, 10)
        .server(publish(0, "c", 0, b"y"));
    assert_eq!(
        shown(&script)[2..],
        [
            "session ok PUBLISH l",
            "skipped bytes lost in the capture",
            "request 6:7 PUBLISH a/b",
            "skipped bytes lost in the capture",
            "session ok PUBLISH c",
        ]
    );
    assert!(shown(&session().client("GET / HTTP/1.1\r\n\r\n"))[2].starts_with("violation"));
}

#[test]
fn damage_is_survived() {
    session5()
        .client(
            [publish(2, "a/1", 1, &[0, b'x']), packet(0x82, [&[0, 2, 0][..], &text("x/#"), &[1]].concat())].concat(),
        )
        .server([ack(4, 1), packet(0x90, [0, 2, 0, 1])].concat())
        .client(packet(0xe0, []))
        .assert_survives_damage::<MqttParser>();
}

#[test]
fn inference_says_what_it_is_and_why_not() {
    let verdict = |port: u16, bytes: &[u8]| Script::new(port).client(bytes).check::<MqttParser>();
    for own in [connect(4, "a"), connect(5, "a"), packet(0x10, b"\0\x06MQIsdp\x03\x02\0\x3c\0\x01a")] {
        assert_eq!(verdict(9999, &own).0, "request");
        for end in 1..12 {
            assert_eq!(verdict(9999, &own[..end]).0, "more", "{end}");
        }
    }
    for own in [publish(2, "a/b", 1, b"x"), subscribe(1, &[("a", 0)]), packet(0xc0, [])] {
        assert_eq!((verdict(1883, &own).0, verdict(9999, &own).0), ("request", "no"));
    }
    assert_eq!(verdict(1883, &connack(0)).0, "response");
    // A CONNACK alone in its segment, right to the last byte, tells on every port.
    let five = packet(0x20, [&[1, 0][..], &properties(&[0x22, 0, 10])].concat());
    for own in [connack(0), connack(5), five.clone()] {
        assert_eq!(verdict(9999, &own).0, "response", "{own:?}");
    }
    let longer = [connack(0), publish(0, "a", 0, b"x")].concat();
    for other in
        [connack(6), packet(0x20, [2, 0]), longer, packet(0x20, [&[1, 0][..], &properties(&[0x30, 0])].concat())]
    {
        assert_eq!(verdict(9999, &other).0, "no", "{other:?}");
    }
    let script = Script::new(9999).mid_stream().server(connack(5)).server(five);
    let rows = script.run::<MqttParser>();
    assert_eq!((rows[0].text("request_type"), rows[0].number("code")), ("CONNACK", Some(5)));
    assert_eq!((rows[1].text("version"), rows[1].attribute("session_present")), ("5", Some("true")));
    for (other, reason, offset) in [
        (&b"\x10\x0c\0\x04MQXX\x04\x02\0\x3c\0\0"[..], "no CONNECT of MQTT 3.1, 3.1.1 or 5", 6),
        (b"\x10\x0c\0\x04MQTT\x09\x02\0\x3c\0\0", "no CONNECT of MQTT 3.1, 3.1.1 or 5", 8),
        (b"GET / HTTP/1.1\r\n", "flags that this type of packet cannot have", 0),
        (b"\x16\x03\x01\x02\0", "flags that this type of packet cannot have", 0),
    ] {
        assert_eq!(verdict(9999, other), ("no", reason.to_owned(), offset), "{other:?}");
    }
}
