//! The other half of a flow: what one side sends may travel in another VLAN or another tunnel than what the other side sends
//! (a network identifier for each direction, a tag that a card strips in one direction, a tunnel there and none back).

use mf_packet::transport::flags::{ACK, SYN};
use mf_packet::{Packet, Transport};

use crate::flow::Flow;
use crate::perf::Perf;
use crate::table::FlowTable;
use crate::timer::Entry;
use crate::Key;

/// Flows that began last, by what both directions have in common: this many, a later one takes the place of an earlier one.
const PLACES: usize = 8192;

/// A second key of a flow and its hash.
#[derive(Debug)]
pub(crate) struct Alias {
    pub key: Key,
    pub hash: u64,
}

/// Where a flow that began is, by its loose hash.
#[derive(Debug)]
pub(crate) struct Halves {
    places: Vec<(u64, Entry)>,
}

impl Halves {
    pub fn new() -> Self {
        Self {
            places: vec![(0, (0, 0)); PLACES],
        }
    }

    fn place(hash: u64) -> usize {
        hash as usize % PLACES
    }

    pub fn began(&mut self, hash: u64, entry: Entry) {
        if let Some(place) = self.places.get_mut(Self::place(hash)) {
            *place = (hash, entry);
        }
    }

    pub fn find(&self, hash: u64) -> Option<Entry> {
        let place = self.places.get(Self::place(hash))?;
        (place.0 == hash).then_some(place.1)
    }
}

impl<E: Default> FlowTable<E> {
    /// The flow whose other direction this packet of `side` begins, when there is one; it has a second key then.
    #[cold]
    pub(super) fn join(
        &mut self,
        key: &Key,
        hash: u64,
        side: usize,
        packet: &Packet<'_>,
    ) -> Option<u32> {
        let (slot, generation) = self.halves.find(key.loose_hash(self.seed))?;
        let patience = self.config.timeouts.opening;
        let flow = self.flows.get_mut(slot as usize)?;
        let answers = flow.alive
            && flow.generation == generation
            && flow.alias.is_none()
            && flow.key.same_ends(key)
            && flow.total_packets[side & 1] == 0
            && packet.time_ns.abs_diff(flow.last_ns) <= patience
            && can_answer(flow, packet);
        if !answers {
            return None;
        }
        flow.alias = Some(Box::new(Alias { key: *key, hash }));
        let flows = &self.flows;
        self.index
            .insert_alias(hash, slot, |cell| hash_of(flows, cell));
        self.counters.hit("flow", "direction_on_another_way");
        Some(slot)
    }
}

/// Whether a packet can be the first one of a flow's silent side.
fn can_answer<E>(flow: &Flow<E>, packet: &Packet<'_>) -> bool {
    match (&packet.transport, &flow.perf) {
        (Transport::Tcp(tcp), Perf::Tcp(perf)) => match tcp.flags & (SYN | ACK) {
            // A SYN-ACK answers this flow's SYN and no other.
            f if f == SYN | ACK => tcp.ack == perf.syn_seq.wrapping_add(1),
            f => f == ACK,
        },
        (Transport::Udp(_), Perf::Udp(_)) => true,
        (Transport::Icmp(icmp), Perf::Echo(_)) => icmp.is_echo_reply(),
        _ => false,
    }
}

/// The hash of what a cell of the index stands for.
#[inline]
pub(super) fn hash_of<E>(flows: &[Flow<E>], cell: crate::index::Cell) -> u64 {
    let flow = flows.get(cell.slot as usize);
    if cell.alias {
        let alias = flow.and_then(|flow| flow.alias.as_ref());
        alias.map_or(0, |alias| alias.hash)
    } else {
        flow.map_or(0, |flow| flow.hash)
    }
}
