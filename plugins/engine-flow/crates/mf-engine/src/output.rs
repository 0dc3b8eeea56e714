//! What the engine writes beside the L7 tables: documents and flow rows, fed by flow reports and by exchanges.

use mf_column::Table;
use mf_flow::{Endpoint, FlowReport, FlowView, ObservationPoint, ReportKind};
use mf_l7::{ExchangeEvent, FlowInfo, L7Sink, L7Stats};
use mf_packet::{ethertype, proto};

use crate::aggregate::{
    process_seed, AppKey, AppMeter, AppTags, Documents, ExchangeCount, Latency, NetworkKey, NetworkMeter, Path, Spot,
    APP_SCHEMAS, NETWORK_SCHEMAS,
};
use crate::l4::{write_flow, L7Part, L4_FLOW_LOG};
use crate::options::Options;

/// What is kept of a flow that the L7 side knows, from its first payload until its last message was told.
#[derive(Debug)]
pub struct Slot {
    /// the flow's key in the documents, client and server as the flow table has them now
    path: Path,
    /// its hash
    hash: u64,
    /// where the path was counted last
    spots: Spots,
    /// the flow table has the ends the other way round than when the L7 side got to know the flow
    flipped: bool,
    /// the flow's last row, waiting for what parsers still have to say
    last_row: Option<Box<FlowReport>>,
    /// a parser recognised the flow: the value says whether client and server are the other way round than at first
    pub recognised: Option<bool>,
    /// the last response was free of errors
    pub ok_response: bool,
}

/// Where a path's meters are in the second that was counted last.
#[derive(Clone, Copy, Debug, Default)]
struct Spots {
    network: Spot,
    /// by endpoint: those of a connection take turns
    application: [Spot; ENDPOINTS],
}

/// Endpoints of a flow whose meters are remembered.
const ENDPOINTS: usize = 4;

impl Slot {
    /// The flow's key is this one from now on.
    fn set_path(&mut self, path: Path, hash: u64) {
        if self.hash != hash || self.path != path {
            (self.path, self.hash, self.spots) = (path, hash, Spots::default());
        }
    }
}

/// Tables and documents.
#[derive(Debug)]
pub struct Output {
    seed: u64,
    agent_id: u16,
    capture_network_type_id: u8,
    metrics: bool,
    l4_rows: bool,
    /// `network` and `network_map`
    pub network: Documents<NetworkKey, NetworkMeter>,
    /// `application` and `application_map`
    pub application: Documents<AppKey, AppMeter>,
    /// `l4_flow_log`
    pub flows: Table,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
}

impl Output {
    /// Nothing written yet.
    pub fn new(options: &Options) -> Self {
        let seed = process_seed();
        Output {
            seed,
            agent_id: options.agent_id,
            capture_network_type_id: options.capture_network_type_id,
            metrics: options.metrics,
            l4_rows: options.l4_flow_log,
            network: Documents::new(&NETWORK_SCHEMAS, options.aggregate, seed),
            application: Documents::new(&APP_SCHEMAS, options.aggregate, seed),
            flows: Table::new(&L4_FLOW_LOG),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Makes room for a flow that the L7 side gets to know; returns its number.
    pub fn open(&mut self, view: &FlowView) -> u32 {
        let path = self.path(view);
        self.keep(path)
    }

    fn keep(&mut self, path: Path) -> u32 {
        let hash = path.hash(self.seed);
        let slot = Slot {
            path,
            hash,
            spots: Spots::default(),
            flipped: false,
            last_row: None,
            recognised: None,
            ok_response: false,
        };
        match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = Some(slot);
                number
            }
            None => {
                self.slots.push(Some(slot));
                self.slots.len() as u32 - 1
            }
        }
    }

    /// A flow's slot.
    pub fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    /// The flow as the L7 side wants to know it; `slot` comes back with everything it tells.
    pub fn info(&self, view: &FlowView, slot: u32) -> FlowInfo {
        let (client, server) = (view.client(), view.server());
        let is_ipv4 = view.eth_type == ethertype::IPV4;
        FlowInfo {
            is_ipv4,
            ip: [bytes(client.addr, is_ipv4), bytes(server.addr, is_ipv4)],
            port: [client.port, server.port],
            direction_certain: view.direction_score == u8::MAX,
            direction_score: view.direction_score,
            observation_point: view.observation_point.name(),
            tunnel_type: client.tunnel.kind as u8,
            capture_nic: u32::from(view.interface),
            capture_network_type_id: self.capture_network_type_id,
            agent_id: self.agent_id,
            tag: u64::from(slot),
            ..FlowInfo::new(view.flow_id, view.protocol)
        }
    }

