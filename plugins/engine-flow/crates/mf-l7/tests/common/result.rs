//! Writes results as a parser would.

pub struct Column {
    pub id: u16,
    pub ty: u8,
    pub data: Vec<u8>,
}

pub fn bytes(id: u16, ty: u8, data: Vec<u8>) -> Column {
    Column { id, ty, data }
}

pub fn u8s(id: u16, values: impl IntoIterator<Item = u8>) -> Column {
    bytes(id, 1, values.into_iter().collect())
}

pub fn u32s(id: u16, values: impl IntoIterator<Item = u32>) -> Column {
    bytes(id, 3, values.into_iter().flat_map(u32::to_le_bytes).collect())
}

pub fn u64s(id: u16, values: impl IntoIterator<Item = u64>) -> Column {
    bytes(id, 4, values.into_iter().flat_map(u64::to_le_bytes).collect())
}

pub fn texts<'a>(id: u16, values: impl IntoIterator<Item = &'a str>) -> Column {
    let (mut offsets, mut text) = (0u32.to_le_bytes().to_vec(), Vec::new());
    for value in values {
        text.extend_from_slice(value.as_bytes());
        offsets.extend_from_slice(&(text.len() as u32).to_le_bytes());
    }
    offsets.extend_from_slice(&text);
    bytes(id, 5, offsets)
}

pub fn result(out: &mut Vec<u8>, magic: &[u8; 4], rows: usize, columns: &[Column]) {
    out.clear();
    out.extend_from_slice(magic);
    out.extend_from_slice(&(rows as u32).to_le_bytes());
    out.extend_from_slice(&(columns.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for column in columns {
        out.extend_from_slice(&column.id.to_le_bytes());
        out.extend_from_slice(&[column.ty, 0]);
        let size = column.data.len().next_multiple_of(8);
        out.extend_from_slice(&(size as u32).to_le_bytes());
        out.extend_from_slice(&column.data);
        out.resize(out.len() + size - column.data.len(), 0);
    }
}

/// A segment of a batch, read back.
#[derive(Clone, Debug)]
pub struct Seg {
    pub kind: u8,
    pub direction: u8,
    pub flags: u8,
    pub session: u64,
    pub time: u64,
    pub offset: u64,
    pub wire_len: u32,
    pub payload: Vec<u8>,
}

/// Reads a batch as parsers do, and checks the layout on the way.
pub fn read_batch(bytes: &[u8]) -> Vec<Seg> {
    assert_eq!(&bytes[..4], b"MFB1");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let mut at = 16;
    let mut out = Vec::new();
    for _ in 0..word(4) {
        let (size, cap_len) = (word(at) as usize, word(at + 40) as usize);
        assert_eq!(size, (48 + cap_len).next_multiple_of(8));
        out.push(Seg {
            kind: bytes[at + 4],
            direction: bytes[at + 5],
            flags: bytes[at + 7],
            session: long(at + 8),
            time: long(at + 16),
            offset: long(at + 24),
            wire_len: word(at + 36),
            payload: bytes[at + 48..at + 48 + cap_len].to_vec(),
        });
        at += size;
    }
    assert_eq!(at, bytes.len());
    out
}
