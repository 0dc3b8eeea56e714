//! Who is the client (reference 3.6): handshakes, service scores, configured ports, parsers.

use mf_packet::transport::flags::SYN;
use mf_packet::{Packet, Transport};

use crate::flow::Flow;
use crate::perf::Perf;
use crate::service::{self, Services};
use crate::{FlowSink, FlowTable, Hints};

impl<E: Default> FlowTable<E> {
    pub(super) fn services(&mut self, v4: bool) -> &mut Services {
        if v4 {
            &mut self.services_v4
        } else {
            &mut self.services_v6
        }
    }

    /// What the first packet says about who the server is (3.6).
    pub(super) fn first_packet(&mut self, slot: u32, packet: &Packet<'_>) {
        let ((src, dst), (src_port, dst_port)) = (packet.addresses(), packet.ports());
        let syn = matches!(&packet.transport, Transport::Tcp(tcp) if tcp.flags & SYN != 0);
        let configured = |port: u16| self.config.server_ports.binary_search(&port).is_ok();
        let (src_configured, dst_configured) = (configured(src_port), configured(dst_port));
        let echo_reply = matches!(&packet.transport, Transport::Icmp(icmp) if icmp.is_echo_reply());
        let services = self.services(dst.is_v4());
        if dst_port != 0 && !syn {
            let less = services.score(src, src_port);
            if less > 0 && less <= service::BY_PACKETS {
                services.put(src, src_port, less - 1);
            }
            let more = services.score(dst, dst_port);
            if more < service::BY_PACKETS {
                services.put(dst, dst_port, more + 1);
            }
        }
        for (is_configured, addr, port) in [
            (src_configured, src, src_port),
            (dst_configured, dst, dst_port),
        ] {
            if is_configured && services.score(addr, port) < service::BY_CONFIG {
                services.put(addr, port, service::BY_CONFIG);
            }
        }
        if echo_reply {
            if let Some(flow) = self.flows.get_mut(slot as usize) {
                flow.view.client ^= 1;
                flow.view.observation_point = flow.view.observation_point.mirrored();
            }
        }
        self.score(slot);
    }

    /// Looks the scores up; true when client and server changed places.
    pub(super) fn score(&mut self, slot: u32) -> bool {
        let Some(flow) = self.flows.get(slot as usize) else {
            return false;
        };
        if !matches!(flow.perf, Perf::Tcp(_) | Perf::Udp(_)) {
            return false;
        }
        if flow.certain && flow.view.direction_score == service::CERTAIN {
            // Its own handshake said so: nothing can change that, and looking it up is dear with many flows.
            return false;
        }
        let certain = flow.certain;
        let (client, client_port) = (flow.view.client().addr, flow.view.client().port);
        let (server, server_port) = (flow.view.server().addr, flow.view.server().port);
        let services = self.services(client.is_v4());
        let theirs = services.score(client, client_port);
        let mut score = services.score(server, server_port);
        let mut turn = theirs > score;
        if theirs <= service::BY_PACKETS
            && score <= service::BY_PACKETS
            && theirs.abs_diff(score) < 8
        {
            // Too close to tell: an ephemeral port is a client's.
            match (client_port >= 32768, server_port >= 32768) {
                (true, false) => turn = false,
                (false, true) => turn = true,
                _ => {}
            }
        }
        turn &= !certain;
        if turn {
            score = theirs;
        }
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return false;
        };
        flow.view.direction_score = score;
        if turn {
            turn_round(flow);
        }
        turn
    }

    /// Before each output: hints of the parsers, then the scores.
    pub(super) fn review<S: FlowSink<Ext = E>>(&mut self, slot: u32, sink: &mut S) {
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return;
        };
        let hints = sink.hints(&flow.view, &mut flow.ext);
        flow.ok_later = hints.ok_response;
        if hints != Hints::default() {
            self.apply(slot, hints, sink);
        }
        if self.score(slot) {
            if let Some(flow) = self.flows.get_mut(slot as usize) {
                sink.on_reverse(&flow.view, &mut flow.ext);
            }
        }
    }

    pub(super) fn apply<S: FlowSink<Ext = E>>(&mut self, slot: u32, hints: Hints, sink: &mut S) {
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return;
        };
        let turn = hints.reversed && !flow.certain;
        if turn {
            turn_round(flow);
            sink.on_reverse(&flow.view, &mut flow.ext);
        }
        if !turn && !hints.confirmed {
            return;
        }
        let (client, server) = (*flow.view.client(), *flow.view.server());
        let services = self.services(server.addr.is_v4());
        if services.score(server.addr, server.port) < service::BY_PARSER {
            services.put(server.addr, server.port, service::BY_PARSER);
        }
        if turn {
            services.put(client.addr, client.port, 0);
        }
        let score = services.score(server.addr, server.port);
        if let Some(flow) = self.flows.get_mut(slot as usize) {
            flow.view.direction_score = score;
        }
    }

    /// A SYN or SYN-ACK is proof of who the server is.
    #[cold]
    pub(super) fn handshake<S: FlowSink<Ext = E>>(
        &mut self,
        slot: u32,
        side: usize,
        answer: bool,
        sink: &mut S,
    ) {
        let Some(flow) = self.flows.get_mut(slot as usize) else {
            return;
        };
        let opener = if answer { side ^ 1 } else { side };
        if !flow.certain || answer {
            flow.certain = true;
            if usize::from(flow.view.client) != opener {
                turn_round(flow);
                sink.on_reverse(&flow.view, &mut flow.ext);
            }
        }
        let (client, client_port) = (flow.view.client().addr, flow.view.client().port);
        let (server, server_port) = (flow.view.server().addr, flow.view.server().port);
        let services = self.services(server.is_v4());
        services.put(client, client_port, 0);
        let score = services.score(server, server_port);
        let better = if answer {
            service::CERTAIN
        } else {
            score.saturating_add(1).min(service::BY_PACKETS)
        };
        if better > score {
            services.put(server, server_port, better);
        }
        if let Some(flow) = self.flows.get_mut(slot as usize) {
            flow.view.direction_score = better.max(score);
        }
    }
}

/// Exchanges client and server.
fn turn_round<E>(flow: &mut Flow<E>) {
    flow.view.client ^= 1;
    flow.state = flow.state.mirrored();
    flow.view.observation_point = flow.view.observation_point.mirrored();
}
