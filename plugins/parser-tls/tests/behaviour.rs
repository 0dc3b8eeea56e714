//! What a conversation becomes: one test for each thing that the protocol can do.

mod support;

use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use metaflow_parser_tls::TlsParser;
use support::*;

fn shown(script: &Script) -> Vec<String> {
    script.assert_any_split_is_equal::<TlsParser>();
    lines(&script.run::<TlsParser>())
}

/// TLS 1.2 with a certificate of each side.
fn full() -> Script {
    let flight = [
        server_hello(9, &[5; 32], 0xc02f, &extension(16, &part(b"\x02h2"))),
        certificate("shop", "231231000000Z"),
        message(12, &[0; 100]),
        message(13, &[0; 8]),
        message(14, &[]),
    ]
    .concat();
    Script::new(443)
        .client(record(22, client_hello("shop.example", &[])))
        // One flight in two records, cut in the middle of the certificate.
        .server([record(22, &flight[..150]), record(22, &flight[150..])].concat())
        .client(
            [record(22, [certificate("till", "240101000000Z"), message(16, &[0; 66])].concat()), ccs(), finished()]
                .concat(),
        )
        .server([ccs(), finished()].concat())
        .client(data(90))
        .server(data(300))
}

#[test]
fn a_handshake_of_tls_12_is_one_exchange() {
    assert_eq!(
        shown(&full()),
        [
            "request Client Hello shop.example TLS 1.2",
            "response ok TLS 1.2 Server Hello,Certificate,Server Key Exchange,Certificate Request,Server Hello Done,Change Cipher Spec,Finished",
        ]
    );
    let rows = full().run::<TlsParser>();
    assert_eq!(rows[0].attribute("offered_alpn"), Some("h2,http/1.1"));
    for (key, value) in [
        ("cipher_suite", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ("alpn", "h2"),
        ("client_auth", "true"),
        ("server_cert_subject", "CN=shop"),
        ("server_cert_issuer", "CN=Test CA"),
        ("server_cert_not_before", "2023-01-01T00:00:00Z"),
        ("server_cert_not_after", "2023-12-31T00:00:00Z"),
        ("server_cert_names", "shop.example,127.0.0.1"),
        ("server_cert_valid_days", "46"),
        ("client_cert_subject", "CN=till"),
        ("hello_us", "1000"),
    ] {
        assert_eq!(rows[1].attribute(key), Some(value), "{key}");
    }
    assert_eq!(rows[1].attribute("resumed"), None);
    // From the ClientHello to the server's Finished, three steps later.
    assert_eq!(rows[1].number("time_ns").unwrap() - rows[0].number("time_ns").unwrap(), 3_000_000);
}

#[test]
fn resumption_before_13_repeats_the_identifier() {
    let script = Script::new(443)
        .client(record(22, client_hello("a", &[])))
        .server([record(22, server_hello(9, &[1, 2, 3, 4], 0xc02f, &[])), ccs(), finished()].concat())
        .client([ccs(), finished(), data(10)].concat());
    assert_eq!(shown(&script)[1], "response ok TLS 1.2 Server Hello,Change Cipher Spec,Finished");
    assert_eq!(script.run::<TlsParser>()[1].attribute("resumed"), Some("true"));
}

#[test]
fn tls_13_ends_with_the_clients_first_encrypted_record() {
    let script = Script::new(443)
        .client(record(22, client_hello("a.example", &offers_13())))
        .server(
            [record(22, server_hello(9, &[1, 2, 3, 4], 0x1301, &chooses_13())), ccs(), data(200), data(60)].concat(),
        )
        .client([ccs(), data(53), data(200)].concat())
        .server(data(100));
    assert_eq!(
        shown(&script),
        ["request Client Hello a.example TLS 1.3", "response ok TLS 1.3 Server Hello,Change Cipher Spec,Encrypted",]
    );
    let rows = script.run::<TlsParser>();
    assert_eq!(rows[1].attribute("cipher_suite"), Some("TLS_AES_128_GCM_SHA256"));
    assert_eq!(rows[1].attribute("group"), Some("x25519"));
    assert!(rows[0].attribute("ja4").unwrap().starts_with("t13d0206h2_"));
    // Early data, a key that is known, and a second hello.
    let more = [offers_13(), extension(42, &[]), extension(41, &[0; 8])].concat();
    let mut retry = server_hello(0, &[1, 2, 3, 4], 0x1301, &chooses_13());
    retry[6..14].copy_from_slice(&[0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11]);
    let chosen = [chooses_13(), extension(41, &[0, 0])].concat();
    let script = Script::new(443)
        .client([record(22, client_hello("a.example", &more)), ccs(), data(300)].concat())
        .server([record(22, retry), ccs()].concat())
        .client(record(22, client_hello("a.example", &more)))
        .server([record(22, server_hello(9, &[1, 2, 3, 4], 0x1301, &chosen)), data(80)].concat())
        .client(data(53));
    assert_eq!(shown(&script).len(), 2);
    let rows = script.run::<TlsParser>();
    assert_eq!(
        (rows[0].attribute("early_data"), rows[0].attribute("offered_resumption")),
        (Some("true"), Some("true"))
    );
    assert_eq!((rows[1].attribute("hello_retry"), rows[1].attribute("resumed")), (Some("true"), Some("true")));
}

#[test]
fn alerts_say_who_is_to_blame() {
    let hello = || Script::new(443).client(record(22, client_hello("a", &[])));
    let script = hello().server([record(21, [1, 112]), record(21, [2, 40])].concat());
    assert_eq!(shown(&script)[1], "response client_error handshake_failure");
    assert_eq!(script.run::<TlsParser>()[1].number("code"), Some(40));
    assert_eq!(shown(&hello().server(record(21, [2, 80])))[1], "response server_error internal_error");
    let flight = [server_hello(9, &[], 0xc02f, &[]), certificate("x", "231231000000Z"), message(14, &[])].concat();
    let script = hello().server(record(22, flight)).client(record(21, [2, 48]));
    assert_eq!(
        shown(&script)[1],
        "response server_error TLS 1.2 Server Hello,Certificate,Server Hello Done unknown_ca"
    );
    assert_eq!(script.run::<TlsParser>()[1].attribute("alert_from"), Some("client"));
    let script = hello().server(record(22, server_hello(9, &[], 0xc02f, &[])));
    assert_eq!(shown(&script)[1], "response unknown TLS 1.2 Server Hello the session ended before the handshake did");
}

#[test]
fn calls_that_are_kept_by_their_beginnings_end_as_the_handshake_did() {
    let hello = record(22, client_hello("shop.example", &[]));
    let flight = record(22, [server_hello(9, &[], 0xc02f, &[]), certificate("x", "231231000000Z")].concat());
    let begun = Script::new(443).client(&hello).cut(ServerToClient, &flight, 120);
    let script = begun.client([record(22, message(16, &[0; 66])), ccs(), finished()].concat());
    let script = script.server([ccs(), finished()].concat()).client(data(90));
    assert_eq!(shown(&script)[1], "response ok TLS 1.2 Server Hello,Certificate,Change Cipher Spec,Finished");
    // Of TLS 1.3 nothing of the server's is seen behind its hello.
    let versions = extension(43, &[3, 4]);
    let script = Script::new(443).client(&hello).server(record(22, server_hello(9, &[], 0x1301, &versions)));
    let script = script.gap(ServerToClient, 900).client([ccs(), data(53)].concat()).server(data(300));
    assert_eq!(shown(&script)[1], "response ok TLS 1.3 Server Hello");
    // What follows a hole is an alert.
    let begun = Script::new(443).client(&hello).cut(ServerToClient, &flight, 120);
    let script = begun.client(record(21, [2, 48]));
    assert_eq!(shown(&script)[1], "response server_error TLS 1.2 Server Hello,Certificate unknown_ca");
}

#[test]
fn whose_certificate_it_is_stands_in_its_first_bytes() {
    let hello = record(22, client_hello("shop.example", &extension(35, b"")));
    let flight = record(22, [server_hello(9, &[], 0xc02f, &[]), certificate("x", "231231000000Z")].concat());
    let answer = |kept| {
        let begun = Script::new(443).client(&hello).cut(ServerToClient, &flight, kept);
        let rows = begun.client([ccs(), finished()].concat()).server([ccs(), finished()].concat()).run::<TlsParser>();
        rows[1].clone()
    };
    let whole = flight.len() - 20;
    let row = answer(whole);
    assert_eq!(row.attribute("server_cert_subject"), Some("CN=x"));
    assert_eq!(row.attribute("server_cert_not_after"), Some("2023-12-31T00:00:00Z"));
    // A certificate that was not seen is no sign of a session that was resumed.
    for kept in 60..whole {
        let row = answer(kept);
        assert_eq!((row.attribute("resumed"), row.attribute("cut")), (None, Some("true")), "{kept}");
        assert!(matches!(row.attribute("server_cert_subject"), None | Some("CN=x")), "{kept}: {row:?}");
    }
}

#[test]
fn gaps_end_a_handshake_and_cut_hellos_are_told() {
    let hello = record(22, client_hello("shop.example", &[]));
    let script = Script::new(443).client(&hello).gap(ServerToClient, 500).server(data(9));
    assert_eq!(shown(&script)[2], "response unknown part of the handshake was lost in a gap of the capture");
    let script = Script::new(443).cut(ClientToServer, &hello, 110).server(record(21, [2, 40]));
    assert_eq!(shown(&script), ["request Client Hello shop.example", "response client_error handshake_failure"]);
    let script = full().gap(ClientToServer, 70_000).client(data(5));
    assert_eq!(shown(&script).len(), 2);
}

#[test]
fn hellos_may_be_cut_into_many_records_and_giants_are_passed_over() {
    let hello = client_hello("shop.example", &[]);
    let records: Vec<u8> = hello.chunks(20).flat_map(|piece| record(22, piece)).collect();
    assert_eq!(shown(&Script::new(443).client(records)), ["request Client Hello shop.example TLS 1.2"]);
    let giant = message(11, &vec![0; 200_000]);
    let flight = [server_hello(9, &[], 0xc02f, &[]), giant, message(14, &[])].concat();
    let records: Vec<u8> = flight.chunks(16_000).flat_map(|piece| record(22, piece)).collect();
    let script = Script::new(443).client(record(22, &hello)).server(&records).client([ccs(), finished()].concat());
    let rows = script.server([ccs(), finished()].concat()).run::<TlsParser>();
    assert_eq!(rows[1].status(), "ok");
    assert!(rows[1].text("result").starts_with("Server Hello"));
}

#[test]
fn damage_is_survived() {
    full().assert_survives_damage::<TlsParser>();
}

#[test]
fn inference_says_what_it_is_and_why_not() {
    let verdict = |bytes: &[u8]| Script::new(9999).client(bytes).check::<TlsParser>();
    let hello = record(22, client_hello("a", &[]));
    assert_eq!(verdict(&hello).0, "request");
    for end in 1..11 {
        assert_eq!(verdict(&hello[..end]).0, "more", "{end}");
    }
    assert_eq!(verdict(&record(22, server_hello(9, &[], 0xc02f, &[]))).0, "response");
    for (other, reason, offset) in [
        (&b"GET / HTTP/1.1\r\n"[..], "no type of record of TLS", 0),
        (b"\x16\x02\x01\x00\xc8", "no version of TLS", 1),
        (b"\x17\x03\x03\x00\xc8", "a record of TLS, but no ClientHello or ServerHello", 0),
        (b"\x16\x03\x01\x00\xc8\x05", "a handshake that begins with neither ClientHello nor ServerHello", 5),
        (b"\x16\x03\x01\xff\xff\x01", "a length that no record of TLS has", 3),
        (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x09\x03", "a hello of no version of TLS", 9),
    ] {
        assert_eq!(verdict(other), ("no", reason.to_owned(), offset), "{other:?}");
    }
}
