//! Gaps, cut packets, flows seen from the middle on, heads without an end, bytes that are not HTTP.

use metaflow_parser_http::HttpParser;
use metaflow_parser_sdk::testing::{Row, Script};
use metaflow_parser_sdk::Direction::{ClientToServer, ServerToClient};

fn proven(script: &Script) -> Vec<Row> {
    script.assert_any_split_is_equal::<HttpParser>();
    script.run::<HttpParser>()
}

fn told(rows: &[Row]) -> Vec<(&str, i128, &str)> {
    let what = |row: &Row| row.number("code").or(row.number("length")).unwrap_or(-1);
    rows.iter()
        .map(|row| (row.kind(), what(row), if row.kind() == "request" { "" } else { row.text("exception") }))
        .collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_gap_inside_a_body_is_no_loss() {
    let rows = proven(
        &Script::new(80)
            .server("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
            .gap(ServerToClient, 900)
            .server(format!("{}{OK}", "x".repeat(97))),
    );
    assert_eq!(told(&rows), [("response", 200, ""), ("response", 200, "")]);
    let chunked = proven(
        &Script::new(80)
            .server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3E8\r\nabc")
            .gap(ServerToClient, 997)
            .server(format!("\r\n0\r\n\r\n{OK}")),
    );
    assert_eq!(told(&chunked), [("response", 200, ""), ("response", 200, "")]);
}

#[test]
fn a_gap_that_passes_the_end_of_a_body_costs_what_is_missing_and_no_more() {
    let rows = proven(
        &Script::new(80)
            .server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            .gap(ServerToClient, 130)
            .server(format!("ent-Length: 3\r\n\r\nabc{OK}{OK}")),
    );
    let lost = "bytes lost in the capture";
    assert_eq!(
        told(&rows),
        [("response", 200, ""), ("skipped", 30 + 20, lost), ("response", 200, ""), ("response", 200, "")]
    );
    assert_eq!(rows[1].number("stream_offset"), Some(40 + 100));
}

#[test]
fn the_answer_behind_a_lost_one_is_not_given_to_the_lost_ones_request() {
    const GET: &str = "GET /1 HTTP/1.1\r\n\r\n";
    const LOST: &str = "the response was lost in a gap of the capture";
    let kinds = |script: &Script| {
        let rows = proven(script);
        rows.iter()
            .filter(|row| row.kind() == "response")
            .map(|row| row.text("exception").to_owned())
            .collect::<Vec<_>>()
    };
    // Of a pipeline; in turn; behind an interim response; where the gap begins inside a body.
    let pipeline = Script::new(80).client(GET).client(GET).gap(ServerToClient, 500).server(OK);
    assert_eq!(kinds(&pipeline), [LOST, ""]);
    let turns = Script::new(80).client(GET).gap(ServerToClient, 500).client(GET).server(OK);
    assert_eq!(kinds(&turns), [LOST, ""]);
    let interim = Script::new(80).client(GET).client(GET).gap(ServerToClient, 500);
    assert_eq!(kinds(&interim.server("HTTP/1.1 100 Continue\r\n\r\n").server(OK)), [LOST, ""]);
    let body = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";
    let within = Script::new(80).client(GET).client(GET).client(GET).server(body).gap(ServerToClient, 500).server(OK);
    assert_eq!(kinds(&within), ["", LOST, ""]);
    // One that waits alone is answered; a gap inside a body costs nothing.
    assert_eq!(kinds(&Script::new(80).client(GET).gap(ServerToClient, 500).server(OK)), [""]);
    let inside = Script::new(80).client(GET).client(GET).server(body).gap(ServerToClient, 97).server(OK);
    assert_eq!(kinds(&inside), ["", ""]);
    // A request that may be lost as well: nobody knows.
    let both = Script::new(80).client(GET).client(GET).gap(ServerToClient, 500).gap(ClientToServer, 20).server(OK);
    assert_eq!(kinds(&both), [""]);
    // The answer to a HEAD has no body, whatever its length says.
    let head = "HEAD /2 HTTP/1.1\r\n\r\n";
    let head =
        Script::new(80).client(GET).client(head).gap(ServerToClient, 500).server(body.strip_suffix("abc").unwrap());
    assert_eq!(kinds(&head.client(GET).server(OK)), [LOST, "", ""]);
}

/// What answers are known to answer: `known`, `?` (nobody knows which request), `lost`.
fn pairs(script: &Script) -> Vec<&'static str> {
    let rows = proven(script);
    let responses = rows.iter().filter(|row| row.kind() == "response");
    let what = |row: &Row| match (row.number("flags").unwrap_or(0) & 16, row.text("exception")) {
        (16, _) => "?",
        (_, "") => "known",
        _ => "lost",
    };
    responses.map(what).collect()
}

#[test]
fn of_a_pipeline_that_lost_answers_no_pair_is_guessed() {
    const GET: &str = "GET /1 HTTP/1.1\r\n\r\n";
    let several = |count: usize| GET.repeat(count);
    let ok = |count: usize| OK.repeat(count);
    // Four were asked for at once, two answers came behind the gap: one or two are lost.
    let lossy = || Script::new(80).client(several(4)).gap(ServerToClient, 80).server(ok(2));
    assert_eq!(pairs(&lossy()), ["?", "?"]);
    // What is asked for before all that may wait are answered joins them; behind that pairs are known again.
    assert_eq!(pairs(&lossy().client(GET).server(ok(2)).client(GET).server(OK)), ["?", "?", "?", "?", "known"]);
    // A client that is known to wait for all answers has them when it asks again.
    let batches = Script::new(80).client(several(3)).server(ok(3)).client(several(4)).gap(ServerToClient, 80);
    let batches = batches.server(ok(2)).client(several(2)).server(ok(2));
    assert_eq!(pairs(&batches), ["known", "known", "known", "?", "?", "known", "known"]);
    // One that asks as soon as one answer is there has not.
    let slides = Script::new(80).client(several(3)).server(OK).client(GET).server(ok(3)).client(several(4));
    let slides = slides.gap(ServerToClient, 80).server(OK).client(GET).server(OK);
    assert_eq!(pairs(&slides), ["known", "known", "known", "known", "?", "?"]);
    // A gap that has room for one answer only.
    let short = "HTTP/1.1 204 No Content\r\n\r\n";
    let small = Script::new(80).client(several(4)).gap(ServerToClient, 20).server(&short[20..]).server(ok(3));
    assert_eq!(pairs(&small), ["lost", "known", "known", "known"]);
    // Requests were lost: nobody knows how many answers are theirs.
    let asked = Script::new(80).client(several(3)).server(ok(3)).client(GET).gap(ClientToServer, 40).client(GET);
    assert_eq!(
        pairs(&asked.server(ok(4)).client(GET).server(OK)),
        ["known", "known", "known", "?", "?", "?", "?", "known"]
    );
    // Not of a client that was never seen to ask ahead: it has its turn again after one answer.
    let turns = Script::new(80).client(GET).client(GET).client(GET).gap(ServerToClient, 80).server(OK);
    assert_eq!(pairs(&turns.client(GET).server(OK)), ["?", "known"]);
    let asked = Script::new(80).client(GET).server(OK).gap(ClientToServer, 40).client(GET).server(OK);
    assert_eq!(pairs(&asked), ["known", "known"]);
}

#[test]
fn a_client_that_asks_after_a_quiet_second_asks_anew() {
    const GET: &str = "GET /1 HTTP/1.1\r\n\r\n";
    // Each step takes a millisecond.
    let mut script = Script::new(80).client(GET.repeat(5)).gap(ServerToClient, 120).server(OK);
    for _ in 0..1000 {
        script = script.gap(ServerToClient, 1);
    }
    let rows = script.client(GET).server(OK).run::<HttpParser>();
    let flags: Vec<_> = rows.iter().filter(|row| row.kind() == "response").map(|row| row.number("flags")).collect();
    assert_eq!(flags, [Some(16), None]);
}

#[test]
fn an_answer_of_which_nobody_knows_the_request_may_have_no_body() {
    let requests = "GET /1 HTTP/1.1\r\n\r\n".repeat(3) + "HEAD /2 HTTP/1.1\r\n\r\n";
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    let rows = proven(&Script::new(80).client(requests).gap(ServerToClient, 200).server(format!("{long}{OK}")));
    let told: Vec<_> = told(&rows).into_iter().filter(|row| row.0 == "response").map(|row| (row.0, row.1)).collect();
    assert_eq!(told, [("response", 200), ("response", 200)]);
}

#[test]
fn a_head_that_the_capture_cut_is_reported_as_far_as_it_goes() {
    let head = "GET /cut HTTP/1.1\r\nHost: a.example\r\nUser-Agent: curl\r\n\r\n";
    for kept in [40, 45, 50] {
        let rows = proven(&Script::new(80).cut(ClientToServer, head, kept).client("GET /next HTTP/1.1\r\n\r\n"));
        assert_eq!((rows[0].text("request_resource"), rows[0].text("request_domain")), ("/cut", "a.example"));
        assert_eq!(rows[0].attribute("http_head"), Some("cut"));
        assert_eq!(rows[1].number("length"), Some(head.len() as i128 - kept as i128));
        assert_eq!(rows[2].text("request_resource"), "/next");
    }
}

#[test]
fn a_first_line_that_the_capture_cut_is_worth_a_row_too() {
    let answer = "HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Length: 0\r\n\r\n";
    let rows =
        proven(&Script::new(80).cut(ClientToServer, format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100)), 20).cut(
            ServerToClient,
            answer,
            20,
        ));
    assert_eq!((rows[0].kind(), rows[0].text("request_resource")), ("request", "/xxxxxxxxxxxxxxx"));
    assert_eq!((rows[1].kind(), rows[1].number("code")), ("response", Some(503)));
    assert_eq!(rows[1].text("exception"), "Service Unavailable");
}

