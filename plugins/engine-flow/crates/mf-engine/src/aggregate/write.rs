//! Writing tags and meters by position: the order is that of `columns.rs`, and a test holds them together.

use mf_column::Table;
use mf_packet::Addr;

use super::key::{End, Path};
use super::meters::Latency;

/// Writes values to consecutive columns.
#[derive(Debug)]
pub struct Writer<'a> {
    table: &'a mut Table,
    next: usize,
}

impl<'a> Writer<'a> {
    /// Starts at a column.
    pub fn at(table: &'a mut Table, column: usize) -> Self {
        Writer { table, next: column }
    }

    fn step(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// The next column is a `U8`.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        let column = self.step();
        self.table.u8(column, value);
        self
    }

    /// The next column is a `Bool`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        let column = self.step();
        self.table.bool(column, value);
        self
    }

    /// The next column is a `U16`.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        let column = self.step();
        self.table.u16(column, value);
        self
    }

    /// The next column is a `U32`.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        let column = self.step();
        self.table.u32(column, value);
        self
    }

    /// The next columns are `U64`s.
    pub fn u64(&mut self, values: &[u64]) -> &mut Self {
        for value in values {
            let column = self.step();
            self.table.u64(column, *value);
        }
        self
    }

    /// The next column is a text.
    pub fn str(&mut self, value: &str) -> &mut Self {
        let column = self.step();
        self.table.str(column, value);
        self
    }

    /// The next columns are IPv4 and IPv6 addresses (`U32`s, then `Fixed16`s); the family that does not apply is zero.
    pub fn ips(&mut self, addresses: &[Addr], is_ipv4: bool) -> &mut Self {
        for address in addresses {
            let column = self.step();
            self.table.u32(column, if is_ipv4 { address.lo as u32 } else { 0 });
        }
        for address in addresses {
            let column = self.step();
            self.table.bytes16(column, if is_ipv4 { [0; 16] } else { address.octets() });
        }
        self
    }

    /// The next three columns are a delay's maximum, sum and count.
    pub fn latency(&mut self, latency: &Latency) -> &mut Self {
        let column = self.step();
        self.table.u32(column, latency.max);
        let column = self.step();
        self.table.f64(column, latency.sum as f64);
        self.u64(&[latency.count])
    }

    /// The tags of a one-ended document after its time.
    pub fn end(&mut self, end: &End) -> &mut Self {
        self.ips(&[end.ip], end.is_ipv4)
            .bool(end.is_ipv4)
            .u8(end.role as u8)
            .u8(end.protocol)
            .u16(end.server_port)
            .bool(end.is_key_service)
            .u8(end.capture_network_type_id)
            .u16(end.signal_source)
            .u16(end.agent_id)
    }

    /// The tags of a two-ended document after its time.
    pub fn path(&mut self, path: &Path) -> &mut Self {
        self.ips(&[path.client, path.server], path.is_ipv4)
            .bool(path.is_ipv4)
            .u8(path.protocol)
            .u16(path.server_port)
            .bool(path.is_key_service)
            .u8(path.capture_network_type_id)
            .u16(path.signal_source)
            .u16(path.agent_id)
            .str(path.observation_point)
            .u32(path.capture_nic)
            .u8(path.capture_nic_type)
            .u8(path.tunnel_type)
            .u8(path.nat_source)
    }
}
