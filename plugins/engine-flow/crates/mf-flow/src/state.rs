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
        if self == Self::Established && matches!(class, FlagClass::Ack | FlagClass::PshAck) {
            // The cell of nearly every packet, the same in both tables.
            return (Self::Established, TimeoutClass::Established);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use FlagClass::{Ack, Fin, Other, PshAck, Rst, Syn, SynAck};
    use State as S;
    use TimeoutClass as T;

    const CLASSES: [FlagClass; 7] = [Syn, SynAck, Ack, PshAck, Fin, Rst, Other];
    type Row = (
        S,
        &'static [(&'static [FlagClass], S, T)],
        &'static [(&'static [FlagClass], S, T)],
    );

    const A: &[FlagClass] = &[Ack, PshAck];
    const ALL: &[FlagClass] = &CLASSES;

    /// The table of the reference, row by row: cells for any direction, then cells of the server that come before them.
    const TABLE: &[Row] = &[
        (
            S::Raw,
            &[
                (&[Syn], S::Opening1, T::Opening),
                (&[Fin], S::ClosingTx1, T::Closing),
                (&[Rst], S::Reset, T::Closing),
                (A, S::Established, T::Established),
            ],
            &[
                (&[SynAck], S::Opening2, T::Opening),
                (&[Fin], S::ClosingRx1, T::Closing),
            ],
        ),
        (
            S::Opening1,
            &[
                (&[Syn], S::Opening1, T::Opening),
                (&[Fin], S::ClosingTx1, T::Closing),
                (&[Rst], S::EstablishReset, T::Closing),
                (A, S::Established, T::Established),
            ],
            &[
                (&[SynAck], S::Opening2, T::Opening),
                (A, S::Syn1, T::Opening),
                (&[Rst], S::ServerReset, T::Closing),
                (&[Fin], S::ClosingRx1, T::Closing),
            ],
        ),
        (
            S::Opening2,
            &[
                (&[Syn], S::Opening2, T::Opening),
                (&[Fin], S::ClosingTx1, T::Closing),
                (&[Rst], S::OpeningRst, T::OpeningRst),
                (A, S::Established, T::Established),
            ],
            &[
                (&[SynAck], S::Opening2, T::Opening),
                (&[Fin], S::ClosingRx1, T::Closing),
                (&[Rst], S::EstablishReset, T::Closing),
            ],
        ),
        (
            S::Established,
            &[
                (&[Syn, Ack, PshAck], S::Established, T::Established),
                (&[Fin], S::ClosingTx1, T::Closing),
                (&[Rst], S::Reset, T::EstablishedRst),
            ],
            &[
                (&[SynAck], S::SynAck1, T::Established),
                (&[Fin], S::ClosingRx1, T::Closing),
            ],
        ),
        (
            S::ClosingTx1,
            &[
                (&[Rst], S::Reset, T::Closing),
                (
                    &[Syn, SynAck, Ack, PshAck, Fin, Other],
                    S::ClosingTx1,
                    T::Closing,
                ),
            ],
            &[(&[Fin], S::ClosingTx2, T::Closing)],
        ),
        (
            S::ClosingTx2,
            &[
                (&[Syn, SynAck, Fin], S::ClosingTx2, T::Closing),
                (&[Rst], S::Reset, T::ClosedFin),
                (&[Ack], S::Closed, T::ClosedFin),
            ],
            &[(A, S::ClosingTx2, T::Closing)],
        ),
        (
            S::ClosingRx1,
            &[
                (&[Syn, SynAck, Ack, PshAck], S::ClosingRx1, T::Closing),
                (&[Fin], S::ClosingRx2, T::Closing),
                (&[Rst], S::Reset, T::Closing),
            ],
            &[(&[Fin], S::ClosingRx1, T::Closing)],
        ),
        (
            S::ClosingRx2,
            &[
                (&[Rst], S::Reset, T::ClosedFin),
                (
                    &[Syn, SynAck, Ack, PshAck, Fin, Other],
                    S::ClosingRx2,
                    T::Closing,
                ),
            ],
            &[(&[Ack], S::Closed, T::ClosedFin)],
        ),
        (S::Closed, &[(&[Ack], S::Closed, T::ClosedFin)], &[]),
        (
            S::Syn1,
            &[
                (&[Syn], S::Opening1, T::Opening),
                (&[Rst], S::ClientL4PortReuse, T::Closing),
                (A, S::Established, T::Established),
                (&[Fin], S::ClosingTx1, T::Closing),
            ],
            &[
                (&[SynAck], S::Opening2, T::Opening),
                (A, S::Syn1, T::Opening),
                (&[Fin], S::ClosingRx1, T::Closing),
                (&[Rst], S::EstablishReset, T::Closing),
            ],
        ),
        (
            S::SynAck1,
            &[
                (&[Syn], S::Established, T::Established),
                (&[Fin], S::ClosingTx1, T::Closing),
                (&[Rst], S::Reset, T::Closing),
                (A, S::SynAck1, T::Established),
            ],
            &[
                (&[SynAck], S::SynAck1, T::Established),
                (&[Fin], S::ClosingRx1, T::Closing),
                (&[Rst], S::ServerCandidateQueueLack, T::EstablishedRst),
                (A, S::Established, T::Established),
            ],
        ),
        (S::Reset, &[(ALL, S::Reset, T::Exception)], &[]),
        (
            S::ClientL4PortReuse,
            &[(ALL, S::ClientL4PortReuse, T::Exception)],
            &[],
        ),
        (
            S::ServerCandidateQueueLack,
            &[(ALL, S::ServerCandidateQueueLack, T::Exception)],
            &[],
        ),
        (S::ServerReset, &[(ALL, S::ServerReset, T::Exception)], &[]),
        (
            S::EstablishReset,
            &[(ALL, S::EstablishReset, T::Exception)],
            &[],
        ),
        (S::OpeningRst, &[(ALL, S::OpeningRst, T::OpeningRst)], &[]),
        (S::Exception, &[], &[]),
    ];

    #[test]
    fn every_cell_of_the_reference() {
        let mut cells = 0;
        for (state, any, server) in TABLE {
            for way in [Way::C2s, Way::S2c] {
                for class in CLASSES {
                    let find = |rows: &[(&[FlagClass], S, T)]| {
                        rows.iter()
                            .find(|row| row.0.contains(&class))
                            .map(|row| (row.1, row.2))
                    };
                    let own = if way == Way::S2c { find(server) } else { None };
                    let expect = own
                        .or_else(|| find(any))
                        .unwrap_or((S::Exception, T::Exception));
                    assert_eq!(
                        state.next(class, way),
                        expect,
                        "{state:?} {class:?} {way:?}"
                    );
                    cells += 1;
                }
            }
        }
        assert_eq!(cells, 18 * 14);
    }

    #[test]
    fn classes_of_all_flag_combinations() {
        let count = |class| {
            (0..64)
                .filter(|&flags| FlagClass::of(flags) == class)
                .count()
        };
        assert_eq!(CLASSES.map(count), [1, 1, 1, 2, 3, 3, 53]);
        assert_eq!(FlagClass::of(0x02 | 0xc0), Syn, "ECN bits do not count");
        assert_eq!(FlagClass::of(0x12 | 0x40), SynAck);
    }

    #[test]
    fn mirroring_twice_changes_nothing() {
        for (state, ..) in TABLE {
            assert_eq!(state.mirrored().mirrored(), *state);
        }
        assert_eq!(S::ClosingTx2.mirrored(), S::ClosingRx2);
    }
}
