//! The columns that say whose flow it is, in the order both L7 tables begin with after their times.

use mf_column::Table;

use super::RowFlow;

/// Writes `flow_id is_ipv4 ip4_0 ip4_1 ip6_0 ip6_1 protocol client_port server_port` from column `first` on.
#[inline]
pub fn write_ends(table: &mut Table, first: usize, flow: &RowFlow<'_>) {
    let info = flow.info;
    let (client, server) = if flow.reversed { (1, 0) } else { (0, 1) };
    table.u64(first, info.flow_id);
    table.bool(first + 1, info.is_ipv4);
    if info.is_ipv4 {
        table.u32(first + 2, ip4(&info.ip[client]));
        table.u32(first + 3, ip4(&info.ip[server]));
    } else {
        table.bytes16(first + 4, info.ip[client]);
        table.bytes16(first + 5, info.ip[server]);
    }
    table.u8(first + 6, info.transport);
    table.u16(first + 7, info.port[client]);
    table.u16(first + 8, info.port[server]);
}

fn ip4(ip: &[u8; 16]) -> u32 {
    u32::from_be_bytes([ip[0], ip[1], ip[2], ip[3]])
}

/// Writes a text unless it is empty (an unset text is empty, and costs nothing).
#[inline]
pub fn text(table: &mut Table, index: usize, value: &str) {
    if !value.is_empty() {
        table.str(index, value);
    }
}

/// Writes `key\0value\0`... into a column of names and the next one of values.
pub fn attributes(table: &mut Table, index: usize, packed: &[&str]) {
    if packed.iter().all(|text| text.is_empty()) {
        return;
    }
    table.list_str(index, packed.iter().flat_map(|text| pairs(text)).map(|(key, _)| key));
    table.list_str(index + 1, packed.iter().flat_map(|text| pairs(text)).map(|(_, value)| value));
}

fn pairs(packed: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut parts = packed.split_terminator('\0');
    std::iter::from_fn(move || Some((parts.next()?, parts.next().unwrap_or(""))))
}
