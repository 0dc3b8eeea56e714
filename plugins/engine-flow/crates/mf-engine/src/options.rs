//! Options of an engine: `key=value` lines, each checked, with sentences for mistakes.

use std::str::FromStr;

use mf_flow::AgentKind;
use mf_l7::L7Options;
use mf_packet::{Addr, DecoderConfig};

use crate::aggregate::Limits;

const MS: u64 = 1_000_000;

/// What an engine was asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// engines that share the input
    pub shards: u64,
    /// which of them this one is
    pub shard: u64,
    /// number of the agent that captures, written to rows
    pub agent_id: u16,
    /// network that the capture point belongs to; 3 = cloud
    pub capture_network_type_id: u8,
    /// rows of `l4_flow_log` are written
    pub l4_flow_log: bool,
    /// metrics documents are made
    pub metrics: bool,
    /// bounds of the aggregation
    pub aggregate: Limits,
    /// sources (files, interfaces) with a state of their own
    pub sources: usize,
    /// decoding
    pub decoder: DecoderConfig,
    /// flow table
    pub flow: mf_flow::Config,
    /// how long a call that is missing among those of its socket is waited for, nanoseconds
    pub call_wait_ns: u64,
    /// how long a datagram socket's peer may be silent, nanoseconds
    pub datagram_idle_ns: u64,
    /// streams, parsers, pairing
    pub l7: L7Options,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            shards: 1,
            shard: 0,
            agent_id: 0,
            capture_network_type_id: 3,
            l4_flow_log: true,
            metrics: true,
            aggregate: Limits { delay_ns: 2000 * MS, keys: 1 << 16, seconds: true },
            sources: 1024,
            decoder: DecoderConfig::default(),
            flow: mf_flow::Config::default(),
            call_wait_ns: 100 * MS,
            datagram_idle_ns: 60_000 * MS,
            l7: L7Options::default(),
        }
    }
}

