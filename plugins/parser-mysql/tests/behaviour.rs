//! What a conversation becomes: one test for each thing that the protocol can do.

mod support;

use metaflow_parser_mysql::MysqlParser;
use metaflow_parser_sdk::testing::Script;
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};
use support::*;

/// A session up to the first command.
fn session(caps: u32) -> Script {
    Script::new(3306).server(greeting(caps)).client(login(1, caps, "bob")).server(ok(2, 0, 2))
}

fn shown(script: &Script) -> Vec<String> {
    lines(&script.run::<MysqlParser>())
}

#[test]
fn a_login_tells_who_and_where() {
    let script = session(CLASSIC);
    let rows = script.run::<MysqlParser>();
    assert_eq!(lines(&rows), ["request LOGIN: user=bob", "response ok"]);
    assert_eq!(rows[0].text("version"), "8.0.36");
    assert_eq!(rows[0].attribute("connection_id"), Some("7"));
    assert_eq!(rows[0].attribute("auth_plugin"), Some("caching_sha2_password"));
    script.assert_any_split_is_equal::<MysqlParser>();
}

#[test]
fn a_login_may_be_switched_continued_and_refused() {
    let script = Script::new(3306)
        .server(greeting(CLASSIC))
        .client(login(1, CLASSIC, "bob"))
        .server(packet(2, b"\xfemysql_native_password\0salt"))
        .client(packet(3, b"hash"))
        .server(packet(4, b"\x01\x04"))
        .client(packet(5, b"secret\0"))
        .server(err(6, 1045, "28000", "Access denied for user 'bob'"));
    let rows = script.run::<MysqlParser>();
    assert_eq!(lines(&rows), ["request LOGIN: user=bob", "response server_error 1045 Access denied for user 'bob'"]);
    assert_eq!(rows[1].attribute("sqlstate"), Some("28000"));
    assert_eq!(rows[1].attribute("auth_plugin"), Some("mysql_native_password"));
    let busy = Script::new(3306).server(packet(0, b"\xff\x10\x04Too many connections"));
    assert_eq!(shown(&busy), ["response server_error 1040 Too many connections"]);
}

#[test]
fn tls_withdraws_where_it_begins() {
    let script = Script::new(3306)
        .server(greeting(CLASSIC | SSL))
        .client(packet(1, [&(CLASSIC | SSL).to_le_bytes()[..], &[0; 28]].concat()))
        .client(b"\x16\x03\x01\x02\x00\x01");
    assert_eq!(
        shown(&script),
        [
            "session SSL_REQUEST: ",
            "violation after SSLRequest the session is TLS, which cannot be read (byte 36 of the client's stream)"
        ]
    );
    // Both in one segment, as a client in a hurry sends them.
    let request = packet(1, [&(CLASSIC | SSL).to_le_bytes()[..], &[0; 28]].concat());
    let joined = Script::new(3306)
        .server(greeting(CLASSIC | SSL))
        .client([&request[..], b"\x16\x03\x01\x02\x00\x01"].concat())
        .client(b"\x00\x01");
    assert_eq!(lines(&joined.run::<MysqlParser>()), shown(&script));
}

#[test]
fn results_of_both_kinds_are_counted() {
    for (caps, legacy) in [(CLASSIC, true), (CLASSIC | DEPRECATE_EOF, false)] {
        let script = session(caps)
            .client(query("SELECT c FROM shop.t WHERE id = 1"))
            .server(result_set(&["a", "b", "c"], legacy, 2))
            .client(query("SELECT c FROM t WHERE 0"))
            .server(result_set(&[], legacy, 2))
            .client(query("CALL p()"))
            .server([result_set(&["a"], legacy, 10), result_set(&["b"], legacy, 10), ok(3, 0, 2)].concat())
            .client(query("UPDATE t SET c = 1"))
            .server(ok(1, 5, 2))
            .client(query("SELECT nope"))
            .server(err(1, 1054, "42S22", "Unknown column"));
        let rows = script.run::<MysqlParser>();
        assert_eq!(
            lines(&rows)[2..],
            [
                "request COM_QUERY: SELECT c FROM shop.t WHERE id = 1",
                "response ok rows=3",
                "request COM_QUERY: SELECT c FROM t WHERE 0",
                "response ok rows=0",
                "request COM_QUERY: CALL p()",
                "response ok rows=2",
                "request COM_QUERY: UPDATE t SET c = 1",
                "response ok affected=5",
                "request COM_QUERY: SELECT nope",
                "response server_error 1054 Unknown column",
            ]
        );
        assert_eq!(rows[2].text("endpoint"), "SELECT shop.t");
        assert_eq!(rows[7].attribute("result_sets"), Some("2"));
        script.assert_any_split_is_equal::<MysqlParser>();
    }
}

