//! Every cell of the state machine by packets: each state is reached on the shortest way, then one more packet of every
//! combination of flags comes from either side; state, patience and close type must be those of the reference.

mod talk;

use std::collections::{BTreeMap, VecDeque};

use mf_flow::{CloseType, State};
use talk::*;

const URG: u8 = 32;

/// (state, sent by the server) -> flags -> (next state, timeout).
type Cells<'a> = BTreeMap<(&'a str, bool), BTreeMap<u8, (&'a str, &'a str)>>;

fn flags_of(name: &str) -> Vec<u8> {
    match name {
        "SYN" => vec![SYN],
        "SYNACK" => vec![SYN | ACK],
        "ACK" => vec![ACK],
        "A" => vec![ACK, PSH | ACK, PSH | ACK | URG],
        "F" => vec![FIN, FIN | ACK, FIN | PSH | ACK],
        "R" => vec![RST, RST | ACK, RST | PSH | ACK],
        "*" => (0..64).collect(),
        _ => panic!("flags {name}"),
    }
}

/// The transcript, every cell of it filled.
fn table() -> Cells<'static> {
    let mut cells = Cells::new();
    for server in [false, true] {
        // First the common cells, then the server's own.
        for own in ["any", "server"] {
            for line in include_str!("states.txt").lines() {
                let Some((head, rest)) = line
                    .split_once(": ")
                    .filter(|_| !line.starts_with('#') && (server || own == "any"))
                else {
                    continue;
                };
                let (state, whose) = head.split_once(' ').unwrap();
                if whose != own {
                    continue;
                }
                let row = cells.entry((state, server)).or_default();
                let mut named: Vec<_> = rest
                    .split(' ')
                    .map(|cell| cell.split_once('>').unwrap())
                    .collect();
                named.sort_by_key(|cell| cell.0 != "*");
                for (flags, target) in named {
                    let target = target.split_once('/').unwrap();
                    row.extend(flags_of(flags).into_iter().map(|flags| (flags, target)));
                }
            }
        }
    }
    let states: Vec<_> = cells.keys().copied().collect();
    for key in states
        .into_iter()
        .chain([("Exception", false), ("Exception", true)])
    {
        let row = cells.entry(key).or_default();
        for flags in 0..64 {
            row.entry(flags).or_insert(("Exception", "exception"));
        }
    }
    cells
}

fn timeout_ms(class: &str) -> u64 {
    match class {
        "opening" | "closing" | "exception" => 5_000,
        "established" => 300_000,
        "established_rst" => 35_000,
        "closed_fin" => 2_000,
        "opening_rst" => 1_000,
        _ => panic!("timeout {class}"),
    }
}

