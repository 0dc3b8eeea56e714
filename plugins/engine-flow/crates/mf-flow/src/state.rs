//! The TCP state machine (reference 3.3). A cell says the next state and which timeout runs from here.

use mf_packet::transport::flags::{ACK, FIN, PSH, RST, SYN, URG};

use crate::{Timeouts, Way};

/// States of a flow. TCP: `Tx` is the client's close, `Rx` the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Before the first packet.
    #[default]
    Raw,
    /// SYN seen.
    Opening1,
    /// SYN-ACK seen.
    Opening2,
    /// Handshake complete, or data seen.
    Established,
    /// The client has closed.
    ClosingTx1,
    /// The client, then the server has closed.
    ClosingTx2,
    /// The server has closed.
    ClosingRx1,
    /// The server, then the client has closed.
    ClosingRx2,
    /// Both closed and the last ACK seen.
    Closed,
    /// The server answered a SYN with a plain ACK (it still has an older connection).
    Syn1,
    /// A SYN-ACK on an established connection (the server has not seen the handshake's ACK).
    SynAck1,
    /// RST on a connection.
    Reset,
    /// RST by the client after [`State::Syn1`].
    ClientL4PortReuse,
    /// RST by the server after [`State::SynAck1`].
    ServerCandidateQueueLack,
    /// RST by the server to a SYN.
    ServerReset,
    /// RST during the handshake.
    EstablishReset,
    /// RST after the SYN-ACK.
    OpeningRst,
    /// A packet that fits no state.
    Exception,
}

/// Classes of TCP flags that the machine tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FlagClass {
    /// SYN alone.
    Syn,
    /// SYN and ACK.
    SynAck,
    /// ACK alone.
    Ack,
    /// PSH ACK, also with URG.
    PshAck,
    /// FIN, FIN ACK, FIN PSH ACK.
    Fin,
    /// RST, RST ACK, RST PSH ACK.
    Rst,
    /// Anything else.
    Other,
}

impl FlagClass {
    /// The class of a packet's flags; ECE and CWR do not count.
    #[inline]
    pub const fn of(flags: u8) -> Self {
        const SYN_ACK: u8 = SYN | ACK;
        const PSH_ACK: u8 = PSH | ACK;
        const PSH_ACK_URG: u8 = PSH | ACK | URG;
        const FIN_ACK: u8 = FIN | ACK;
        const FIN_PSH_ACK: u8 = FIN | PSH | ACK;
        const RST_ACK: u8 = RST | ACK;
        const RST_PSH_ACK: u8 = RST | PSH | ACK;
        match flags & 0x3f {
            ACK => Self::Ack,
            PSH_ACK | PSH_ACK_URG => Self::PshAck,
            SYN => Self::Syn,
            SYN_ACK => Self::SynAck,
            FIN | FIN_ACK | FIN_PSH_ACK => Self::Fin,
            RST | RST_ACK | RST_PSH_ACK => Self::Rst,
            _ => Self::Other,
        }
    }
}

/// Which timeout runs in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TimeoutClass {
    /// Handshake.
    Opening,
    /// Open connection.
    Established,
    /// Half closed or reset.
    Closing,
    /// RST on an open connection.
    EstablishedRst,
    /// Out of order.
    Exception,
    /// Closed.
    ClosedFin,
    /// RST after the SYN-ACK.
    OpeningRst,
}

impl Timeouts {
    /// The timeout of a class, nanoseconds.
    #[inline]
    pub const fn of(&self, class: TimeoutClass) -> u64 {
        match class {
            TimeoutClass::Opening => self.opening,
            TimeoutClass::Established => self.established,
            TimeoutClass::Closing => self.closing,
            TimeoutClass::EstablishedRst => self.established_rst,
            TimeoutClass::Exception => self.exception,
            TimeoutClass::ClosedFin => self.closed_fin,
            TimeoutClass::OpeningRst => self.opening_rst,
        }
    }
}

type Next = (State, TimeoutClass);

const EXCEPTION: Next = (State::Exception, TimeoutClass::Exception);

impl State {
    /// The next state after a packet of `class` in direction `way`: the server's own table first, then the common one, then
    /// [`State::Exception`].
    #[inline]
    pub fn next(self, class: FlagClass, way: Way) -> Next {
        if way == Way::S2c {
            if let Some(next) = self.after_server(class) {
                return next;
            }
        }
        self.after_any(class).unwrap_or(EXCEPTION)
    }

