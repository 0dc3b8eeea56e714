//! Close types and the status derived from them (reference 3.4 and 1.3).

/// How a flow ended; the numbers are those of the `close_type` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseType {
    /// Packets that fit no state.
    Unknown = 0,
    /// Both sides closed; or a flow that is not TCP fell silent.
    Finish = 1,
    /// The server reset an established connection.
    TcpServerRst = 2,
    /// An established connection fell silent.
    Timeout = 3,
    /// Still alive.
    ForcedReport = 5,
    /// SYN without an answer (`server_syn_miss`).
    ClientSynRepeat = 7,
    /// The client closed, the server did not.
    ServerHalfClose = 8,
    /// The client reset an established connection.
    TcpClientRst = 9,
    /// SYN-ACK without the final ACK (`client_ack_miss`).
    ServerSynAckRepeat = 10,
    /// The server closed, the client did not.
    ClientHalfClose = 11,
    /// The client used a port again that the server still had a connection for.
    ClientSourcePortReuse = 13,
    /// The server refused the connection.
    ServerReset = 15,
    /// The server's accept queue overflowed.
    ServerQueueLack = 17,
    /// The client reset during the handshake.
    ClientEstablishReset = 18,
    /// The server reset during the handshake.
    ServerEstablishReset = 19,
    /// The client's RST was its normal way to finish (a health check, or after a good response).
    TcpFinClientRst = 20,
}

/// The `status` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FlowStatus {
    /// Nothing wrong.
    Ok = 0,
    /// Cannot be said.
    Unknown = 2,
    /// The server's fault.
    ServerError = 3,
    /// The client's fault.
    ClientError = 4,
}

impl CloseType {
    /// The status of a flow that ended so.
    pub const fn status(self, tcp: bool) -> FlowStatus {
        match self {
            Self::Finish
            | Self::ForcedReport
            | Self::TcpFinClientRst
            | Self::ClientHalfClose
            | Self::ServerHalfClose => FlowStatus::Ok,
            Self::Timeout if !tcp => FlowStatus::Ok,
            Self::ServerSynAckRepeat
            | Self::TcpClientRst
            | Self::ClientSourcePortReuse
            | Self::ClientEstablishReset => FlowStatus::ClientError,
            Self::TcpServerRst
            | Self::Timeout
            | Self::ClientSynRepeat
            | Self::ServerReset
            | Self::ServerQueueLack
            | Self::ServerEstablishReset
                if tcp =>
            {
                FlowStatus::ServerError
            }
            _ => FlowStatus::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_every_close_type() {
        use CloseType as C;
        for (close, tcp, other) in [
            (C::Unknown, FlowStatus::Unknown, FlowStatus::Unknown),
            (C::Finish, FlowStatus::Ok, FlowStatus::Ok),
            (
                C::TcpServerRst,
                FlowStatus::ServerError,
                FlowStatus::Unknown,
            ),
            (C::Timeout, FlowStatus::ServerError, FlowStatus::Ok),
            (C::ForcedReport, FlowStatus::Ok, FlowStatus::Ok),
            (
                C::ClientSynRepeat,
                FlowStatus::ServerError,
                FlowStatus::Unknown,
            ),
            (C::ServerHalfClose, FlowStatus::Ok, FlowStatus::Ok),
            (
                C::TcpClientRst,
                FlowStatus::ClientError,
                FlowStatus::ClientError,
            ),
            (
                C::ServerSynAckRepeat,
                FlowStatus::ClientError,
                FlowStatus::ClientError,
            ),
            (C::ClientHalfClose, FlowStatus::Ok, FlowStatus::Ok),
            (
                C::ClientSourcePortReuse,
                FlowStatus::ClientError,
                FlowStatus::ClientError,
            ),
            (C::ServerReset, FlowStatus::ServerError, FlowStatus::Unknown),
            (
                C::ServerQueueLack,
                FlowStatus::ServerError,
                FlowStatus::Unknown,
            ),
            (
                C::ClientEstablishReset,
                FlowStatus::ClientError,
                FlowStatus::ClientError,
            ),
            (
                C::ServerEstablishReset,
                FlowStatus::ServerError,
                FlowStatus::Unknown,
            ),
            (C::TcpFinClientRst, FlowStatus::Ok, FlowStatus::Ok),
        ] {
            assert_eq!(
                (close.status(true), close.status(false)),
                (tcp, other),
                "{close:?}"
            );
        }
    }
}