#[test]
fn a_response_has_the_time_of_its_first_byte_and_of_its_last() {
    let reply = result_set(&["a", "b"], true, 2);
    let rows =
        session(CLASSIC).client(query("SELECT 1")).server(&reply[..10]).server(&reply[10..]).run::<MysqlParser>();
    let last = rows.last().unwrap();
    assert_eq!(last.number("end_time_ns").unwrap() - last.number("time_ns").unwrap(), 1_000_000);
    assert_eq!(last.number("length"), Some(reply.len() as i128));
}

fn prepared(id: u32, columns: u16, parameters: u16) -> Vec<u8> {
    [&[0][..], &id.to_le_bytes(), &columns.to_le_bytes(), &parameters.to_le_bytes(), &[0, 0, 0]].concat()
}

fn execute(id: u32) -> Vec<u8> {
    command(0x17, [&id.to_le_bytes()[..], &[0, 1, 0, 0, 0, 0, 1, 3, 0, 42, 0, 0, 0]].concat())
}

#[test]
fn prepared_statements_are_remembered() {
    for (caps, legacy) in [(CLASSIC, true), (CLASSIC | DEPRECATE_EOF, false)] {
        let head = prepared(9, 2, 1);
        let definitions: Vec<&[u8]> = if legacy {
            vec![&head, COLUMN, b"\xfe\0\0\x02\0", COLUMN, COLUMN, b"\xfe\0\0\x02\0"]
        } else {
            vec![&head, COLUMN, COLUMN, COLUMN]
        };
        let script = session(caps)
            .client(command(0x16, "SELECT a, b FROM t WHERE id = ?"))
            .server(packets(1, &definitions))
            .client(command(0x18, b"\x09\0\0\0\0\0long data"))
            .client(execute(9))
            .server(result_set(&["a"], legacy, 2))
            .client(command(0x1a, 9u32.to_le_bytes()))
            .server(ok(1, 0, 2))
            .client(command(0x19, 9u32.to_le_bytes()))
            .client(execute(9))
            .server(err(1, 1243, "HY000", "Unknown prepared statement handler"))
            .client(command(1, b""));
        let text = "SELECT a, b FROM t WHERE id = ?";
        let rows = script.run::<MysqlParser>();
        assert_eq!(
            lines(&rows)[2..],
            [
                format!("request COM_STMT_PREPARE: {text}"),
                "response ok id=9".into(),
                format!("session COM_STMT_SEND_LONG_DATA: {text} id=9"),
                format!("request COM_STMT_EXECUTE: {text} id=9"),
                "response ok rows=1".into(),
                format!("request COM_STMT_RESET: {text} id=9"),
                "response ok".into(),
                format!("session COM_STMT_CLOSE: {text} id=9"),
                "request COM_STMT_EXECUTE:  id=9".into(),
                "response server_error 1243 Unknown prepared statement handler".into(),
                "session COM_QUIT: ".into(),
            ]
        );
        assert_eq!(rows[5].text("endpoint"), "SELECT t");
        script.assert_any_split_is_equal::<MysqlParser>();
    }
}

#[test]
fn mariadb_runs_what_it_is_just_preparing() {
    let script = session(CLASSIC | DEPRECATE_EOF)
        .client([command(0x16, "DELETE FROM t WHERE id = ?"), execute(u32::MAX)].concat())
        .server([packets(1, &[&prepared(3, 0, 1), COLUMN]), ok(1, 2, 2)].concat());
    assert_eq!(
        shown(&script)[3..],
        [
            "request COM_STMT_EXECUTE: DELETE FROM t WHERE id = ? id=4294967295",
            "response ok id=3",
            "response ok affected=2",
        ]
    );
}

