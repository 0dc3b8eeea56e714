//! The Huffman code of header strings (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: codes grow with their length, and with the symbol inside a length. So the lengths say it all.

/// Bits of the code of each octet and, last, of the end of the string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// Longest code in bits.
const LONGEST: usize = 30;
/// The symbol that ends a string and never stands in one.
const END: u16 = 256;

/// The codes of each length: the first one, how many there are, and where their symbols begin in `symbols`.
struct Code {
    first: [u32; LONGEST + 1],
    count: [u32; LONGEST + 1],
    start: [usize; LONGEST + 1],
    symbols: [u16; 257],
    /// Symbol and length of the code (at most 8 bits) that the octet begins with; length 0 for a longer code.
    short: [(u8, u8); 256],
}

static CODE: Code = build();

const fn build() -> Code {
    let mut code = Code {
        first: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        start: [0; LONGEST + 1],
        symbols: [0; 257],
        short: [(0, 0); 256],
    };
    let (mut next, mut placed, mut length) = (0_u32, 0, 1);
    while length <= LONGEST {
        next <<= 1;
        code.first[length] = next;
        code.start[length] = placed;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                code.symbols[placed] = symbol as u16;
                if length <= 8 {
                    let from = (next as usize) << (8 - length);
                    let mut at = from;
                    while at < from + (1 << (8 - length)) {
                        code.short[at] = (symbol as u8, length as u8);
                        at += 1;
                    }
                }
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        code.count[length] = next - code.first[length];
        length += 1;
    }
    code
}

/// Append what the octets stand for.
///
/// # Errors
/// Nothing but the fact: the code of the end inside the string, or padding that is not the begin of it.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ()> {
    // The next bits, from the highest bit of `window` on.
    let (mut window, mut bits, mut at) = (0_u64, 0_u32, 0);
    loop {
        while bits <= 56 && at < bytes.len() {
            window |= u64::from(bytes[at]) << (56 - bits);
            bits += 8;
            at += 1;
        }
        let (symbol, length) = CODE.short[(window >> 56) as usize];
        let length = if length != 0 && u32::from(length) <= bits {
            out.push(symbol);
            u32::from(length)
        } else if let Some((symbol, length)) = long(window, bits).filter(|(symbol, _)| *symbol != END) {
            out.push(symbol as u8);
            length
        } else {
            let is_padding = bits < 8 && (bits == 0 || window >> (64 - bits) == (1 << bits) - 1);
            return if is_padding { Ok(()) } else { Err(()) };
        };
        window <<= length;
        bits -= length;
    }
}

/// The symbol of a code of more than 8 bits.
fn long(window: u64, bits: u32) -> Option<(u16, u32)> {
    for length in 9..=LONGEST.min(bits as usize) {
        let ahead = ((window >> (64 - length)) as u32).wrapping_sub(CODE.first[length]);
        if ahead < CODE.count[length] {
            return Some((CODE.symbols[CODE.start[length] + ahead as usize], length as u32));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{decode, CODE, LENGTHS};

    /// A plain encoder, to compare with.
    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut bits = String::new();
        for byte in bytes {
            let length = LENGTHS[usize::from(*byte)] as usize;
            let rank =
                CODE.symbols[CODE.start[length]..].iter().position(|symbol| *symbol == u16::from(*byte)).unwrap();
            bits += &format!("{:0length$b}", CODE.first[length] + rank as u32);
        }
        while bits.len() % 8 != 0 {
            bits.push('1');
        }
        (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap()).collect()
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, ()> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn the_examples_of_the_specification() {
        let www = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(decoded(&www).unwrap(), b"www.example.com");
        assert_eq!(decoded(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).unwrap(), b"no-cache");
        assert_eq!(decoded(&[0x64, 0x02]).unwrap(), b"302");
    }

    #[test]
    fn every_octet_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encode(&all)).unwrap(), all);
        for octet in 0..=255_u8 {
            for count in 1..4 {
                let text = vec![octet; count];
                assert_eq!(decoded(&encode(&text)).unwrap(), text);
            }
        }
    }

    #[test]
    fn wrong_padding_and_the_end_symbol_are_errors() {
        assert_eq!(decoded(b"").unwrap(), b"");
        for bytes in [&[0xff][..], &[0xff, 0xff, 0xff, 0xff], &[0x64, 0x02, 0xff], &[0x00]] {
            assert!(decoded(bytes).is_err(), "{bytes:?}");
        }
    }
}
