//! One record.

use mf_packet::Addr;

/// Version of the layout (`SegmentBlock.format`).
pub const LAYOUT: u32 = 1;
/// Bytes of a record before its payload.
pub const HEADER: usize = 160;

/// Bits of [`Record::flags`].
pub mod flags {
    /// Fewer bytes were captured than the call had.
    pub const TRUNCATED: u8 = 1;
    /// Plaintext of a TLS connection.
    pub const PLAINTEXT: u8 = 2;
    /// The socket was there before the collector.
    pub const MID_STREAM: u8 = 4;
    /// The thread serves several requests at once: its trace id proves nothing.
    pub const CONCURRENT: u8 = 8;
    /// Ciphertext of a TLS connection.
    pub const CIPHERTEXT: u8 = 16;
}

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of a call.
    Data,
    /// The socket is closed or shut down in this direction.
    Close,
    /// connect or accept succeeded.
    Open,
    /// `wire_len` bytes of this direction were not seen.
    Lost,
    /// This host's TCP sent again what begins at `tcp_seq`.
    Retransmitted,
}

/// What the process is on the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Not known.
    #[default]
    Unknown,
    /// It connected.
    Client,
    /// It accepted.
    Server,
}

/// Why a record is left out; the text is the counter's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage(pub &'static str);

/// A record as it stands in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// See [`Kind`].
    pub kind: Kind,
    /// The process sent (egress) or received.
    pub egress: bool,
    /// See [`Role`].
    pub role: Role,
    /// See [`flags`].
    pub flags: u8,
    /// Unix time, nanoseconds: when the call began for egress, when it returned for ingress.
    pub time_ns: u64,
    /// The socket, never reused while the collector runs.
    pub socket_id: u64,
    /// Links what a thread received to what it then sent; 0 none.
    pub trace_id: u64,
    /// 0 none.
    pub coroutine_id: u64,
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// Sequence number on the wire of the first byte, 0 for UDP.
    pub tcp_seq: u32,
    /// Bytes of the call.
    pub wire_len: u32,
    /// Order among the socket's records, from 1.
    pub cap_seq: u32,
    /// Address of the process's end.
    pub local: Addr,
    /// Address of the other end.
    pub remote: Addr,
    /// Port of the process's end.
    pub local_port: u16,
    /// Port of the other end.
    pub remote_port: u16,
    /// Whether the addresses are IPv4.
    pub is_ipv4: bool,
    /// IP protocol: 6 or 17.
    pub protocol: u8,
    /// Name of the thread, NUL-padded.
    pub comm: [u8; 16],
    /// The captured bytes.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads one record from exactly its bytes (as many as its `size` says).
    ///
    /// # Errors
    /// What cannot be true about it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Damage> {
        let head: &[u8; HEADER] = bytes.first_chunk().ok_or(Damage("truncated_header"))?;
        let kind = match head[4] {
            0 => Kind::Data,
            1 => Kind::Close,
            2 => Kind::Open,
            3 => Kind::Lost,
            4 => Kind::Retransmitted,
            _ => return Err(Damage("unknown_kind")),
        };
        let role = match head[6] {
            0 => Role::Unknown,
            1 => Role::Client,
            2 => Role::Server,
            _ => return Err(Damage("unknown_role")),
        };
        if head[5] > 1 {
            return Err(Damage("unknown_direction"));
        }
        let is_ipv4 = match head[88] {
            4 => true,
            6 => false,
            _ => return Err(Damage("unknown_family")),
        };
        let (time_ns, socket_id) = (u64_at(head, 8), u64_at(head, 24));
        // Arrow's times are signed: what is beyond is not a time of this world.
        if time_ns == 0 || i64::try_from(time_ns).is_err() {
            return Err(Damage("impossible_time"));
        }
        if socket_id == 0 {
            return Err(Damage("no_socket_id"));
        }
        if !matches!(head[89], 6 | 17) {
            return Err(Damage("unknown_protocol"));
        }
        let (wire_len, cap_len) = (u32_at(head, 72), u32_at(head, 76));
        let payload = bytes.get(HEADER..).unwrap_or_default();
        let payload = payload.get(..cap_len as usize).ok_or(Damage("payload_beyond_record"))?;
        if cap_len > wire_len {
            return Err(Damage("captured_more_than_sent"));
        }
        if kind != Kind::Data && cap_len > 0 {
            return Err(Damage("payload_of_an_event"));
        }
        Ok(Record {
            kind,
            egress: head[5] == 1,
            role,
            flags: head[7],
            time_ns,
            socket_id,
            trace_id: u64_at(head, 32),
            coroutine_id: u64_at(head, 40),
            pid: u32_at(head, 56),
            tid: u32_at(head, 60),
            tcp_seq: u32_at(head, 68),
            wire_len,
            cap_seq: u32_at(head, 80),
            local: address(head, 96, is_ipv4),
            remote: address(head, 112, is_ipv4),
            local_port: u16_at(head, 84),
            remote_port: u16_at(head, 86),
            is_ipv4,
            protocol: head[89],
            comm: array(head, 128),
            payload,
        })
    }

    /// Whether a flag is set.
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Reads `N` bytes at a constant offset inside a header.
#[inline]
fn array<const N: usize>(head: &[u8; HEADER], at: usize) -> [u8; N] {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

#[inline]
fn u16_at(head: &[u8; HEADER], at: usize) -> u16 {
    u16::from_le_bytes(array(head, at))
}

#[inline]
fn u32_at(head: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes(array(head, at))
}

#[inline]
fn u64_at(head: &[u8; HEADER], at: usize) -> u64 {
    u64::from_le_bytes(array(head, at))
}

#[inline]
fn address(head: &[u8; HEADER], at: usize, is_ipv4: bool) -> Addr {
    if is_ipv4 {
        Addr::v4(u32::from_be_bytes(array(head, at)))
    } else {
        Addr::v6(&array(head, at))
    }
}