#[test]
fn a_cursor_is_opened_and_fetched() {
    let script = session(CLASSIC)
        .client(execute(1))
        .server(packets(1, &[&[1], COLUMN, &eof(0x42)]))
        .client(command(0x1c, [1, 0, 0, 0, 2, 0, 0, 0]))
        .server(packets(1, &[b"\0\0\x01a", b"\0\0\x01b", &eof(0x42)]))
        .client(command(0x1c, [1, 0, 0, 0, 2, 0, 0, 0]))
        .server(packets(1, &[&eof(0x82)]));
    assert_eq!(
        shown(&script)[3..],
        [
            "response ok rows=0",
            "request COM_STMT_FETCH:  id=1",
            "response ok rows=2",
            "request COM_STMT_FETCH:  id=1",
            "response ok",
        ]
    );
}

#[test]
fn a_file_is_loaded_over_the_sequence_wrap() {
    let mut script =
        session(CLASSIC).client(query("LOAD DATA LOCAL INFILE '/tmp/f' INTO TABLE t")).server(packet(1, b"\xfb/tmp/f"));
    for number in 2..=301u32 {
        script = script.client(packet(number as u8, b"1,2,3\n"));
    }
    let script = script.client(packet(46, b"")).server(ok(47, 100, 2)).client(query("SELECT 1"));
    let rows = script.run::<MysqlParser>();
    assert_eq!(lines(&rows)[3..], ["response ok affected=100", "request COM_QUERY: SELECT 1"]);
    assert_eq!(rows[3].attribute("file"), Some("/tmp/f"));
    assert_eq!(rows[3].attribute("file_bytes"), Some("1800"));
}

#[test]
fn simple_commands_have_names() {
    let script = session(CLASSIC)
        .client(command(0x0e, b""))
        .server(ok(1, 0, 2))
        .client(command(2, b"shop"))
        .server(ok(1, 0, 2))
        .client(command(9, b""))
        .server(packet(1, b"Uptime: 1  Threads: 1"))
        .client(command(4, b"t\0%"))
        .server(packets(1, &[COLUMN, COLUMN, &eof(2)]))
        .client(command(0x1b, [0, 0]))
        .server(packet(1, eof(2)))
        .client(command(0x11, b"eve\0\x04hash\0"))
        .server(packet(1, b"\xfemysql_native_password\0salt"))
        .client(packet(2, b"hash"))
        .server(ok(3, 0, 2))
        .client(command(0x12, b"\x04\0\0\0\0\0\x01\0\0\0bin.000001"))
        .server(packets(1, &[b"\0event", b"\0event", b"\0event", &eof(0)]));
    let rows = script.run::<MysqlParser>();
    assert_eq!(
        lines(&rows)[2..],
        [
            "request COM_PING: ",
            "response ok",
            "request COM_INIT_DB: shop",
            "response ok",
            "request COM_STATISTICS: ",
            "response ok",
            "request COM_FIELD_LIST: t",
            "response ok",
            "request COM_SET_OPTION: ",
            "response ok",
            "request COM_CHANGE_USER: user=eve",
            "response ok",
            "request COM_BINLOG_DUMP: bin.000001",
            "response ok",
            "session BINLOG_EVENTS: ",
        ]
    );
    assert_eq!(rows[6].attribute("database"), Some("shop"));
    assert_eq!(rows[7].text("result"), "Uptime: 1  Threads: 1");
    assert_eq!(rows[16].attribute("events"), Some("3"));
    script.assert_any_split_is_equal::<MysqlParser>();
}

#[test]
fn progress_reports_are_no_errors() {
    let script = session(CLASSIC)
        .client(query("ALTER TABLE t ENGINE=InnoDB"))
        .server([packet(1, b"\xff\xff\xff\x01\x01\x02\x10\x27\0\x04copy"), ok(2, 0, 2)].concat());
    let rows = script.run::<MysqlParser>();
    assert_eq!(lines(&rows)[3], "response ok");
    assert_eq!(rows[3].attribute("progress_reports"), Some("1"));
}