impl Options {
    /// Reads `key=value` lines; empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// A sentence that names the line's number, what was found and what was expected.
    pub fn parse(text: &str) -> Result<Options, String> {
        let mut options = Options::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Err(format!("engine options, line {}: found `{line}`, expected key=value", number + 1));
            };
            options
                .set(key.trim(), value.trim())
                .map_err(|error| format!("engine options, line {}: {error}", number + 1))?;
        }
        if options.shard >= options.shards {
            let (shard, shards) = (options.shard, options.shards);
            return Err(format!(
                "engine options: shard={shard} with shards={shards}: shard counts from 0 and must be below shards"
            ));
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let (flow, l7) = (&mut self.flow, &mut self.l7);
        let to = Value { key, text: value };
        match key {
            "shards" => self.shards = to.number(1, 256)?,
            "shard" => self.shard = to.number(0, 255)?,
            "agent_id" => self.agent_id = to.number(0, 65_535)?,
            "capture_network_type_id" => self.capture_network_type_id = to.number(0, 255)?,
            "sources" => self.sources = to.number(1, 1 << 20)?,
            "l4_flow_log" => self.l4_flow_log = to.flag()?,
            "metrics" => self.metrics = to.flag()?,
            "second_metrics" => self.aggregate.seconds = to.flag()?,
            "aggregate_delay_ms" => self.aggregate.delay_ns = to.number::<u64>(0, 600_000)? * MS,
            "aggregate_keys" => self.aggregate.keys = to.number(16, 1 << 26)?,
            "tunnels" => self.decoder.tunnels = tunnels(&to)?,
            "max_flows" => flow.max_flows = to.number(16, 1 << 26)?,
            "key_interface" => flow.key_interface = to.flag()?,
            "key_tunnel_id" => flow.key_tunnel_id = to.flag()?,
            "duplicate_ms" => flow.duplicate_ns = to.number::<u64>(0, 10_000)? * MS,
            "server_ports" => flow.server_ports = to.list(|port| port.parse().ok(), "ports, such as 80,443")?,
            "local_agent" => flow.local.agent = agent(&to)?,
            "local_ips" => {
                flow.local.ips = to.list(address, "IP addresses, such as 10.0.0.7,fd00::7")?.into_iter().collect()
            }
            "local_macs" => {
                flow.local.macs = to.list(mac, "MAC addresses, such as 02:00:5e:10:00:01")?.into_iter().collect()
            }
            "tap_macs" => {
                flow.local.tap_macs =
                    to.list(tap, "interface/MAC pairs, such as 0/02:00:5e:10:00:01")?.into_iter().collect();
            }
            "local_endpoints" => {
                flow.local.endpoints =
                    to.list(endpoint, "MAC/IP pairs, such as 02:00:5e:10:00:01/10.0.0.7")?.into_iter().collect();
            }
            "opening_timeout_ms" => flow.timeouts.opening = to.number::<u64>(1, 86_400_000)? * MS,
            "established_timeout_ms" => flow.timeouts.established = to.number::<u64>(1, 86_400_000)? * MS,
            "closing_timeout_ms" => flow.timeouts.closing = to.number::<u64>(1, 86_400_000)? * MS,
            "established_rst_timeout_ms" => flow.timeouts.established_rst = to.number::<u64>(1, 86_400_000)? * MS,
            "exception_timeout_ms" => flow.timeouts.exception = to.number::<u64>(1, 86_400_000)? * MS,
            "closed_fin_timeout_ms" => flow.timeouts.closed_fin = to.number::<u64>(1, 86_400_000)? * MS,
            "single_direction_timeout_ms" => flow.timeouts.single_direction = to.number::<u64>(1, 86_400_000)? * MS,
            "opening_rst_timeout_ms" => flow.timeouts.opening_rst = to.number::<u64>(1, 86_400_000)? * MS,
            "call_wait_ms" => self.call_wait_ns = to.number::<u64>(0, 600_000)? * MS,
            "datagram_idle_ms" => self.datagram_idle_ns = to.number::<u64>(1, 86_400_000)? * MS,
            "explain" => l7.explain = to.flag()?,
            "explain_steps_per_second" => l7.explain_steps_per_second = to.number(0, 1 << 20)?,
            "l7_message" => l7.messages = to.flag()?,
            "l7_flow_log" => l7.flow_log = to.flag()?,
            "stream_bytes" => l7.stream_bytes = to.number(1 << 10, 1 << 30)?,
            "stream_segments" => l7.stream_segments = to.number(1, 1 << 20)?,
            "l7_bytes" => l7.total_bytes = to.number(1 << 16, 1 << 31)?,
            "hole_wait_ms" => l7.hole_wait_ns = to.number::<u64>(0, 600_000)? * MS,
            "batch_segments" => l7.batch_segments = to.number(1, 1 << 20)?,
            "batch_bytes" => l7.batch_bytes = to.number(1 << 10, 1 << 28)?,
            "batch_age_ms" => l7.batch_age_ns = to.number::<u64>(0, 600_000)? * MS,
            "external_bytes" => l7.external_bytes = to.number(1 << 16, 1 << 31)?,
            "infer_segments" => l7.infer_segments = to.number(1, 65_535)?,
            "endpoint_cache" => l7.endpoint_cache = to.number(0, 1 << 24)?,
            "endpoint_ttl_ms" => l7.endpoint_ttl_ns = to.number::<u64>(0, 86_400_000)? * MS,
            "endpoint_failures" => l7.endpoint_failures = to.number(1, 1 << 30)?,
            "pending_per_flow" => l7.pending_per_flow = to.number(1, 1 << 24)?,
            "pending_total" => l7.pending_total = to.number(16, 1 << 26)?,
            _ => {
                return Err(format!(
                    "there is no option `{key}`; the options are listed in plugins/engine-flow/README.md"
                ))
            }
        }
        Ok(())
    }
}

/// A value and the key it is for, to make sentences of.
struct Value<'a> {
    key: &'a str,
    text: &'a str,
}

