//! Network documents: `network` and `network_map`.

use mf_column::Table;

use super::columns::{END_TAGS, PATH_TAGS};
use super::documents::{EdgeKey, Meter};
use super::key::{End, Path};
use super::meters::NetworkMeter;
use super::write::Writer;

/// A path is all the key there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NetworkKey(pub Path);

impl EdgeKey for NetworkKey {
    type End = End;

    fn hash(&self, seed: u64) -> u64 {
        self.0.hash(seed)
    }

    fn hash_end(end: &End, seed: u64) -> u64 {
        end.hash(seed)
    }

    fn ends(&self) -> [Option<End>; 2] {
        self.0.ends()
    }

    fn write(&self, table: &mut Table) {
        Writer::at(table, 1).path(&self.0);
    }

    fn write_end(end: &End, table: &mut Table) {
        Writer::at(table, 1).end(end);
    }
}

impl Meter for NetworkMeter {
    fn add(&mut self, other: &Self, reversed: bool) {
        if reversed {
            NetworkMeter::add(self, &other.reversed());
        } else {
            NetworkMeter::add(self, other);
        }
    }

    fn add_later(&mut self, other: &Self) {
        NetworkMeter::add_later(self, other);
    }

    fn write(&self, table: &mut Table) {
        self.columns(Writer::at(table, PATH_TAGS.len())).u8(self.direction_score);
    }

    fn write_end(&self, table: &mut Table) {
        self.columns(Writer::at(table, END_TAGS.len()));
    }
}

impl NetworkMeter {
    fn columns<'a>(&self, mut to: Writer<'a>) -> Writer<'a> {
        let sum = |pair: [u64; 2]| pair[0].saturating_add(pair[1]);
        to.u64(&[sum(self.packet), self.packet[0], self.packet[1], sum(self.byte), self.byte[0], self.byte[1]])
            .u64(&[self.l3_byte[0], self.l3_byte[1], self.l4_byte[0], self.l4_byte[1], self.new_flow, self.closed_flow])
            .u64(&[self.l7_request, self.l7_response, self.syn_count, self.synack_count])
            .latency(&self.rtt)
            .latency(&self.rtt_client)
            .latency(&self.rtt_server)
            .latency(&self.srt)
            .latency(&self.art)
            .latency(&self.rrt)
            .latency(&self.cit)
            .u64(&[self.retrans[0], self.retrans[1], sum(self.retrans)])
            .u64(&[self.zero_win[0], self.zero_win[1], sum(self.zero_win), self.retrans_syn, self.retrans_synack])
            .u64(&[self.client_rst_flow, self.server_rst_flow, self.server_syn_miss, self.client_ack_miss])
            .u64(&[
                self.client_half_close_flow,
                self.server_half_close_flow,
                self.client_source_port_reuse,
                self.server_reset,
            ])
            .u64(&[
                self.server_queue_lack,
                self.client_establish_other_rst,
                self.server_establish_other_rst,
                self.tcp_timeout,
            ])
            .u64(&[self.client_establish_fail(), self.server_establish_fail()])
            .u64(&[
                self.client_establish_fail() + self.server_establish_fail(),
                self.tcp_transfer_fail(),
                self.tcp_rst_fail(),
            ])
            .u64(&[self.ooo[0], self.ooo[1], self.l7_client_error, self.l7_server_error, self.l7_timeout])
            .u64(&[self.l7_client_error + self.l7_server_error, self.flow_load]);
        to
    }
}