#[test]
fn trace_context_is_read_from_comments_and_attributes() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let long = format!("SELECT '{}' /*traceparent='{parent}'*/", "x".repeat(20_000));
    for text in [format!("SELECT 1 /*traceparent='{parent}'*/"), long] {
        let script = session(CLASSIC).client(query(&text));
        let rows = script.run::<MysqlParser>();
        assert_eq!(rows[2].text("trace_id"), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(rows[2].text("span_id"), "b7ad6b7169203331");
        assert!(rows[2].text("request_resource").len() <= 4096);
    }
    let mut attributes = b"\x01\x01\x00\x01\xfe\x00\x0btraceparent".to_vec();
    attributes.push(parent.len() as u8);
    attributes.extend_from_slice(parent.as_bytes());
    attributes.extend_from_slice(b"SELECT 1");
    let rows = session(CLASSIC | 1 << 27).client(command(3, attributes)).run::<MysqlParser>();
    assert_eq!(rows[2].text("trace_id"), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(rows[2].text("request_resource"), "SELECT 1");
}

#[test]
fn literals_are_hidden_when_asked() {
    let rows = session(CLASSIC)
        .option("obfuscate", "true")
        .client(query("INSERT INTO t VALUES (1, 'secret')"))
        .run::<MysqlParser>();
    assert_eq!(rows[2].text("request_resource"), "INSERT INTO t VALUES (?, ?)");
    assert_eq!(rows[2].text("endpoint"), "INSERT t");
}

/// A compressed packet: stored when `zlib` is empty.
fn compressed(seq: u8, plain: &[u8], zlib: &[u8]) -> Vec<u8> {
    let body = if zlib.is_empty() { plain } else { zlib };
    let size = if zlib.is_empty() { 0 } else { plain.len() as u32 };
    let mut head = (body.len() as u32).to_le_bytes();
    head[3] = seq;
    [&head[..], &size.to_le_bytes()[..3], body].concat()
}

/// zlib of stored blocks: any inflater reads it, no deflater is needed.
fn zlib_stored(plain: &[u8]) -> Vec<u8> {
    let length = plain.len() as u16;
    [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), plain, &[0; 4]].concat()
}

#[test]
fn compressed_sessions_are_read() {
    let select = query("SELECT c FROM t WHERE id = 1");
    let reply = result_set(&["a", "b"], true, 2);
    let script = session(CLASSIC | COMPRESS)
        .client(compressed(0, &query("SELECT 1"), b""))
        .server(compressed(1, &reply, &zlib_stored(&reply)))
        .client(compressed(0, &select, &zlib_stored(&select)))
        // A packet may be spread over several compressed packets.
        .server([compressed(1, &reply[..7], b""), compressed(2, &reply[7..], &zlib_stored(&reply[7..]))].concat());
    assert_eq!(
        shown(&script)[2..],
        [
            "request COM_QUERY: SELECT 1",
            "response ok rows=2",
            "request COM_QUERY: SELECT c FROM t WHERE id = 1",
            "response ok rows=2",
        ]
    );
    script.assert_any_split_is_equal::<MysqlParser>();
    script.assert_survives_damage::<MysqlParser>();
}

#[test]
fn zstd_is_told_and_the_session_goes_on() {
    let select = query("SELECT c FROM t WHERE id = 1");
    let script = session(CLASSIC | 1 << 26)
        .client(compressed(0, &select, b"\x28\xb5\x2f\xfdzstd frame"))
        .server(compressed(1, &result_set(&["a"], true, 2), b"\x28\xb5\x2f\xfdzstd frame"))
        .client(compressed(0, &query("SELECT 2"), b""))
        .server(compressed(1, &result_set(&["a"], true, 2), b""));
    let shown = shown(&script);
    assert!(shown[2].ends_with("a packet compressed with zstd, which this parser does not read"), "{shown:#?}");
    assert_eq!(shown[shown.len() - 2..], ["request COM_QUERY: SELECT 2", "response ok rows=1"]);
}

#[test]
fn a_stream_met_in_the_middle_learns_how_results_end() {
    for legacy in [true, false] {
        let script = Script::new(3306)
            .mid_stream()
            .server(&result_set(&["a", "b"], legacy, 2)[9..])
            .client(query("SELECT 1"))
            .server(result_set(&["a"], legacy, 2))
            .client(query("SELECT 2"))
            .server(result_set(&[], legacy, 2));
        let shown = shown(&script);
        assert!(shown[0].starts_with("request") || shown[0].starts_with("skipped"), "{shown:#?}");
        assert_eq!(shown[shown.len() - 4..].iter().filter(|line| line.starts_with("response ok rows=")).count(), 2);
    }
}

#[test]
fn a_gap_inside_a_row_loses_nothing_else() {
    let long = "x".repeat(200);
    let reply = result_set(&[&long, "b"], true, 2);
    let script = session(CLASSIC)
        .client(query("SELECT 1"))
        .server(&reply[..100])
        .gap(ServerToClient, 50)
        .server(&reply[150..])
        .client(query("SELECT 2"))
        .server(ok(1, 0, 2));
    assert_eq!(shown(&script)[3..], ["response ok rows=2", "request COM_QUERY: SELECT 2", "response ok"]);
}