impl Value<'_> {
    fn wrong(&self, expected: &str) -> String {
        format!("{}={}: expected {expected}", self.key, self.text)
    }

    fn number<T: FromStr + TryFrom<u64>>(&self, low: u64, high: u64) -> Result<T, String> {
        let number = self.text.parse::<u64>().ok().filter(|number| (low..=high).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.wrong(&format!("a whole number from {low} to {high}")))
    }

    fn flag(&self) -> Result<bool, String> {
        match self.text {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(self.wrong("1 or 0")),
        }
    }

    fn list<T>(&self, mut item: impl FnMut(&str) -> Option<T>, expected: &str) -> Result<Vec<T>, String> {
        let items = self.text.split(',').map(str::trim).filter(|text| !text.is_empty());
        items.map(|text| item(text).ok_or_else(|| format!("{} (found `{text}`)", self.wrong(expected)))).collect()
    }
}

fn agent(to: &Value<'_>) -> Result<AgentKind, String> {
    match to.text {
        "pod" => Ok(AgentKind::Pod),
        "workload" => Ok(AgentKind::Workload),
        "vm" => Ok(AgentKind::Vm),
        "process" => Ok(AgentKind::Process),
        "dedicated" => Ok(AgentKind::Dedicated),
        _ => Err(to.wrong("pod, workload, vm, process or dedicated")),
    }
}

fn tunnels(to: &Value<'_>) -> Result<mf_packet::tunnel::TunnelSet, String> {
    let mut set = mf_packet::tunnel::TunnelSet { vxlan: false, geneve: false, gre: false, ipip: false };
    to.list(
        |kind| {
            match kind {
                "vxlan" => set.vxlan = true,
                "geneve" => set.geneve = true,
                "gre" => set.gre = true,
                "ipip" => set.ipip = true,
                "none" => {}
                _ => return None,
            }
            Some(())
        },
        "a list of vxlan, geneve, gre, ipip, or none",
    )?;
    Ok(set)
}

fn address(text: &str) -> Option<Addr> {
    text.parse::<std::net::IpAddr>().ok().map(Addr::from)
}

fn mac(text: &str) -> Option<u64> {
    let mut octets = 0;
    let mut bits = 0u64;
    for octet in text.split(':') {
        bits = bits << 8 | u64::from(u8::from_str_radix(octet, 16).ok()?);
        octets += 1;
    }
    (octets == 6).then_some(bits)
}

fn tap(text: &str) -> Option<(u16, u64)> {
    let (interface, address) = text.split_once('/')?;
    Some((interface.parse().ok()?, mac(address)?))
}

fn endpoint(text: &str) -> Option<(u64, Addr)> {
    let (hardware, ip) = text.split_once('/')?;
    Some((mac(hardware)?, address(ip)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_are_sentences() {
        let options = Options::parse(
            "# note\nshards=2\nshard=1\n\nlocal_macs = 02:00:5e:10:00:01 , 02:00:5e:10:00:02\nexplain=1\n",
        )
        .unwrap();
        assert_eq!((options.shards, options.shard, options.flow.local.macs.len(), options.l7.explain), (2, 1, 2, true));
        for (text, sentence) in [
            ("shards=2\nshard=2", "engine options: shard=2 with shards=2: shard counts from 0 and must be below shards"),
            ("\nmax_flows=many", "engine options, line 2: max_flows=many: expected a whole number from 16 to 67108864"),
            ("explain=yes", "engine options, line 1: explain=yes: expected 1 or 0"),
            ("maxflows=1", "engine options, line 1: there is no option `maxflows`; the options are listed in plugins/engine-flow/README.md"),
            ("metrics", "engine options, line 1: found `metrics`, expected key=value"),
            ("tunnels=vxlan,foo", "engine options, line 1: tunnels=vxlan,foo: expected a list of vxlan, geneve, gre, ipip, or none (found `foo`)"),
        ] {
            assert_eq!(Options::parse(text).unwrap_err(), sentence);
        }
    }
}
