//! The columns that say whose flow it is, in the order both L7 tables begin with after their times.

use mf_column::Table;

use super::RowFlow;

/// `flow_id is_ipv4 ip4_0 ip4_1 ip6_0 ip6_1 protocol client_port server_port` of a row.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    flow_id: u64,
    /// Client's and server's address.
    ip: [[u8; 16]; 2],
    port: [u16; 2],
    is_ipv4: bool,
    transport: u8,
}

impl Ends {
    /// Those of a flow, client first.
    #[inline]
    pub fn of(flow: &RowFlow<'_>) -> Self {
        let info = flow.info;
        let (mut ip, mut port) = (info.ip, info.port);
        if flow.reversed {
            ip.reverse();
            port.reverse();
        }
        Ends { flow_id: info.flow_id, ip, port, is_ipv4: info.is_ipv4, transport: info.transport }
    }

    /// Writes the nine columns from `at` on for the rows from `first` on; `ends` gives each row's.
    pub fn spread<'a>(
        table: &mut Table,
        at: usize,
        first: usize,
        ends: impl ExactSizeIterator<Item = &'a Ends> + Clone,
    ) {
        table.fill_u64(at, first, ends.clone().map(|end| end.flow_id));
        let has_ip6 = ends.clone().any(|end| !end.is_ipv4);
        match has_ip6 {
            true => table.fill_bool(at + 1, first, ends.clone().map(|end| end.is_ipv4)),
            false => table.fill_same_bool(at + 1, first, true, ends.len()),
        }
        for side in 0..2 {
            table.fill_u32(at + 2 + side, first, ends.clone().map(|end| end.ip4(side)));
            // Unset rows repeat the row before: addresses of IPv6 once written are written to the end.
            if has_ip6 || table.is_written(at + 4 + side) {
                table.fill_bytes16(at + 4 + side, first, ends.clone().map(|end| end.ip6(side)));
            }
        }
        table.fill_u8(at + 6, first, ends.clone().map(|end| end.transport));
        table.fill_u16(at + 7, first, ends.clone().map(|end| end.port[0]));
        table.fill_u16(at + 8, first, ends.map(|end| end.port[1]));
    }

    fn ip4(&self, side: usize) -> u32 {
        let [a, b, c, d, ..] = self.ip[side];
        if self.is_ipv4 {
            u32::from_be_bytes([a, b, c, d])
        } else {
            0
        }
    }

    fn ip6(&self, side: usize) -> [u8; 16] {
        if self.is_ipv4 {
            [0; 16]
        } else {
            self.ip[side]
        }
    }
}

/// What the repeating columns of a table's last row say; nothing is known of an empty table.
#[derive(Debug, Default)]
pub struct Repeats {
    place: Option<Place>,
}

/// Where a row was captured and who read it, packed: what differs makes different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    small: u64,
    nic: u64,
    seen_at: *const u8,
}

impl Repeats {
    /// Whether the place differs from the last row's, which it then is. `parser` and `protocol` tell who read it.
    #[inline]
    pub fn moved(&mut self, flow: &RowFlow<'_>, parser: u16, protocol: u8) -> bool {
        let info = flow.info;
        let place = Some(Place {
            small: u64::from(parser)
                | u64::from(protocol) << 16
                | u64::from(info.signal_source) << 24
                | u64::from(info.tunnel_type) << 32
                | u64::from(info.capture_nic_type) << 40
                | u64::from(info.capture_network_type_id) << 48
                | u64::from(info.nat_source) << 56,
            nic: u64::from(info.capture_nic) | u64::from(info.agent_id) << 32,
            // Constant texts: equal places are equal pointers, and others only cost a row written in full.
            seen_at: info.seen_at(flow.reversed).as_ptr(),
        });
        let moved = self.place != place;
        self.place = place;
        moved
    }
}

/// Writes a text unless it is empty (an unset text is empty, and costs nothing).
#[inline]
pub fn text(table: &mut Table, index: usize, value: &str) {
    if !value.is_empty() {
        table.utf8(index, value);
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