    /// Cells that hold in both directions.
    #[inline]
    fn after_any(self, class: FlagClass) -> Option<Next> {
        use FlagClass::{Ack, Fin, PshAck, Rst, Syn, SynAck};
        use State as S;
        use TimeoutClass as T;
        Some(match (self, class) {
            (S::Raw | S::Opening1 | S::Opening2 | S::Syn1, Ack | PshAck) => {
                (S::Established, T::Established)
            }
            (S::Raw | S::Opening1 | S::Syn1, Syn) => (S::Opening1, T::Opening),
            (S::Opening2, Syn) => (S::Opening2, T::Opening),
            (S::Established, Syn | Ack | PshAck) | (S::SynAck1, Syn) => {
                (S::Established, T::Established)
            }
            (S::SynAck1, Ack | PshAck) => (S::SynAck1, T::Established),
            (S::Raw | S::Opening1 | S::Opening2 | S::Established | S::Syn1 | S::SynAck1, Fin) => {
                (S::ClosingTx1, T::Closing)
            }
            (S::Raw, Rst) | (S::SynAck1 | S::ClosingTx1 | S::ClosingRx1, Rst) => {
                (S::Reset, T::Closing)
            }
            (S::Opening1, Rst) => (S::EstablishReset, T::Closing),
            (S::Opening2, Rst) => (S::OpeningRst, T::OpeningRst),
            (S::Established, Rst) => (S::Reset, T::EstablishedRst),
            (S::Syn1, Rst) => (S::ClientL4PortReuse, T::Closing),
            (S::ClosingTx1, _) => (S::ClosingTx1, T::Closing),
            (S::ClosingTx2, Syn | SynAck | Fin) => (S::ClosingTx2, T::Closing),
            (S::ClosingTx2 | S::ClosingRx2, Rst) => (S::Reset, T::ClosedFin),
            (S::ClosingTx2 | S::Closed, Ack) => (S::Closed, T::ClosedFin),
            (S::ClosingRx1, Syn | SynAck | Ack | PshAck) => (S::ClosingRx1, T::Closing),
            (S::ClosingRx1, Fin) | (S::ClosingRx2, _) => (S::ClosingRx2, T::Closing),
            (
                S::Reset
                | S::ClientL4PortReuse
                | S::ServerCandidateQueueLack
                | S::ServerReset
                | S::EstablishReset,
                _,
            ) => (self, T::Exception),
            (S::OpeningRst, _) => (S::OpeningRst, T::OpeningRst),
            _ => return None,
        })
    }

    /// Cells that hold for packets of the server only.
    #[inline]
    fn after_server(self, class: FlagClass) -> Option<Next> {
        use FlagClass::{Ack, Fin, PshAck, Rst, SynAck};
        use State as S;
        use TimeoutClass as T;
        Some(match (self, class) {
            (S::Raw | S::Opening1 | S::Opening2 | S::Syn1, SynAck) => (S::Opening2, T::Opening),
            (S::Opening1 | S::Syn1, Ack | PshAck) => (S::Syn1, T::Opening),
            (S::Opening1, Rst) => (S::ServerReset, T::Closing),
            (S::Opening2 | S::Syn1, Rst) => (S::EstablishReset, T::Closing),
            (S::Established | S::SynAck1, SynAck) => (S::SynAck1, T::Established),
            (S::SynAck1, Ack | PshAck) => (S::Established, T::Established),
            (S::SynAck1, Rst) => (S::ServerCandidateQueueLack, T::EstablishedRst),
            (
                S::Raw
                | S::Opening1
                | S::Opening2
                | S::Established
                | S::Syn1
                | S::SynAck1
                | S::ClosingRx1,
                Fin,
            ) => (S::ClosingRx1, T::Closing),
            (S::ClosingTx1, Fin) => (S::ClosingTx2, T::Closing),
            (S::ClosingTx2, Ack | PshAck) => (S::ClosingTx2, T::Closing),
            (S::ClosingRx2, Ack) => (S::Closed, T::ClosedFin),
            _ => return None,
        })
    }

    /// The same state with client and server exchanged.
    #[must_use]
    pub(crate) const fn mirrored(self) -> Self {
        match self {
            Self::ClosingTx1 => Self::ClosingRx1,
            Self::ClosingTx2 => Self::ClosingRx2,
            Self::ClosingRx1 => Self::ClosingTx1,
            Self::ClosingRx2 => Self::ClosingTx2,
            other => other,
        }
    }
}
