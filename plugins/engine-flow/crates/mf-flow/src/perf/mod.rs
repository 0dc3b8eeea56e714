//! Measurements by protocol.

mod echo;
mod ranges;
mod tcp;
mod udp;

pub(crate) use echo::EchoPerf;
pub(crate) use tcp::TcpPerf;
pub(crate) use udp::UdpPerf;

/// The state of a flow's measurements.
#[derive(Debug, Default)]
pub(crate) enum Perf {
    #[default]
    None,
    Tcp(TcpPerf),
    Udp(UdpPerf),
    Echo(EchoPerf),
}