#[test]
fn a_flow_seen_from_its_middle_on_starts_at_the_next_message() {
    let rows =
        proven(&Script::new(80).mid_stream().server(format!("rest{OK}")).client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(
        told(&rows),
        [("skipped", 4, "the start of the flow was not seen"), ("response", 200, ""), ("request", -1, "")]
    );
    let rows = proven(&Script::new(80).mid_stream().client("GET / HTTP/1.1\r\nHost: a\r\n\r\n").server(OK));
    assert_eq!(told(&rows), [("request", -1, ""), ("response", 200, "")]);
}

#[test]
fn a_wrong_length_costs_the_bytes_up_to_the_next_message() {
    let rows = proven(
        &Script::new(80)
            .server(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcdef{OK}"))
            .client("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nbody\nGET /a HTTP/1.1\r\n\r\n"),
    );
    let texts: Vec<_> = told(&rows);
    assert_eq!(texts[1], ("skipped", 4, "no first line of HTTP where one belongs"));
    assert_eq!(texts[4], ("skipped", 5, "a request body of unknown length: Content-Length is wrong"));
    assert_eq!(rows[5].text("request_resource"), "/a");
}

#[test]
fn a_head_without_an_end_is_bounded() {
    let mut endless = b"GET /long HTTP/1.1\r\n".to_vec();
    while endless.len() < 5000 {
        endless.extend_from_slice(b"X-More: of the same\r\n");
    }
    endless.extend_from_slice(b"\r\nGET /after HTTP/1.1\r\n\r\n");
    let script = Script::new(80).option("max_head_bytes", "1024").client(&endless);
    let rows = script.run::<HttpParser>();
    assert_eq!((rows[0].text("request_resource"), rows[0].status()), ("/long", "parse_failed"));
    assert_eq!(rows[0].text("exception"), "Head longer than 1024 bytes.");
    assert_eq!((rows[1].kind(), rows[2].text("request_resource")), ("skipped", "/after"));
    for size in [1, 7, 100, 1023, 1024, 1025, 1448] {
        let pieces = script.run_cut::<HttpParser>(|bytes| {
            let whole = std::iter::repeat_n(size, bytes.len() / size);
            whole.chain(Some(bytes.len() % size).filter(|rest| *rest > 0)).collect()
        });
        assert_eq!(pieces, rows, "pieces of {size}");
    }
}

#[test]
fn what_is_not_http_any_more_is_given_back() {
    let noise = vec![b'#'; 10_000];
    let mut script = Script::new(80).client("GET / HTTP/1.1\r\n\r\n");
    for _ in 0..8 {
        script = script.client(&noise);
    }
    let rows = script.run::<HttpParser>();
    assert_eq!(told(&rows), [("request", -1, ""), ("violation", -1, "no HTTP message for a long time")]);
    assert_eq!(rows[1].number("stream_offset"), Some(18));
}

#[test]
fn memory_does_not_grow_with_the_length_of_a_flow() {
    use metaflow_parser_sdk::testing::{Runner, Step};
    let mut script = Script::new(80).server("HTTP/1.1 200 OK\r\n\r\n");
    let mut runner = Runner::<HttpParser>::new(&script);
    script.steps.extend((0..2000).map(|_| Step::Data(ServerToClient, vec![0; 1448])));
    for step in &script.steps {
        runner.step(step, &mut |bytes| vec![bytes.len()]);
    }
    assert_eq!(runner.rows.len(), 1);
}