#[test]
fn a_response_that_began_is_told_when_the_session_ends() {
    let script = session(CLASSIC).client(query("SELECT 1")).server(&result_set(&["a"], true, 2)[..20]);
    assert_eq!(shown(&script)[3..], ["response unknown the rest of the response was not seen"]);
}

#[test]
fn after_a_gap_responses_meet_their_own_commands() {
    let script = session(CLASSIC)
        .client(query("SELECT 1"))
        .server(&result_set(&["a"], true, 2)[..20])
        .gap(ServerToClient, 5000)
        .server(b"rest of something")
        .client(query("SELECT 2"))
        .server(result_set(&["b"], true, 2));
    assert_eq!(
        shown(&script)[3..],
        [
            "response unknown the rest of the response was lost in a gap of the capture",
            "request COM_QUERY: SELECT 2",
            "skipped 17 bytes after a gap, before the next command could be told",
            "response ok rows=1",
        ]
    );
    let script = session(CLASSIC)
        .client(&query("SELECT 1, 2, 3")[..8])
        .gap(ClientToServer, 5000)
        .client(b"the end of a long statement")
        .server(result_set(&["b"], true, 2))
        .client(query("SELECT 2"))
        .server(result_set(&["b"], true, 2));
    assert_eq!(
        shown(&script)[2..],
        [
            "response ok rows=1",
            "skipped 27 bytes after a gap, before the next command could be told",
            "request COM_QUERY: SELECT 2",
            "response ok rows=1",
        ]
    );
}

#[test]
fn a_server_whose_client_is_not_seen_tells_its_responses() {
    let script = Script::new(3306)
        .server(greeting(CLASSIC))
        .server(ok(2, 0, 2))
        .server(result_set(&["a", "b"], true, 2))
        .server(err(1, 1146, "42S02", "no such table"))
        .server(ok(1, 3, 2))
        .server(result_set(&["a"], true, 2));
    let expected = [
        "response ok",
        "response ok rows=2",
        "response server_error 1146 no such table",
        "response ok affected=3",
        "response ok rows=1",
    ];
    assert_eq!(shown(&script), expected);
    script.assert_survives_damage::<MysqlParser>();
    // MariaDB, whose clients keep descriptions of columns: a byte behind their number says whether they follow.
    let described = packets(1, &[&[1, 1], COLUMN, b"\x01a", &end(2)]);
    let kept = packets(1, &[&[1, 0], b"\x01a", b"\x01b", &end(2)]);
    let mariadb = Script::new(1).mid_stream().server(described).server(kept).server(ok(1, 3, 2));
    assert_eq!(
        lines(&mariadb.run::<MysqlParser>()),
        ["response ok rows=1", "response ok rows=2", "response ok affected=3"]
    );
    // From the middle on: what follows an unseen beginning is found by its number.
    let middle = Script::new(1).mid_stream().server(&result_set(&["a", "b"], true, 2)[20..]).server(ok(1, 3, 2));
    assert_eq!(lines(&middle.run::<MysqlParser>()).last().map(String::as_str), Some("response ok affected=3"));
}

#[test]
fn a_statement_prepared_by_a_client_that_is_not_seen_is_no_number_of_rows() {
    let definitions = packets(2, &[COLUMN, &end(2), COLUMN, &end(2)]);
    let script = Script::new(1)
        .mid_stream()
        .server([packet(1, prepared(7, 1, 1)), definitions].concat())
        .server(packet(1, prepared(8, 0, 0)))
        .server(ok(1, 3, 2));
    let rows = script.run::<MysqlParser>();
    assert_eq!(lines(&rows), ["response ok id=7", "response ok id=8", "response ok affected=3"]);
    assert_eq!((rows[0].attribute("columns"), rows[0].attribute("parameters")), (Some("1"), Some("1")));
}

#[test]
fn an_error_in_place_of_the_greeting_is_told_without_a_handshake_of_tcp() {
    let error = packet(0, b"\xff\x69\x04Host '10.0.0.7' is not allowed to connect to this MariaDB server");
    let script = Script::new(1).mid_stream().server(&error[..6]).server(&error[6..]);
    let expected = "response server_error 1129 Host '10.0.0.7' is not allowed to connect to this MariaDB server";
    assert_eq!(shown(&script), [expected]);
    // Not an error of MySQL.
    assert_eq!(lines(&Script::new(1).mid_stream().server(packet(0, b"\xff\xff\xff#")).run::<MysqlParser>()).len(), 1);
}