fn mirrored(state: &'static str) -> &'static str {
    match state {
        "ClosingTx1" => "ClosingRx1",
        "ClosingTx2" => "ClosingRx2",
        "ClosingRx1" => "ClosingTx1",
        "ClosingRx2" => "ClosingTx2",
        other => other,
    }
}

/// A flow as the reference has it. Side 0 is the one on the port 40000; the flow's direction is `server`, that of a side.
#[derive(Clone)]
struct Model {
    state: &'static str,
    timeout: u64,
    server: usize,
    flags: [u8; 2],
    packets: [u64; 2],
    first_rst: Option<usize>,
    /// A SYN or SYN-ACK has told the direction.
    certain: bool,
    /// Who sent the first SYN.
    opener: Option<usize>,
    flows: usize,
}

impl Model {
    fn new() -> Self {
        Self {
            state: "Raw",
            timeout: 0,
            server: 1,
            flags: [0; 2],
            packets: [0; 2],
            first_rst: None,
            certain: false,
            opener: None,
            flows: 1,
        }
    }

    fn packet(&mut self, cells: &Cells<'static>, side: usize, flags: u8) {
        let ended =
            (self.flags[0] | self.flags[1]) & RST != 0 || self.flags[0] & self.flags[1] & FIN != 0;
        if flags & (SYN | ACK | RST | FIN) == SYN && ended && self.opener != Some(side) {
            // Another connection on the same ports (ours; the reference keeps the old flow).
            let flows = self.flows + 1;
            *self = Self {
                flows,
                ..Self::new()
            };
        }
        if flags & (SYN | RST) == SYN {
            // A SYN comes from the client, unless the direction is known; a SYN-ACK always from the server.
            let server = if flags & ACK != 0 { side } else { side ^ 1 };
            if (flags & ACK != 0 || !self.certain) && server != self.server {
                self.server = server;
                self.state = mirrored(self.state);
            }
            self.certain = true;
        }
        let again = self.state == "Closed" && flags & self.flags[side] & FIN != 0;
        let flags_used = if again { ACK } else { flags };
        let (next, class) = cells[&(self.state, side == self.server)][&flags_used];
        self.state = next;
        self.flags[side] |= flags;
        self.packets[side] += 1;
        if flags & (SYN | RST | ACK | PSH | URG) == SYN {
            self.opener = self.opener.or(Some(side));
        }
        if flags & RST != 0 && self.first_rst.is_none() {
            self.first_rst = Some(side);
        }
        self.timeout = timeout_ms(class);
        if self.packets.contains(&0) {
            self.timeout = self.timeout.min(5_000);
        }
    }

    /// 3.4.
    fn close_type(&self) -> u16 {
        let (client, server) = (self.flags[self.server ^ 1], self.flags[self.server]);
        let heartbeat = client & (SYN | RST) == SYN | RST
            && server & (SYN | ACK) == SYN | ACK
            && (client | server) & PSH == 0;
        if heartbeat && server & RST == 0 {
            return 20;
        }
        match self.state {
            "Exception" | "Raw" => 0,
            "ClosingTx2" | "ClosingRx2" | "Closed" => 1,
            "Reset" => {
                if server & RST != 0 {
                    2
                } else {
                    9
                }
            }
            "Established" => 3,
            "Opening1" => 7,
            "ClosingTx1" => 8,
            "Opening2" => 10,
            "ClosingRx1" => 11,
            "Syn1" | "ClientL4PortReuse" => 13,
            "ServerReset" => 15,
            "SynAck1" => 17,
            "ServerCandidateQueueLack" => {
                if self.packets[self.server] > 3 {
                    17
                } else {
                    9
                }
            }
            "EstablishReset" | "OpeningRst" => {
                if self.first_rst == Some(self.server) {
                    19
                } else {
                    18
                }
            }
            other => panic!("state {other}"),
        }
    }
}

/// The shortest sequence of packets that leads to each state, as (side, flags).
fn ways(cells: &Cells<'static>) -> BTreeMap<&'static str, Vec<(usize, u8)>> {
    let mut found = BTreeMap::from([("Raw", Vec::new())]);
    let mut queue = VecDeque::from([(Model::new(), Vec::new())]);
    while let Some((model, way)) = queue.pop_front() {
        for side in [0, 1] {
            for flags in 0..64 {
                let mut next = model.clone();
                next.packet(cells, side, flags);
                // The server of all these conversations is side 1, as its port says.
                if next.server != 1 || next.flows > 1 || found.contains_key(next.state) {
                    continue;
                }
                let mut longer = way.clone();
                longer.push((side, flags));
                found.insert(next.state, longer.clone());
                queue.push_back((next, longer));
            }
        }
    }
    found
}

#[test]
fn every_cell_by_packets() {
    let cells = table();
    let ways = ways(&cells);
    assert_eq!(ways.len(), 18, "every state is reached: {ways:?}");
    let mut tried = 0;
    for way in ways.values() {
        for side in [0, 1] {
            for flags in 0..64u8 {
                let (mut model, mut talk) = (Model::new(), Talk::new());
                let packets: Vec<_> = way.iter().copied().chain([(side, flags)]).collect();
                for (n, &(side, flags)) in packets.iter().enumerate() {
                    model.packet(&cells, side, flags);
                    let (ms, (seq, ack)) =
                        (n as u64, if side == 0 { (100, 500) } else { (500, 101) });
                    if side == 0 {
                        talk.c(ms, flags, seq, ack, b"");
                    } else {
                        talk.s(ms, flags, seq, ack, b"");
                    }
                }
                let told = format!("{packets:02x?}: {} for {} ms", model.state, model.timeout);
                let last = packets.len() as u64 - 1;
                talk.wait(last + model.timeout - 1);
                assert_eq!(talk.log.closed.len(), model.flows - 1, "too early: {told}");
                talk.wait(last + model.timeout + 1_000);
                assert_eq!(talk.log.closed.len(), model.flows, "too late: {told}");
                let report = talk.log.closed.last().unwrap();
                assert_eq!(format!("{:?}", report.state), model.state, "{told}");
                assert_eq!(report.close_type as u16, model.close_type(), "{told}");
                assert_eq!(report.server.port, [40000, 80][model.server], "{told}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 18 * 128);
}

/// (side, flags) of the packets, then state and close type: ways to ends that the table alone does not tell.
type End = (&'static str, &'static [(usize, u8)], State, CloseType);

const ENDS: &[End] = &[
    (
        "the accept queue is full: few packets of the server, so the client's own RST is believed",
        &[(0, SYN), (1, SYN | ACK), (0, ACK), (1, SYN | ACK), (1, RST)],
        State::ServerCandidateQueueLack,
        CloseType::TcpClientRst,
    ),
    (
        "the accept queue is full: SYN-ACKs over and over, then RST",
        &[
            (0, SYN),
            (1, SYN | ACK),
            (0, ACK),
            (1, SYN | ACK),
            (1, SYN | ACK),
            (1, RST),
        ],
        State::ServerCandidateQueueLack,
        CloseType::ServerQueueLack,
    ),
    (
        "the accept queue is full and nobody gives up",
        &[(0, SYN), (1, SYN | ACK), (0, ACK), (1, SYN | ACK), (0, ACK)],
        State::SynAck1,
        CloseType::ServerQueueLack,
    ),
    (
        "a SYN-ACK sent again is answered and the connection lives",
        &[(0, SYN), (1, SYN | ACK), (0, ACK), (1, SYN | ACK), (1, ACK)],
        State::Established,
        CloseType::Timeout,
    ),
    (
        "the port is used again: the client resets the old connection and its next SYN opens",
        &[(0, SYN), (1, ACK), (0, SYN), (1, SYN | ACK), (0, ACK)],
        State::Established,
        CloseType::Timeout,
    ),
    (
        "the port is used again and nothing more comes",
        &[(0, SYN), (1, ACK)],
        State::Syn1,
        CloseType::ClientSourcePortReuse,
    ),
    (
        "the server resets behind its plain ACK",
        &[(0, SYN), (1, ACK), (1, RST)],
        State::EstablishReset,
        CloseType::ServerEstablishReset,
    ),
    (
        "both reset an open connection, the server first: the server's fault",
        &[
            (0, SYN),
            (1, SYN | ACK),
            (0, ACK),
            (0, PSH | ACK),
            (1, RST),
            (0, RST),
        ],
        State::Reset,
        CloseType::TcpServerRst,
    ),
    (
        "both reset an open connection, the client first: the server ever sent one",
        &[
            (0, SYN),
            (1, SYN | ACK),
            (0, ACK),
            (0, PSH | ACK),
            (0, RST),
            (1, RST),
        ],
        State::Reset,
        CloseType::TcpServerRst,
    ),
    (
        "a half closed connection is reset by the client",
        &[
            (0, SYN),
            (1, SYN | ACK),
            (0, ACK),
            (0, PSH | ACK),
            (1, FIN | ACK),
            (0, RST),
        ],
        State::Reset,
        CloseType::TcpClientRst,
    ),
    (
        "a closed connection is reset: it stays closed by reset",
        &[
            (0, SYN),
            (1, SYN | ACK),
            (0, ACK),
            (0, PSH | ACK),
            (1, FIN | ACK),
            (0, FIN | ACK),
            (1, RST),
        ],
        State::Reset,
        CloseType::TcpServerRst,
    ),
    (
        "data with other flags than those of the table is no state",
        &[(0, SYN), (1, SYN | ACK), (0, ACK), (0, URG | ACK)],
        State::Exception,
        CloseType::Unknown,
    ),
];

#[test]
fn ends_beyond_the_table() {
    for &(name, packets, state, close) in ENDS {
        let mut talk = Talk::new();
        for (n, &(side, flags)) in packets.iter().enumerate() {
            let ms = n as u64;
            if side == 0 {
                talk.c(ms, flags, 100, 500, b"");
            } else {
                talk.s(ms, flags, 500, 101, b"");
            }
        }
        talk.wait(400_000);
        assert_eq!(
            (talk.only().state, talk.only().close_type),
            (state, close),
            "{name}"
        );
    }
}
