//! Who is the client: handshakes, ports, scores, configuration, parsers.

mod talk;

use mf_flow::{Config, Hints, State, Way};
use talk::*;

/// (client port, server port, score) of the only flow.
fn sides(talk: &mut Talk) -> (u16, u16, u8) {
    talk.finish();
    let report = talk.log.closed.last().unwrap();
    (
        report.client.port,
        report.server.port,
        report.direction_score,
    )
}

#[test]
fn a_syn_ack_is_proof_whoever_comes_first() {
    let mut talk = Talk::new();
    talk.handshake(0);
    assert_eq!(sides(&mut talk), (40000, 80, 255));
    let mut talk = Talk::new();
    talk.s(20, SYN | ACK, 500, 101, b"");
    talk.c(30, ACK, 101, 501, b"");
    assert_eq!(sides(&mut talk), (40000, 80, 255));
    assert_eq!(talk.log.segments[0].way, Way::S2c);
    // Both ports ephemeral, the server's the higher one.
    let mut talk = Talk::new();
    talk.ports = (33000, 60000);
    talk.handshake(0);
    assert_eq!(sides(&mut talk), (33000, 60000, 255));
}

#[test]
fn a_syn_alone_is_enough_for_the_direction() {
    let mut talk = Talk::new();
    talk.ports = (80, 40000);
    talk.c(0, SYN, 1, 0, b"");
    assert_eq!(sides(&mut talk), (80, 40000, 1));
}

#[test]
fn in_the_middle_of_a_connection_the_ephemeral_port_is_the_clients() {
    let mut talk = Talk::new();
    talk.s(0, ACK, 1, 1, b"data of the server");
    assert_eq!(sides(&mut talk), (40000, 80, 0));
    let mut talk = Talk::new();
    talk.ports = (1000, 2000);
    talk.s(
        0,
        ACK,
        1,
        1,
        b"who speaks first is the client when ports do not tell",
    );
    assert_eq!(sides(&mut talk), (2000, 1000, 1));
}

#[test]
fn many_flows_teach_who_the_server_is() {
    let mut talk = Talk::new();
    for port in 0..20 {
        talk.ports = (2000 + port, 1500);
        talk.udp(port.into(), true, b"question");
    }
    talk.finish();
    talk.ports = (2100, 1500);
    talk.udp(100, false, b"an answer without its question");
    assert_eq!(sides(&mut talk), (2100, 1500, 19));
}

#[test]
fn configured_ports_are_servers() {
    let mut talk = Talk::with(Config {
        server_ports: vec![45000],
        ..Config::default()
    });
    talk.ports = (100, 45000);
    talk.udp(0, false, b"from the server first");
    assert_eq!(sides(&mut talk), (100, 45000, 253));
}

#[test]
fn a_parser_turns_the_direction_round() {
    let mut talk = Talk::new();
    talk.ports = (1000, 2000);
    talk.log.answer = Hints {
        reversed: true,
        ..Hints::default()
    };
    talk.s(0, PSH | ACK, 500, 100, b"a response, says the parser");
    talk.log.answer = Hints::default();
    assert_eq!(talk.log.reversed, 1);
    talk.c(10, PSH | ACK, 100, 527, b"a request");
    assert_eq!(talk.log.segments[1].way, Way::C2s);
    assert_eq!(sides(&mut talk), (1000, 2000, 254));
    let report = talk.only();
    assert_eq!((report.counts.tx.packets, report.counts.rx.packets), (1, 1));
    // The next flow of that service is right from the start.
    talk.ports = (1001, 2000);
    talk.s(100, PSH | ACK, 1, 1, b"again the server first");
    assert_eq!(talk.log.segments[2].way, Way::S2c);
}

#[test]
fn a_parser_that_runs_later_is_asked_before_each_report() {
    let mut talk = Talk::new();
    talk.ports = (1000, 2000);
    talk.s(0, PSH | ACK, 500, 100, b"a response");
    talk.s(1, FIN | ACK, 510, 100, b"");
    talk.log.later = Hints {
        reversed: true,
        ..Hints::default()
    };
    talk.wait(1000);
    assert_eq!(
        (
            talk.log.seconds[0].client.port,
            talk.log.seconds[0].counts.rx.packets
        ),
        (1000, 2)
    );
    assert_eq!(
        talk.log.seconds[0].state,
        State::ClosingRx1,
        "the state turns with the flow"
    );
    let mut talk = Talk::new();
    talk.log.later = Hints {
        confirmed: true,
        ..Hints::default()
    };
    talk.udp(0, true, b"q");
    assert_eq!(sides(&mut talk), (40000, 80, 254));
}

#[test]
fn a_parser_cannot_contradict_the_handshake() {
    let mut talk = Talk::new();
    talk.handshake(0);
    talk.log.answer = Hints {
        reversed: true,
        ..Hints::default()
    };
    talk.c(40, PSH | ACK, 101, 501, b"x1");
    assert_eq!(talk.log.reversed, 0);
    assert_eq!(sides(&mut talk), (40000, 80, 255));
}
