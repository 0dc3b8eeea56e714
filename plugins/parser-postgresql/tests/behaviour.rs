//! What a conversation becomes: one test for each thing that the protocol can do.

mod support;

use metaflow_parser_postgresql::PostgresqlParser;
use metaflow_parser_sdk::testing::Script;
use support::*;

fn shown(script: &Script) -> Vec<String> {
    script.assert_any_split_is_equal::<PostgresqlParser>();
    lines(&script.run::<PostgresqlParser>())
}

/// The lines behind the login.
fn after_login(script: &Script) -> Vec<String> {
    shown(script).split_off(2)
}

#[test]
fn a_login_tells_who_and_where() {
    let script = session();
    assert_eq!(shown(&script), ["request startup user=bob database=shop", "response ok"]);
    let rows = script.run::<PostgresqlParser>();
    assert_eq!(rows[0].attribute("application_name"), Some("till"));
    assert_eq!(rows[1].text("version"), "15.4");
    assert_eq!(rows[1].attribute("process_id"), Some("258"));
    assert_eq!(rows[1].attribute("auth"), Some("trust"));
}

#[test]
fn a_login_may_ask_for_a_password_and_be_refused() {
    let script = Script::new(5432)
        .client(ssl_request())
        .server("N")
        .client(startup())
        .server(message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))
        .client(message(b'p', b"SCRAM-SHA-256\0\0\0\0\x03n,,"))
        .server(message(b'R', b"\0\0\0\x0br=x,s=y,i=4096"))
        .client(message(b'p', b"c=biws,p=secret"))
        .server(said(b'E', "FATAL", "28P01", "password authentication failed for user \"bob\""));
    assert_eq!(
        shown(&script),
        [
            "request ssl request",
            "response ok refused",
            "request startup user=bob database=shop",
            "response client_error 28P01 password authentication failed for user \"bob\"",
        ]
    );
    let rows = script.run::<PostgresqlParser>();
    assert_eq!(rows[3].attribute("auth"), Some("scram-sha-256"));
    assert_eq!(rows[3].attribute("severity"), Some("FATAL"));
}