#[test]
fn what_is_no_mysql_is_a_violation() {
    let shown = shown(&session(CLASSIC).client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(shown[2].starts_with("violation a client packet that neither begins a command"), "{shown:?}");
    let shown = lines(&session(CLASSIC).client(command(0x7f, b"abc")).run::<MysqlParser>());
    assert_eq!(shown[2], "violation a command byte that MySQL does not have (byte 67 of the client's stream)");
}

#[test]
fn damage_is_survived() {
    session(CLASSIC)
        .client(command(0x16, "SELECT a FROM t"))
        .server(packets(1, &[&prepared(1, 1, 0), COLUMN, &eof(2)]))
        .client(execute(1))
        .server(result_set(&["a", "b"], true, 2))
        .client(query("LOAD DATA LOCAL INFILE 'f' INTO TABLE t"))
        .server(packet(1, b"\xfbf"))
        .client([packet(2, b"1\n"), packet(3, b"")].concat())
        .server(ok(4, 1, 2))
        .assert_survives_damage::<MysqlParser>();
}

#[test]
fn inference_tells_mysql_from_others() {
    let check = |script: Script| script.check::<MysqlParser>();
    assert_eq!(check(Script::new(1).server(greeting(CLASSIC))).0, "response");
    assert_eq!(check(Script::new(1).client(greeting(CLASSIC))).0, "response");
    assert_eq!(check(Script::new(1).client(login(1, CLASSIC, "bob"))).0, "request");
    assert_eq!(check(Script::new(1).client(query("SELECT 1"))).0, "request");
    assert_eq!(check(Script::new(1).client(compressed(0, &query("SELECT 1"), b""))).0, "request");
    assert_eq!(check(Script::new(3306).client(command(0x0e, b""))).0, "request");
    assert_eq!(check(Script::new(1).client(&query("SELECT 1")[..6])).0, "more");
    // Met in the middle, who answers is the server, whoever it was taken for.
    assert_eq!(check(Script::new(1).mid_stream().client(ok(1, 0, 2))).0, "response");
    assert_eq!(check(Script::new(1).client(ok(1, 0, 2))).0, "no");
    // Met in the middle, away from the usual port: the numbers of a prepared statement, or what the server answers.
    assert_eq!(check(Script::new(1).client(execute(1))).0, "request");
    assert_eq!(check(Script::new(1).client(command(0x1c, b"\x01\0\0\0\x0a\0\0\0"))).0, "request");
    assert_eq!(check(Script::new(1).client(command(0x0e, b""))).0, "more");
    assert_eq!(check(Script::new(1).server(ok(1, 0, 2))).0, "response");
    assert_eq!(check(Script::new(1).server(err(1, 1146, "42S02", "no such table"))).0, "response");
    assert_eq!(check(Script::new(1).server(result_set(&["a"], true, 2))).0, "response");
    assert_eq!(check(Script::new(1).server(&greeting(CLASSIC)[..20])).0, "more");
    for (script, reason, offset) in [
        (Script::new(1).client(command(2, b"shop")), "the shape of a MySQL command, but no word of SQL", 4),
        (Script::new(1).client(command(0x19, b"\x01\0\0\0")), "the shape of a MySQL command", 4),
        (Script::new(1).client(command(0x1c, b"\0\0\0\0\x0a\0\0\0")), "the shape of a MySQL command", 4),
        (Script::new(1).server(packet(1, b"\0\0\0\0\0\0\0")), "no greeting", 3),
        (Script::new(1).server(packet(1, b"\x05")), "no greeting", 3),
        (Script::new(80).client(b"GET / HTTP/1.1\r\n"), "a packet that does not begin a command", 3),
        (Script::new(22).server(b"SSH-2.0-OpenSSH_9\r\n"), "no greeting", 3),
        (Script::new(1).client(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "a packet that does not begin", 3),
        (Script::new(1).client(command(3, "hello world")), "no word of SQL in a statement", 5),
        (
            Script::new(1).server(packet(0, b"\x0a8.\x01.36\0aaaaaaaaaaaaaaaaaaaaaaa")),
            "the server's version is no text",
            7,
        ),
    ] {
        let (verdict, why, at) = check(script);
        assert!(verdict == "no" && why.starts_with(reason) && at == offset, "{verdict} {why} {at}");
    }
}