    /// Makes room for a socket's flow whose process was seen to make calls; completes what is known of it. `ends` are
    /// the addresses of its sides.
    pub fn open_socket(&mut self, info: &mut FlowInfo, ends: [mf_packet::Addr; 2]) {
        info.ip = ends.map(|address| bytes(address, info.is_ipv4));
        info.capture_network_type_id = self.capture_network_type_id;
        info.agent_id = self.agent_id;
        info.observation_point = info.seen_at(false);
        let [client, server] = ends;
        let path = Path {
            server,
            client,
            is_ipv4: info.is_ipv4,
            server_port: info.port[1],
            is_key_service: info.direction_certain,
            protocol: info.transport,
            observation_point: info.observation_point,
            capture_nic: 0,
            capture_nic_type: 0,
            capture_network_type_id: self.capture_network_type_id,
            tunnel_type: 0,
            nat_source: 0,
            agent_id: self.agent_id,
            signal_source: u16::from(info.signal_source),
        };
        info.tag = u64::from(self.keep(path));
    }

    fn path(&self, view: &FlowView) -> Path {
        let flow = Seen {
            client: view.client(),
            server: view.server(),
            eth_type: view.eth_type,
            protocol: view.protocol,
            direction_score: view.direction_score,
            observation_point: view.observation_point,
            interface: view.interface,
        };
        self.key(&flow)
    }

    fn key(&self, flow: &Seen<'_>) -> Path {
        Path {
            server: flow.server.addr,
            client: flow.client.addr,
            is_ipv4: flow.eth_type == ethertype::IPV4,
            server_port: flow.server.port,
            is_key_service: flow.direction_score == u8::MAX,
            protocol: flow.protocol,
            observation_point: flow.observation_point.name(),
            capture_nic: u32::from(flow.interface),
            capture_nic_type: 0,
            capture_network_type_id: self.capture_network_type_id,
            tunnel_type: flow.client.tunnel.kind as u8,
            nat_source: 0,
            agent_id: self.agent_id,
            signal_source: 0,
        }
    }

    /// The flow table turned client and server round, or knows more of the direction.
    pub fn update(&mut self, number: u32, view: &FlowView, flipped: bool) {
        let path = self.path(view);
        let hash = path.hash(self.seed);
        if let Some(slot) = self.slot(number) {
            slot.set_path(path, hash);
            slot.flipped = flipped;
        }
    }

    /// Counts a flow's second in the network documents.
    pub fn second(&mut self, report: &FlowReport, slot: Option<u32>) {
        if !self.metrics || report.kind != ReportKind::Second {
            return;
        }
        let path = self.key(&Seen {
            client: &report.client,
            server: &report.server,
            eth_type: report.eth_type,
            protocol: report.protocol,
            direction_score: report.direction_score,
            observation_point: report.observation_point,
            interface: report.interface,
        });
        let hash = path.hash(self.seed);
        if let Some(slot) = slot.and_then(|number| self.slot(number)) {
            slot.set_path(path, hash);
        }
        network(&mut self.network, report.period_ns, &path, hash, &mut Spot::default()).add(&meter(report));
    }

    /// Writes the row of a flow's minute.
    pub fn minute(&mut self, report: &FlowReport, stats: &L7Stats, domain: &str) {
        if !self.l4_rows {
            return;
        }
        let l7 =
            L7Part { stats, domain, agent_id: self.agent_id, capture_network_type_id: self.capture_network_type_id };
        write_flow(&mut self.flows, report, &l7);
    }

    /// Keeps a flow's last row until the L7 side has told everything.
    pub fn keep_last_row(&mut self, number: u32, report: &FlowReport) {
        if let Some(slot) = self.slot(number) {
            slot.last_row = Some(Box::new(report.clone()));
        }
    }

    /// Closes the seconds and minutes that ended long enough ago.
    pub fn advance(&mut self, now_ns: u64) {
        self.network.advance(now_ns);
        self.application.advance(now_ns);
    }

    /// Closes every second and minute.
    pub fn finish(&mut self) {
        self.network.finish();
        self.application.finish();
    }
}

/// Longest text of a key, in bytes: with the bound on the number of keys it bounds their memory.
const LONGEST_TEXT: usize = 512;

/// The beginning of a text, cut between characters.
#[inline]
fn clip(text: &str) -> &str {
    if text.len() <= LONGEST_TEXT {
        return text;
    }
    let end = (0..=LONGEST_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or("")
}

/// What a flow's view and its reports have in common.
struct Seen<'a> {
    client: &'a Endpoint,
    server: &'a Endpoint,
    eth_type: u16,
    protocol: u8,
    direction_score: u8,
    observation_point: ObservationPoint,
    interface: u16,
}

/// The address as the L7 side has it: an IPv4 address in the first four bytes.
fn bytes(address: mf_packet::Addr, is_ipv4: bool) -> [u8; 16] {
    if !is_ipv4 {
        return address.octets();
    }
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip((address.lo as u32).to_be_bytes()) {
        *to = from;
    }
    bytes
}

/// The network meter of a path in a second; `spot` is where the path's was last.
#[inline]
fn network<'a>(
    documents: &'a mut Documents<NetworkKey, NetworkMeter>,
    time_ns: u64,
    path: &Path,
    hash: u64,
    spot: &mut Spot,
) -> &'a mut NetworkMeter {
    documents.window(time_ns).meter(spot, |_| true, || hash, |key| key.0 == *path, || NetworkKey(*path))
}

