//! The columns of the documents. Names and units are the catalogue's: `time` is in seconds, delays in microseconds.

use mf_column::{Field, Schema, Type};

use super::documents::Schemas;

/// Puts lists of columns one after the other at compile time.
///
/// # Panics
/// When `N` is not the sum of the lengths (at compile time).
pub const fn join<const N: usize>(parts: &[&[Field]]) -> [Field; N] {
    let mut fields = [Field::new("", Type::U8); N];
    let (mut part, mut at) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            fields[at] = parts[part][index];
            at += 1;
            index += 1;
        }
        part += 1;
    }
    assert!(at == N, "the number of columns is not the sum of the parts");
    fields
}

macro_rules! fields {
    ($($ty:ident { $($name:ident)* })*) => { &[$($(Field::new(stringify!($name), Type::$ty),)*)*] };
}

/// Tags of a one-ended document; column 0 is the time.
pub const END_TAGS: &[Field] = fields! {
    U32 { time }
    U32 { ip4 } Fixed16 { ip6 } Bool { is_ipv4 } U8 { role protocol } U16 { server_port } Bool { is_key_service }
    U8 { capture_network_type_id } U16 { signal_source agent_id }
};
/// Tags of a two-ended document; column 0 is the time.
pub const PATH_TAGS: &[Field] = fields! {
    U32 { time }
    U32 { ip4_0 ip4_1 } Fixed16 { ip6_0 ip6_1 } Bool { is_ipv4 } U8 { protocol } U16 { server_port } Bool { is_key_service }
    U8 { capture_network_type_id } U16 { signal_source agent_id }
    DictUtf8 { observation_point } U32 { capture_nic } U8 { capture_nic_type tunnel_type nat_source }
};
/// Further tags of application documents.
pub const APP_TAGS: &[Field] =
    fields! { U8 { l7_protocol biz_type } Bool { is_tls } DictUtf8 { app_service app_instance endpoint } };

/// Meters of network documents.
pub const NETWORK_METERS: &[Field] = fields! {
    U64 {
        packet packet_tx packet_rx byte byte_tx byte_rx l3_byte_tx l3_byte_rx l4_byte_tx l4_byte_rx
        new_flow closed_flow l7_request l7_response syn_count synack_count
    }
    U32 { rtt_max } F64 { rtt_sum } U64 { rtt_count }
    U32 { rtt_client_max } F64 { rtt_client_sum } U64 { rtt_client_count }
    U32 { rtt_server_max } F64 { rtt_server_sum } U64 { rtt_server_count }
    U32 { srt_max } F64 { srt_sum } U64 { srt_count }
    U32 { art_max } F64 { art_sum } U64 { art_count }
    U32 { rrt_max } F64 { rrt_sum } U64 { rrt_count }
    U32 { cit_max } F64 { cit_sum } U64 { cit_count }
    U64 {
        retrans_tx retrans_rx retrans zero_win_tx zero_win_rx zero_win retrans_syn retrans_synack
        client_rst_flow server_rst_flow server_syn_miss client_ack_miss client_half_close_flow server_half_close_flow
        client_source_port_reuse server_reset server_queue_lack client_establish_other_rst server_establish_other_rst
        tcp_timeout client_establish_fail server_establish_fail tcp_establish_fail tcp_transfer_fail tcp_rst_fail
        ooo_tx ooo_rx l7_client_error l7_server_error l7_timeout l7_error flow_load
    }
};
/// Meters of application documents.
pub const APP_METERS: &[Field] = fields! {
    U64 { request response } U32 { rrt_max } F64 { rrt_sum } U64 { rrt_count client_error server_error timeout error }
};
/// The score exists on paths only.
pub const SCORE: &[Field] = fields! { U8 { direction_score } };

const NETWORK: [Field; END_TAGS.len() + NETWORK_METERS.len()] = join(&[END_TAGS, NETWORK_METERS]);
const NETWORK_MAP: [Field; PATH_TAGS.len() + NETWORK_METERS.len() + 1] = join(&[PATH_TAGS, NETWORK_METERS, SCORE]);
const APP: [Field; END_TAGS.len() + APP_TAGS.len() + APP_METERS.len()] = join(&[END_TAGS, APP_TAGS, APP_METERS]);
const APP_MAP: [Field; PATH_TAGS.len() + APP_TAGS.len() + APP_METERS.len() + 1] =
    join(&[PATH_TAGS, APP_TAGS, APP_METERS, SCORE]);

static NETWORK_1S: Schema = Schema { name: "network.1s", fields: &NETWORK };
static NETWORK_1M: Schema = Schema { name: "network.1m", fields: &NETWORK };
static NETWORK_MAP_1S: Schema = Schema { name: "network_map.1s", fields: &NETWORK_MAP };
static NETWORK_MAP_1M: Schema = Schema { name: "network_map.1m", fields: &NETWORK_MAP };
static APP_1S: Schema = Schema { name: "application.1s", fields: &APP };
static APP_1M: Schema = Schema { name: "application.1m", fields: &APP };
static APP_MAP_1S: Schema = Schema { name: "application_map.1s", fields: &APP_MAP };
static APP_MAP_1M: Schema = Schema { name: "application_map.1m", fields: &APP_MAP };

/// The tables of network documents.
pub static NETWORK_SCHEMAS: Schemas = Schemas {
    end_second: &NETWORK_1S,
    end_minute: &NETWORK_1M,
    path_second: &NETWORK_MAP_1S,
    path_minute: &NETWORK_MAP_1M,
};
/// The tables of application documents.
pub static APP_SCHEMAS: Schemas =
    Schemas { end_second: &APP_1S, end_minute: &APP_1M, path_second: &APP_MAP_1S, path_minute: &APP_MAP_1M };
