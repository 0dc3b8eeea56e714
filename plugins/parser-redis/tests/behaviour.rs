//! What a conversation becomes: one test for each thing that Redis' protocol can do.

use metaflow_parser_redis::RedisParser;
use metaflow_parser_sdk::testing::{Row, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

fn command(words: &[&str]) -> String {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    text
}

/// `type request_type|status resource|result|exception` of every row.
fn lines(rows: &[Row]) -> Vec<String> {
    let line = |row: &Row| match row.kind() {
        "response" => match row.text("exception") {
            "" => format!("response {}", row.text("result")),
            error => format!("response {} {error}", row.status()),
        },
        "skipped" => format!("skipped {} {}", row.number("length").unwrap(), row.text("exception")),
        "violation" => format!("violation {}", row.text("exception")),
        kind => format!("{kind} {}: {}", row.text("request_type"), row.text("request_resource")),
    };
    rows.iter().map(line).collect()
}

fn talk() -> Script {
    Script::new(6379)
}

#[test]
fn a_pipeline_in_one_segment_becomes_its_messages() {
    let rows = talk()
        .client(command(&["SET", "k", "v"]) + &command(&["GET", "k"]) + &command(&["INCR", "n"]))
        .server("+OK\r\n$1\r\nv\r\n:7\r\n")
        .run::<RedisParser>();
    assert_eq!(
        lines(&rows),
        [
            "request SET: SET k v",
            "request GET: GET k",
            "request INCR: INCR n",
            "response OK",
            "response v",
            "response 7"
        ]
    );
    assert_eq!(rows[1].number("stream_offset"), Some(27));
    assert_eq!(rows[1].number("length"), Some(20));
    assert_eq!(rows[4].number("stream_offset"), Some(5));
    assert_eq!(rows[4].number("length"), Some(7));
}

#[test]
fn every_type_of_resp3_is_read() {
    for (reply, shown) in [
        ("+OK\r\n", "OK"),
        (":-12\r\n", "-12"),
        ("$-1\r\n", "(nil)"),
        ("$0\r\n\r\n", ""),
        ("*-1\r\n", "(nil)"),
        ("*0\r\n", "[]"),
        ("_\r\n", "(nil)"),
        (",1.5\r\n", "1.5"),
        (",inf\r\n", "inf"),
        ("#t\r\n", "true"),
        ("(3492890328409238509324850943850943825024385\r\n", "3492890328409238509324850943850943825024385"),
        ("=7\r\ntxt:abc\r\n", "abc"),
        ("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", "{a: 1, b: [2]}"),
        ("~2\r\n:1\r\n:2\r\n", "[1, 2]"),
        ("|1\r\n+ttl\r\n:60\r\n$1\r\nv\r\n", "v"),
        ("*2\r\n|1\r\n+x\r\n*1\r\n:1\r\n+a\r\n+b\r\n", "[a, b]"),
        ("$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;0\r\n", "Hello wor"),
        ("*?\r\n:1\r\n*?\r\n.\r\n:2\r\n.\r\n", "[1, [], 2]"),
        ("*2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*0\r\n", "[[a, b], []]"),
    ] {
        let script = talk().client(command(&["GET", "k"])).server(reply);
        assert_eq!(script.run::<RedisParser>()[1].text("result"), shown, "{reply:?}");
        script.assert_any_split_is_equal::<RedisParser>();
    }
    for (reply, error) in [("-ERR bad\r\n", "ERR bad"), ("!10\r\nSYNTAX bad\r\n", "SYNTAX bad")] {
        let rows = talk().client(command(&["GET", "k"])).server(reply).run::<RedisParser>();
        assert_eq!((rows[1].status(), rows[1].text("exception")), ("server_error", error));
    }
}

#[test]
fn redirections_are_noted() {
    let rows = talk().client(command(&["GET", "k"])).server("-MOVED 3999 127.0.0.1:6381\r\n").run::<RedisParser>();
    assert_eq!(rows[1].attribute("redirect"), Some("MOVED 3999 127.0.0.1:6381"));
}

#[test]
fn a_transaction_is_its_commands_and_an_error_inside_is_told() {
    let rows = talk()
        .client(command(&["MULTI"]) + &command(&["INCR", "s"]) + &command(&["EXEC"]))
        .server("+OK\r\n+QUEUED\r\n*1\r\n-ERR value is not an integer\r\n")
        .run::<RedisParser>();
    assert_eq!(lines(&rows)[3..], ["response OK", "response QUEUED", "response [ERR value is not an integer]"]);
    assert_eq!(rows[5].attribute("nested_error"), Some("ERR value is not an integer"));
}

#[test]
fn subscriptions_are_confirmed_and_messages_stand_alone() {
    for kind in ['*', '>'] {
        let push = |words: &[&str]| command(words).replacen('*', &kind.to_string(), 1);
        let confirm = |word: &str, channel: &str, count: u32| {
            format!("{kind}3\r\n${}\r\n{word}\r\n${}\r\n{channel}\r\n:{count}\r\n", word.len(), channel.len())
        };
        let rows = talk()
            .client(command(&["SUBSCRIBE", "a", "b"]))
            .server(confirm("subscribe", "a", 1) + &confirm("subscribe", "b", 2))
            .server(push(&["message", "a", "hello"]))
            .client(command(&["PSUBSCRIBE", "p*"]))
            .server(push(&["message", "b", "x"]) + &confirm("psubscribe", "p*", 3))
            .server(push(&["pmessage", "p*", "p1", "y"]))
            .client(command(&["UNSUBSCRIBE"]))
            .server(confirm("unsubscribe", "a", 2) + &confirm("unsubscribe", "b", 1))
            .client(command(&["PUNSUBSCRIBE", "p*"]))
            .server(confirm("punsubscribe", "p*", 0))
            .client(command(&["LRANGE", "l", "0", "-1"]))
            .server(command(&["message", "a", "data"]))
            .run::<RedisParser>();
        assert_eq!(
            lines(&rows),
            [
                "request SUBSCRIBE: SUBSCRIBE a b",
                "response [subscribe, a, 1]",
                "session MESSAGE: [message, a, hello]",
                "request PSUBSCRIBE: PSUBSCRIBE p*",
                "session MESSAGE: [message, b, x]",
                "response [psubscribe, p*, 3]",
                "session PMESSAGE: [pmessage, p*, p1, y]",
                "request UNSUBSCRIBE: UNSUBSCRIBE",
                "response [unsubscribe, a, 2]",
                "request PUNSUBSCRIBE: PUNSUBSCRIBE p*",
                "response [punsubscribe, p*, 0]",
                "request LRANGE: LRANGE l 0 -1",
                "response [message, a, data]",
            ]
        );
        assert_eq!(rows[1].attribute("confirmations"), Some("2"));
    }
}

#[test]
fn monitor_copies_stand_alone() {
    let rows = talk()
        .client(command(&["MONITOR"]))
        .server("+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n")
        .client(command(&["RESET"]))
        .server("+RESET\r\n")
        .run::<RedisParser>();
    assert_eq!(lines(&rows)[2], "session MONITOR: 1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"");
    assert_eq!(lines(&rows)[4], "response RESET");
}

#[test]
fn silenced_commands_stand_alone() {
    let rows = talk()
        .client(command(&["CLIENT", "REPLY", "OFF"]) + &command(&["SET", "a", "1"]))
        .client(command(&["CLIENT", "REPLY", "ON"]))
        .server("+OK\r\n")
        .client(command(&["CLIENT", "REPLY", "SKIP"]) + &command(&["SET", "a", "1"]) + &command(&["GET", "a"]))
        .server("$1\r\n1\r\n")
        .run::<RedisParser>();
    let kinds: Vec<_> = rows.iter().map(Row::kind).collect();
    assert_eq!(kinds, ["session", "session", "request", "response", "session", "session", "request", "response"]);
}

#[test]
fn inline_commands_and_unknown_commands_are_accepted() {
    let rows = talk()
        .client("PING\r\nSET k \"two words\"\r\n\r\n")
        .server("+PONG\r\n+OK\r\n")
        .client(command(&["foo.bar", "x"]))
        .server("-ERR unknown command 'foo.bar'\r\n")
        .run::<RedisParser>();
    assert_eq!(lines(&rows)[..2], ["request PING: PING", "request SET: SET k two words"]);
    assert_eq!(
        lines(&rows)[4..],
        ["request FOO.BAR: FOO.BAR x", "response server_error ERR unknown command 'foo.bar'"]
    );
}

#[test]
fn secrets_and_their_replies_are_hidden() {
    let rows = talk()
        .client(command(&["AUTH", "s3cret"]) + &command(&["CONFIG", "GET", "requirepass"]))
        .server(String::from("+OK\r\n") + &command(&["requirepass", "s3cret"]))
        .run::<RedisParser>();
    assert_eq!(
        lines(&rows),
        ["request AUTH: AUTH ?", "request CONFIG: CONFIG GET requirepass", "response OK", "response ?"]
    );
    let rows = talk()
        .option("obfuscate", "values")
        .client(command(&["SET", "k", "v"]) + &command(&["GET", "k"]))
        .server("+OK\r\n$1\r\nv\r\n")
        .run::<RedisParser>();
    assert_eq!(lines(&rows), ["request SET: SET k ?", "request GET: GET k", "response OK", "response ?"]);
}

#[test]
fn replication_becomes_one_way_commands() {
    let mark = "0123456789012345678901234567890123456789";
    for image in ["$10\r\nREDIS0011\n".to_owned(), format!("\n\n$EOF:{mark}\r\nREDIS0011\r\n{mark}")] {
        let script = talk()
            .client(command(&["REPLCONF", "capa", "eof"]))
            .server("+OK\r\n")
            .client(command(&["PSYNC", "?", "-1"]))
            .server(format!("+FULLRESYNC {mark} 0\r\n{image}"))
            .server(command(&["SET", "k", "v"]) + &command(&["REPLCONF", "GETACK", "*"]))
            .client(command(&["REPLCONF", "ACK", "14"]));
        let shown = lines(&script.run::<RedisParser>());
        assert_eq!(
            shown[4..],
            [
                "session RDB: database image",
                "session SET: SET k v",
                "session REPLCONF: REPLCONF GETACK *",
                "session REPLCONF: REPLCONF ACK 14"
            ]
        );
        script.assert_any_split_is_equal::<RedisParser>();
    }
}

#[test]
fn a_big_value_is_not_kept() {
    let big = "x".repeat(3_000_000);
    let rows = talk()
        .client(command(&["SET", "k", &big]))
        .server("+OK\r\n")
        .client(command(&["GET", "k"]))
        .server(format!("${}\r\n{big}\r\n", big.len()))
        .run_cut::<RedisParser>(|bytes| {
            vec![1400; bytes.len() / 1400].into_iter().chain([bytes.len() % 1400]).collect()
        });
    assert_eq!(rows[0].text("request_resource").len(), 1024);
    assert_eq!(rows[0].number("length"), Some(3_000_032));
    assert_eq!(rows[3].text("result").len(), 256);
}

#[test]
fn a_gap_inside_a_value_loses_nothing_else() {
    let rows = talk()
        .client(command(&["GET", "k"]) + &command(&["GET", "l"]))
        .server("$10\r\n012")
        .gap(ServerToClient, 5)
        .server("89\r\n+next\r\n")
        .run::<RedisParser>();
    assert_eq!(lines(&rows)[2..], ["response 01289", "response next"]);
    assert_eq!(rows[2].number("length"), Some(17));
}

#[test]
fn calls_that_are_kept_by_their_beginnings_lose_nothing() {
    let rows = talk()
        .client("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n0123")
        .gap(ClientToServer, 98)
        .server("+OK\r\n")
        .client(command(&["GET", "k"]) + &command(&["GET", "l"]))
        .server("*2\r\n$1\r\n7\r\n$10\r\n012")
        .gap(ServerToClient, 8)
        .server("\n+next\r\n")
        .run::<RedisParser>();
    assert_eq!(
        lines(&rows),
        [
            "request SET: SET k 0123",
            "response OK",
            "request GET: GET k",
            "request GET: GET l",
            "response [7, 012]",
            "response next",
        ]
    );
    assert_eq!(rows[0].number("length"), Some(128));
}

#[test]
fn after_a_gap_replies_meet_their_own_requests() {
    let rows = talk()
        .client(command(&["GET", "a"]) + &command(&["GET", "b"]))
        .server("+a")
        .gap(ServerToClient, 100)
        .server("half of something\r\n")
        .client(command(&["GET", "c"]))
        .server("+c\r\n")
        .run::<RedisParser>();
    assert_eq!(
        lines(&rows)[2..],
        [
            "response unknown the reply was lost in a gap of the capture",
            "response unknown the reply was lost in a gap of the capture",
            "request GET: GET c",
            "skipped 19 bytes after a gap, before the next message could be told",
            "response c",
        ]
    );
    let rows = talk()
        .client("*2\r\n$3\r\nSET")
        .gap(ClientToServer, 100)
        .client("half of something\r\n".to_owned() + &command(&["GET", "c"]))
        .run::<RedisParser>();
    assert_eq!(lines(&rows)[1], "request GET: GET c");
}

#[test]
fn a_stream_met_in_the_middle_is_picked_up() {
    let rows = talk()
        .mid_stream()
        .client("lf of a value\r\n".to_owned() + &command(&["GET", "a"]))
        .server("$1\r\n1\r\n")
        .run::<RedisParser>();
    assert_eq!(
        lines(&rows),
        ["skipped 15 bytes before the first command that was seen", "request GET: GET a", "response 1"]
    );
}

#[test]
fn who_answers_in_the_middle_is_the_server_whoever_it_was_taken_for() {
    let check = |text: &str, middle: bool| {
        let script = talk().client(text);
        if middle { script.mid_stream() } else { script }.check::<RedisParser>().0
    };
    assert_eq!(check("$5\r\nhello\r\n", true), "response");
    assert_eq!(check("*2\r\n$1\r\na\r\n$1\r\nb\r\n", true), "response");
    assert_eq!(check("$5\r\nhello\r\n", false), "no");
    assert_eq!(check(&command(&["GET", "a"]), true), "request");
    assert_eq!(check("220 mail ready\r\n", true), "no");
}

#[test]
fn what_is_no_redis_is_a_violation() {
    let rows = talk().client(command(&["GET", "a"])).server("VALUE a 0 1\r\n1\r\nEND\r\n").run::<RedisParser>();
    let last = lines(&rows).pop().unwrap();
    assert_eq!(last, "violation a value does not begin with a RESP type (message at byte 0 of the server's stream)");
    let deep = "*1\r\n".repeat(200);
    let rows = talk().client(command(&["GET", "a"])).server(deep).run::<RedisParser>();
    assert!(lines(&rows)[1].starts_with("violation aggregates are nested deeper than 128"));
}

#[test]
fn any_split_is_equal_and_damage_is_survived() {
    let script = talk()
        .client(command(&["HELLO", "3", "AUTH", "bob", "s3cret"]) + "PING \"a b\"\r\n" + &command(&["SUBSCRIBE", "a"]))
        .server("%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n+a b\r\n>3\r\n+subscribe\r\n+a\r\n:1\r\n>3\r\n+message\r\n+a\r\n$2\r\nhi\r\n")
        .client(command(&["SET", "k", "gr\u{fc}n\u{0}"]) + "*0\r\n" + &command(&["BLPOP", "q", "0"]))
        .server("+OK\r\n*2\r\n$1\r\nq\r\n$12\r\nbinary \r\n\r\n\x01\r\n");
    script.assert_any_split_is_equal::<RedisParser>();
    script.assert_survives_damage::<RedisParser>();
}
