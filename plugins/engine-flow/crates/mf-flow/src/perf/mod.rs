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

/// How a segment's payload fits what its sender sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// In order, after a gap, or without payload.
    Next,
    /// All of it was there before.
    Retransmission,
    /// New, but something later was there before.
    Late,
}