#[test]
fn tls_withdraws_where_it_begins_and_what_was_decrypted_goes_on() {
    let script = Script::new(5432).client(ssl_request()).server("S").client(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(
        shown(&script),
        [
            "request ssl request",
            "response ok accepted",
            "violation after SSLRequest the session is TLS, which cannot be read (byte 8 of the client's stream)"
        ]
    );
    let script = Script::new(5432).client(ssl_request()).server("S").client(startup()).server(welcome());
    assert_eq!(shown(&script)[2..], ["request startup user=bob database=shop", "response ok"]);
    let script = Script::new(5432).client(packet(80_877_104, b"")).server("N").client(ssl_request()).server("N");
    assert_eq!(shown(&script)[..3], ["request gssenc request", "response ok refused", "request ssl request"]);
}

#[test]
fn cancelling_stands_alone() {
    let script = Script::new(5432).client(packet(80_877_102, b"\0\0\x01\x02\0\0\0\x09"));
    assert_eq!(shown(&script), ["session cancel request"]);
    assert_eq!(script.run::<PostgresqlParser>()[0].attribute("process_id"), Some("258"));
}

#[test]
fn simple_queries_are_answered_up_to_ready() {
    let script = session()
        .client(query("SELECT id, name FROM shop.orders WHERE id < 3 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/"))
        .server([columns(&["id", "name"]), row(&["1", "abcd"]), row(&["2", "Italy"]), done("SELECT 2"), ready(b'I')].concat())
        .client(query("delete  from test;"))
        .server([done("DELETE 7"), ready(b'I')].concat())
        .client(query("INSERT INTO t VALUES (1); UPDATE t SET a = 2"))
        .server([done("INSERT 0 1"), said(b'N', "NOTICE", "00000", "careful"), done("UPDATE 4"), ready(b'T')].concat())
        .client(query("asdsdfdsf;"))
        .server([error("42601", "syntax error at or near \"asdsdfdsf\""), ready(b'E')].concat())
        .client(query(""))
        .server([message(b'I', b""), ready(b'I')].concat())
        .client(message(b'X', b""));
    assert_eq!(
        after_login(&script),
        [
            "request simple query SELECT id, name FROM shop.orders WHERE id < 3 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
            "response ok affected=2",
            "request simple query delete  from test;",
            "response ok affected=7",
            "request simple query INSERT INTO t VALUES (1); UPDATE t SET a = 2",
            "response ok affected=5",
            "request simple query asdsdfdsf;",
            "response client_error 42601 syntax error at or near \"asdsdfdsf\"",
            "request simple query",
            "response ok",
            "session terminate",
        ]
    );
    let rows = script.run::<PostgresqlParser>();
    assert_eq!(rows[2].text("endpoint"), "SELECT shop.orders");
    assert_eq!(rows[2].text("trace_id"), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(rows[2].attribute("database"), Some("shop"));
    assert_eq!((rows[3].attribute("rows"), rows[3].attribute("columns")), (Some("2"), Some("2")));
    assert_eq!((rows[7].attribute("notice"), rows[7].attribute("transaction")), (Some("careful"), Some("open")));
    assert_eq!(rows[9].attribute("transaction"), Some("failed"));
}

#[test]
fn the_extended_protocol_tells_parsing_and_execution() {
    let script = session()
        .client([parse("", "SELECT $1::int"), bind("", "", &[b"7"]), describe(b'P', ""), execute(""), sync()].concat())
        .server(
            [message(b'1', b""), message(b'2', b""), columns(&["int4"]), row(&["7"]), done("SELECT 1"), ready(b'I')]
                .concat(),
        )
        // A named statement, described when it is parsed and run twice without its text.
        .client([parse("s1", "UPDATE t SET a = $1"), describe(b'S', "s1"), sync()].concat())
        .server([message(b'1', b""), message(b't', b"\0\x01\0\0\0\x17"), message(b'n', b""), ready(b'I')].concat())
        .client([bind("", "s1", &[b"1"]), execute(""), bind("", "s1", &[b"2"]), execute(""), sync()].concat())
        .server([message(b'2', b""), done("UPDATE 1"), message(b'2', b""), done("UPDATE 2"), ready(b'I')].concat())
        .client([describe(b'S', "s1"), sync()].concat())
        .server([message(b't', b"\0\x01\0\0\0\x17"), message(b'n', b""), ready(b'I')].concat())
        .client([close(b'S', "s1"), sync(), sync()].concat())
        .server([message(b'3', b""), ready(b'I'), ready(b'I')].concat());
    assert_eq!(
        after_login(&script),
        [
            "request parse SELECT $1::int",
            "request execute SELECT $1::int",
            "response ok",
            "response ok affected=1",
            "request parse UPDATE t SET a = $1",
            "response ok",
            "request execute UPDATE t SET a = $1",
            "request execute UPDATE t SET a = $1",
            "response ok affected=1",
            "response ok affected=2",
            "request describe UPDATE t SET a = $1",
            "response ok",
            "request close UPDATE t SET a = $1",
            "request sync",
            "response ok",
            "response ok",
        ]
    );
    let rows = script.run::<PostgresqlParser>();
    // The execution begins with its Bind and is as long as that, its Describe and itself.
    let bound = bind("", "", &[b"7"]).len() + describe(b'P', "").len() + execute("").len();
    assert_eq!(rows[3].number("length"), Some(bound as i128));
    assert_eq!(rows[3].number("stream_offset"), Some((startup().len() + parse("", "SELECT $1::int").len()) as i128));
    assert_eq!(rows[5].attribute("rows"), Some("1"));
    assert_eq!(rows[8].attribute("statement"), Some("s1"));
    assert_eq!(rows[13].attribute("parameters"), Some("1"));
}

#[test]
fn an_error_belongs_to_the_message_that_failed() {
    let everything = |text| [parse("", text), bind("", "", &[]), describe(b'P', ""), execute(""), sync()].concat();
    let script = session()
        .client(everything("SELECT nope"))
        .server([error("42703", "column \"nope\" does not exist"), ready(b'I')].concat())
        .client(everything("SELECT $1"))
        .server([message(b'1', b""), error("08P01", "bind message supplies 0 parameters"), ready(b'I')].concat())
        .client(everything("INSERT INTO t VALUES (1)"))
        .server(
            [message(b'1', b""), message(b'2', b""), message(b'n', b""), error("23505", "duplicate key"), ready(b'E')]
                .concat(),
        )
        // A Bind alone fails.
        .client([bind("c", "none", &[]), sync()].concat())
        .server([error("26000", "prepared statement \"none\" does not exist"), ready(b'E')].concat())
        .client(query("ROLLBACK"))
        .server([done("ROLLBACK"), ready(b'I')].concat());
    assert_eq!(
        after_login(&script),
        [
            "request parse SELECT nope",
            "request execute SELECT nope",
            "response client_error 42703 column \"nope\" does not exist",
            "response unknown not run: an earlier message of the batch failed",
            "request parse SELECT $1",
            "request execute SELECT $1",
            "response ok",
            "response server_error 08P01 bind message supplies 0 parameters",
            "request parse INSERT INTO t VALUES (1)",
            "request execute INSERT INTO t VALUES (1)",
            "response ok",
            "response client_error 23505 duplicate key",
            "session client_error bind 26000 prepared statement \"none\" does not exist",
            "request simple query ROLLBACK",
            "response ok",
        ]
    );
}

#[test]
fn copies_are_counted_and_passed_over() {
    let copied: Vec<u8> = (0..50).flat_map(|row| message(b'd', format!("{row}\tQ\0\0\0\x0dSELECT 1\0\n"))).collect();
    let bytes: usize = (0..50).map(|row: u32| format!("{row}\tQ\0\0\0\x0dSELECT 1\0\n").len()).sum();
    let script = session()
        .client(query("COPY t FROM STDIN"))
        .server(message(b'G', b"\0\0\x01\0\0"))
        .client([&copied[..], &message(b'c', b"")].concat())
        .server([done("COPY 50"), ready(b'I')].concat())
        .client(query("COPY t TO STDOUT"))
        .server(
            [message(b'H', b"\0\0\x01\0\0"), copied.clone(), message(b'c', b""), done("COPY 50"), ready(b'I')].concat(),
        )
        .client(query("COPY t FROM STDIN"))
        .server(message(b'G', b"\0\0\x01\0\0"))
        .client(message(b'f', b"stop it\0"))
        .server([error("57014", "COPY from stdin failed: stop it"), ready(b'I')].concat())
        // In the extended protocol the first Sync is ignored.
        .client([parse("", "COPY t FROM STDIN"), bind("", "", &[]), execute(""), sync()].concat())
        .server([message(b'1', b""), message(b'2', b""), message(b'G', b"\0\0\x01\0\0")].concat())
        .client([&copied[..], &message(b'c', b""), &sync()].concat())
        .server([done("COPY 50"), ready(b'I')].concat())
        .client(query("SELECT 1"))
        .server([columns(&["a"]), row(&["1"]), done("SELECT 1"), ready(b'I')].concat());
    assert_eq!(
        after_login(&script),
        [
            "request simple query COPY t FROM STDIN",
            "response ok affected=50",
            "request simple query COPY t TO STDOUT",
            "response ok affected=50",
            "request simple query COPY t FROM STDIN",
            "response server_error 57014 COPY from stdin failed: stop it",
            "request parse COPY t FROM STDIN",
            "request execute COPY t FROM STDIN",
            "response ok",
            "response ok affected=50",
            "request simple query SELECT 1",
            "response ok affected=1",
        ]
    );
    let rows = script.run::<PostgresqlParser>();
    for (at, copy) in [(3, "in"), (5, "out"), (11, "in")] {
        assert_eq!(rows[at].attribute("copy"), Some(copy));
        assert_eq!(rows[at].attribute("copied_bytes"), Some(bytes.to_string().as_str()), "{at}");
    }
}

#[test]
fn a_replica_is_answered_when_its_stream_begins() {
    let script = session()
        .client(query("START_REPLICATION SLOT s LOGICAL 0/0"))
        .server(message(b'W', b"\0\0\0"))
        .server([message(b'd', b"w12345678"), message(b'd', b"k1234")].concat())
        .client(message(b'd', b"r123"))
        .server(message(b'd', b"w1"))
        .client(message(b'c', b""))
        .server([message(b'c', b""), done("COPY 0"), ready(b'I')].concat())
        .client(query("SELECT 1"))
        .server([done("SELECT 1"), ready(b'I')].concat());
    assert_eq!(
        after_login(&script),
        [
            "request simple query START_REPLICATION SLOT s LOGICAL 0/0",
            "response ok",
            "session ok replication stream",
            "request simple query SELECT 1",
            "response ok affected=1",
        ]
    );
    let rows = script.run::<PostgresqlParser>();
    assert_eq!((rows[4].number("length"), rows[4].attribute("copied_messages")), (Some(16), Some("3")));
}

#[test]
fn what_the_server_says_unasked_stands_alone() {
    let script = session()
        .server(message(b'A', b"\0\0\x01\x07news\0hello\0"))
        .server(said(b'N', "WARNING", "01000", "disk is nearly full"))
        .client(message(b'F', b"\0\0\x02\x9a\0\0\0\0\0\0"))
        .server([message(b'V', b"\xff\xff\xff\xff"), ready(b'I')].concat())
        .server(said(b'E', "FATAL", "57P01", "terminating connection due to administrator command"));
    assert_eq!(
        after_login(&script),
        [
            "session notification news hello",
            "session ok notice 01000 disk is nearly full",
            "request function call 666",
            "response ok",
            "response server_error 57P01 terminating connection due to administrator command",
        ]
    );
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let one = |text: &str| [parse("", text), bind("", "", &[]), execute(""), sync()].concat();
    let script = session()
        .client([one("SELECT 1"), one("SELECT x"), one("SELECT 3")].concat())
        .server([message(b'1', b""), message(b'2', b""), done("SELECT 1"), ready(b'I')].concat())
        .server([error("42703", "no x"), ready(b'I'), message(b'1', b""), message(b'2', b"")].concat())
        .server([done("SELECT 3"), ready(b'I')].concat());
    assert_eq!(
        after_login(&script)[6..],
        [
            "response ok",
            "response ok affected=1",
            "response client_error 42703 no x",
            "response unknown not run: an earlier message of the batch failed",
            "response ok",
            "response ok affected=3",
        ]
    );
}

#[test]
fn options_change_what_is_shown() {
    let rows = session().client(query("CREATE ROLE bob PASSWORD 'secret'")).run::<PostgresqlParser>();
    assert_eq!(rows[2].text("request_resource"), "CREATE ROLE bob PASSWORD ?");
    let script = session().option("obfuscate", "true").option("max_statement_bytes", "64");
    let script = script.client(query(&format!("SELECT 'secret', {}", "x, ".repeat(100))));
    let rows = script.run::<PostgresqlParser>();
    assert!(rows[2].text("request_resource").len() < 64);
    assert!(rows[2].text("request_resource").starts_with("SELECT ?, x, x"));
}

#[test]
fn giant_messages_cost_no_memory() {
    let long = format!("INSERT INTO t VALUES ('{}')", "y".repeat(3_000_000));
    let big = "z".repeat(2_000_000);
    let script = session()
        .client(query(&long))
        .server([columns(&["a"]), row(&[&big]), done("SELECT 1"), ready(b'I')].concat())
        .client([parse("", "SELECT $1"), bind("", "", &[big.as_bytes()]), execute(""), sync()].concat());
    let rows = script.run::<PostgresqlParser>();
    assert_eq!(rows[2].number("length"), Some(long.len() as i128 + 6));
    assert_eq!(rows[2].text("endpoint"), "INSERT t");
    assert_eq!(rows[3].attribute("rows"), Some("1"));
    assert_eq!(rows[5].text("request_type"), "execute");
    assert_eq!(
        rows,
        script.run_cut::<PostgresqlParser>(|bytes| {
            (0..bytes.len()).step_by(1400).map(|at| 1400.min(bytes.len() - at)).collect()
        })
    );
}
