//! Writing one row of `l4_flow_log`.

use mf_column::Table;
use mf_flow::{Endpoint, FlowReport};
use mf_l7::L7Stats;

use super::columns::L4_FLOW_LOG;

macro_rules! columns {
    ($($name:ident)*) => {
        #[allow(non_upper_case_globals)]
        mod column { $(pub const $name: usize = super::L4_FLOW_LOG.column(stringify!($name));)* }
    };
}

columns! {
    start_time_ns end_time_ns duration flow_id is_new_flow init_ipid mac_0 mac_1 eth_type vlan is_ipv4 ip4_0 ip4_1
    ip6_0 ip6_1 protocol client_port server_port tunnel_tier tunnel_type tunnel_tx_id tunnel_rx_id tunnel_is_ipv4
    tunnel_tx_ip4_0 tunnel_rx_ip4_0 tunnel_tx_ip6_0 tunnel_rx_ip6_0 tunnel_tx_mac_0 tunnel_rx_mac_0 tcp_flags_bit_0
    syn_seq syn_ack_seq last_keepalive_seq last_keepalive_ack l7_protocol request_domain close_type status
    capture_network_type_id capture_nic observation_point agent_id direction_score packet_tx byte_tx l3_byte_tx
    l4_byte_tx total_packet_tx total_packet_rx total_byte_tx total_byte_rx retrans_tx zero_win_tx ooo_tx syn_count
    synack_count fin_count retrans_syn retrans_synack l7_request l7_response l7_parse_failed l7_client_error
    l7_server_error l7_server_timeout l7_error rtt rtt_client rtt_server srt_sum art_sum rrt_sum rrt_count rrt_max
    cit_sum
}

/// What the L7 side knows of the flow and period that a row covers, and who captured.
#[derive(Clone, Copy, Debug)]
pub struct L7Part<'a> {
    /// totals of the period
    pub stats: &'a L7Stats,
    /// domain last asked for
    pub domain: &'a str,
    /// the agent that captured
    pub agent_id: u16,
    /// 3 = cloud
    pub capture_network_type_id: u8,
}

/// Writes one row.
pub fn write_flow(table: &mut Table, report: &FlowReport, l7: &L7Part<'_>) {
    table.u64(column::start_time_ns, report.start_ns);
    table.u64(column::end_time_ns, report.end_ns);
    table.u64(column::duration, report.duration_us());
    table.u64(column::flow_id, report.flow_id);
    table.bool(column::is_new_flow, report.is_new_flow);
    table.u16(column::init_ipid, report.init_ipid);
    table.u64(column::mac_0, report.client.mac);
    table.u64(column::mac_1, report.server.mac);
    table.u16(column::eth_type, report.eth_type);
    table.u16(column::vlan, report.vlan);
    table.u8(column::protocol, report.protocol);
    table.u16(column::client_port, report.client.port);
    table.u16(column::server_port, report.server.port);
    addresses(table, report);
    tunnels(table, &report.client, &report.server);
    table.u32(column::syn_seq, report.syn_seq);
    table.u32(column::syn_ack_seq, report.syn_ack_seq);
    table.u32(column::last_keepalive_seq, report.last_keepalive_seq);
    table.u32(column::last_keepalive_ack, report.last_keepalive_ack);
    table.u16(column::close_type, report.close_type as u16);
    table.u8(column::status, report.status as u8);
    table.u8(column::capture_network_type_id, l7.capture_network_type_id);
    table.u32(column::capture_nic, u32::from(report.interface));
    table.str(column::observation_point, report.observation_point.name());
    table.u16(column::agent_id, l7.agent_id);
    table.u8(column::direction_score, report.direction_score);
    counts(table, report);
    application(table, l7);
    table.end_row();
}

fn addresses(table: &mut Table, report: &FlowReport) {
    let is_ipv4 = report.eth_type == mf_packet::ethertype::IPV4;
    table.bool(column::is_ipv4, is_ipv4);
    if is_ipv4 {
        table.u32(column::ip4_0, report.client.addr.lo as u32);
        table.u32(column::ip4_1, report.server.addr.lo as u32);
    } else if report.eth_type == mf_packet::ethertype::IPV6 {
        table.bytes16(column::ip6_0, report.client.addr.octets());
        table.bytes16(column::ip6_1, report.server.addr.octets());
    }
}