fn meter(report: &FlowReport) -> NetworkMeter {
    let counts = &report.counts;
    let pair = |value: fn(&mf_flow::Traffic) -> u64| [value(&counts.tx), value(&counts.rx)];
    let delay = |from: &mf_flow::Latency| Latency { sum: from.sum, count: u64::from(from.count), max: from.max };
    let mut meter = NetworkMeter {
        packet: pair(|side| side.packets),
        byte: pair(|side| side.bytes),
        l3_byte: pair(|side| side.l3_bytes),
        l4_byte: pair(|side| side.l4_bytes),
        retrans: pair(|side| u64::from(side.retrans)),
        zero_win: pair(|side| u64::from(side.zero_win)),
        ooo: pair(|side| u64::from(side.ooo)),
        new_flow: u64::from(report.is_new_flow),
        closed_flow: u64::from(report.closing),
        syn_count: u64::from(counts.syn),
        synack_count: u64::from(counts.synack),
        retrans_syn: u64::from(counts.retrans_syn),
        retrans_synack: u64::from(counts.retrans_synack),
        rtt: delay(&counts.rtt),
        rtt_client: delay(&counts.rtt_client),
        rtt_server: delay(&counts.rtt_server),
        srt: delay(&counts.srt),
        art: delay(&counts.art),
        cit: delay(&counts.cit),
        flow_load: u64::from(counts.tx.packets + counts.rx.packets > 0),
        direction_score: report.direction_score,
        ..NetworkMeter::default()
    };
    if report.closing {
        meter.close(report.close_type as u16 as u8, report.protocol == proto::TCP);
    }
    meter
}

impl L7Sink for Output {
    fn exchange(&mut self, event: &ExchangeEvent<'_>) {
        let Some(Some(slot)) = self.slots.get_mut(event.info.tag as usize) else { return };
        if event.response > 0 {
            slot.ok_response = event.client_error == 0 && event.server_error == 0;
        }
        if !self.metrics {
            return;
        }
        let (mut turned, mut no_spots);
        let (path, path_hash, spots) = if event.reversed == slot.flipped {
            (&slot.path, slot.hash, &mut slot.spots)
        } else {
            // The parser knows better than the flow table, which will hear of it at its next report.
            (turned, no_spots) = (slot.path, Spots::default());
            std::mem::swap(&mut turned.client, &mut turned.server);
            turned.server_port = event.info.port[usize::from(!event.reversed)];
            if event.info.process_side.is_some() {
                turned.observation_point = event.info.seen_at(event.reversed);
            }
            let hash = turned.hash(self.seed);
            (&turned, hash, &mut no_spots)
        };
        let mut rrt = Latency::default();
        if let Some(us) = event.rrt_us {
            rrt.add(us);
        }
        // Of the many network meters an exchange has but these. A process's calls are no part of the network's.
        if event.info.process_side.is_none() {
            let meter = network(&mut self.network, event.time_ns, path, path_hash, &mut spots.network);
            meter.l7_request += u64::from(event.request);
            meter.l7_response += u64::from(event.response);
            meter.l7_client_error += u64::from(event.client_error);
            meter.l7_server_error += u64::from(event.server_error);
            meter.l7_timeout += u64::from(event.timeout);
            meter.rrt.merge(&rrt);
        }
        let count = ExchangeCount {
            time_ns: event.time_ns,
            path,
            path_hash,
            tags: AppTags {
                l7_protocol: event.protocol,
                biz_type: event.biz_type,
                is_tls: event.is_tls,
                app_service: clip(event.app_service),
                app_instance: clip(event.app_instance),
                endpoint: clip(event.endpoint),
            },
            meter: AppMeter {
                request: u64::from(event.request),
                response: u64::from(event.response),
                rrt,
                client_error: u64::from(event.client_error),
                server_error: u64::from(event.server_error),
                timeout: u64::from(event.timeout),
                direction_score: event.info.direction_score,
            },
        };
        let endpoint = count.tags.endpoint.as_bytes();
        let place = endpoint.len() ^ usize::from(endpoint.last().copied().unwrap_or(0));
        self.application.exchange(&count, &mut spots.application[place % ENDPOINTS]);
    }

    fn identified(&mut self, info: &FlowInfo, _protocol: u8, reversed: bool) {
        if let Some(slot) = self.slot(info.tag as u32) {
            slot.recognised = Some(reversed);
        }
    }

    fn ended(&mut self, info: &FlowInfo, stats: &L7Stats, last_domain: &str) {
        let number = info.tag as u32;
        let Some(slot) = self.slots.get_mut(number as usize).and_then(Option::take) else { return };
        self.free.push(number);
        if let Some(report) = slot.last_row {
            self.minute(&report, stats, last_domain);
        }
    }
}
