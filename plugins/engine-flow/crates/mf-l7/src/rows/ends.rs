//! The columns that say whose flow it is, in the order both L7 tables begin with after their times.

use mf_column::Table;

use super::RowFlow;

/// Writes `flow_id is_ipv4 ip4_0 ip4_1 ip6_0 ip6_1 protocol client_port server_port` from column `first` on. All but
/// the flow and its client's port are repeating columns: they are written when they change.
#[inline]
pub fn write_ends(table: &mut Table, first: usize, flow: &RowFlow<'_>, before: &mut Repeats) {
    let info = flow.info;
    let (client, server) = if flow.reversed { (1, 0) } else { (0, 1) };
    table.u64(first, info.flow_id);
    table.u16(first + 7, info.port[client]);
    let service =
        Service { is_ipv4: info.is_ipv4, transport: info.transport, ip: info.ip[server], port: info.port[server] };
    if before.service != Some(service) {
        before.service = Some(service);
        table.bool(first + 1, info.is_ipv4);
        table.u8(first + 6, info.transport);
        table.u16(first + 8, service.port);
        write_ip(table, first + 3, info.is_ipv4, &service.ip, &mut before.has_ip6[1]);
        before.client = None;
    }
    if before.client != Some(info.ip[client]) {
        before.client = Some(info.ip[client]);
        write_ip(table, first + 2, info.is_ipv4, &info.ip[client], &mut before.has_ip6[0]);
    }
}

/// Writes an address into column `at` or, of IPv6, the next but one, and takes back what the other repeats.
fn write_ip(table: &mut Table, at: usize, is_ipv4: bool, ip: &[u8; 16], has_ip6: &mut bool) {
    if is_ipv4 {
        table.u32(at, ip4(ip));
        if *has_ip6 {
            table.bytes16(at + 2, [0; 16]);
        }
    } else {
        *has_ip6 = true;
        table.u32(at, 0);
        table.bytes16(at + 2, *ip);
    }
}

/// What the repeating columns of a table's last row say; nothing is known of an empty table.
#[derive(Debug, Default)]
pub struct Repeats {
    service: Option<Service>,
    client: Option<[u8; 16]>,
    has_ip6: [bool; 2],
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Service {
    is_ipv4: bool,
    transport: u8,
    ip: [u8; 16],
    port: u16,
}

/// Where a row was captured and who read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    parser: u16,
    protocol: u8,
    seen_at: *const str,
    agent_id: u16,
    capture_nic: u32,
    small: [u8; 5],
}

impl Repeats {
    /// Whether the place differs from the last row's, which it then is. `parser` and `protocol` tell who read it.
    #[inline]
    pub fn moved(&mut self, flow: &RowFlow<'_>, parser: u16, protocol: u8) -> bool {
        let info = flow.info;
        let place = Some(Place {
            parser,
            protocol,
            // Constant texts: equal places are equal pointers, and others only cost a row written in full.
            seen_at: info.seen_at(flow.reversed),
            agent_id: info.agent_id,
            capture_nic: info.capture_nic,
            small: [
                info.signal_source,
                info.tunnel_type,
                info.capture_nic_type,
                info.capture_network_type_id,
                info.nat_source,
            ],
        });
        let moved = self.place != place;
        self.place = place;
        moved
    }
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