/// The outermost tunnel: tx is what the client sends, `_0` its outer source.
fn tunnels(table: &mut Table, client: &Endpoint, server: &Endpoint) {
    let (tx, rx) = (&client.tunnel, &server.tunnel);
    let any = if tx.tier > 0 { tx } else { rx };
    if any.tier == 0 {
        return;
    }
    table.u8(column::tunnel_tier, any.tier);
    table.u8(column::tunnel_type, any.kind as u8);
    table.u32(column::tunnel_tx_id, tx.id);
    table.u32(column::tunnel_rx_id, rx.id);
    table.bool(column::tunnel_is_ipv4, any.src.is_v4());
    let ways = [
        (tx, column::tunnel_tx_ip4_0, column::tunnel_tx_ip6_0, column::tunnel_tx_mac_0),
        (rx, column::tunnel_rx_ip4_0, column::tunnel_rx_ip6_0, column::tunnel_rx_mac_0),
    ];
    for (tunnel, ip4, ip6, mac) in ways.into_iter().filter(|way| way.0.tier > 0) {
        for (end, (address, hardware)) in
            [(tunnel.src, tunnel.src_mac), (tunnel.dst, tunnel.dst_mac)].into_iter().enumerate()
        {
            match address.as_v4() {
                Some(bits) => table.u32(ip4 + end, bits),
                None => table.bytes16(ip6 + end, address.octets()),
            }
            table.u32(mac + end, hardware as u32);
        }
    }
}

fn counts(table: &mut Table, report: &FlowReport) {
    let counts = &report.counts;
    for (side, traffic) in [counts.tx, counts.rx].into_iter().enumerate() {
        // The column of what the server sent follows that of the client in each pair.
        table.u16(column::tcp_flags_bit_0 + side, u16::from(traffic.tcp_flags));
        table.u64(column::packet_tx + side, traffic.packets);
        table.u64(column::byte_tx + side, traffic.bytes);
        table.u64(column::l3_byte_tx + side, traffic.l3_bytes);
        table.u64(column::l4_byte_tx + side, traffic.l4_bytes);
        table.u32(column::retrans_tx + side, traffic.retrans);
        table.u32(column::zero_win_tx + side, traffic.zero_win);
        table.u32(column::ooo_tx + side, traffic.ooo);
    }
    table.u64(column::total_packet_tx, report.total_packet_tx);
    table.u64(column::total_packet_rx, report.total_packet_rx);
    table.u64(column::total_byte_tx, report.total_byte_tx);
    table.u64(column::total_byte_rx, report.total_byte_rx);
    table.u32(column::syn_count, counts.syn);
    table.u32(column::synack_count, counts.synack);
    table.u32(column::fin_count, counts.fin);
    table.u32(column::retrans_syn, counts.retrans_syn);
    table.u32(column::retrans_synack, counts.retrans_synack);
    table.f64(column::rtt, counts.rtt.mean());
    table.f64(column::rtt_client, counts.rtt_client.mean());
    table.f64(column::rtt_server, counts.rtt_server.mean());
    let delays = [(&counts.srt, column::srt_sum), (&counts.art, column::art_sum), (&counts.cit, column::cit_sum)];
    for (delay, first) in delays {
        table.f64(first, delay.sum as f64);
        table.u64(first + 1, u64::from(delay.count));
        table.u32(first + 2, delay.max);
    }
}

fn application(table: &mut Table, l7: &L7Part<'_>) {
    let stats = l7.stats;
    table.u8(column::l7_protocol, stats.protocol);
    table.str(column::request_domain, l7.domain);
    table.u32(column::l7_request, stats.requests);
    table.u32(column::l7_response, stats.responses);
    table.u32(column::l7_parse_failed, stats.parse_failed);
    table.u32(column::l7_client_error, stats.client_errors);
    table.u32(column::l7_server_error, stats.server_errors);
    table.u32(column::l7_server_timeout, stats.timeouts);
    table.u32(column::l7_error, stats.client_errors.saturating_add(stats.server_errors));
    table.f64(column::rrt_sum, stats.rrt_sum as f64);
    table.u64(column::rrt_count, u64::from(stats.rrt_count));
    table.u32(column::rrt_max, u32::try_from(stats.rrt_max).unwrap_or(u32::MAX));
}
