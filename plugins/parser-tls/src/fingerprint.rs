//! JA3, JA3S (<https://github.com/salesforce/ja3>) and JA4 (<https://github.com/FoxIO-LLC/ja4>, the client's part).

use crate::digest::{md5, sha256};
use crate::hello::{ClientHello, ServerHello, ALPN, SERVER_NAME};
use std::fmt::Display;

fn joined<T: Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join("-")
}

/// JA3 of a client.
pub(crate) fn ja3(hello: &ClientHello) -> String {
    let lists = [joined(&hello.ciphers), joined(&hello.extensions), joined(&hello.groups), joined(&hello.formats)];
    md5(format!("{},{}", hello.version, lists.join(",")).as_bytes())
}

/// JA3S of a server.
pub(crate) fn ja3s(hello: &ServerHello) -> String {
    md5(format!("{},{},{}", hello.legacy_version, hello.cipher, joined(&hello.extensions)).as_bytes())
}

/// JA4 of a client over TCP.
pub(crate) fn ja4(hello: &ClientHello) -> String {
    let hexed = |values: &[u16]| values.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",");
    let version = match hello.offered() {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        _ => "00",
    };
    let name = if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let alpn = match hello.alpn.first().map(Vec::as_slice) {
        Some([first, .., last]) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            format!("{}{}", char::from(*first), char::from(*last))
        }
        Some([only]) if only.is_ascii_alphanumeric() => format!("{0}{0}", char::from(*only)),
        Some([first, .., last]) => format!("{:x}{:x}", first >> 4, last & 15),
        Some([only]) => format!("{only:02x}"),
        _ => "00".to_owned(),
    };
    let mut ciphers = hello.ciphers.clone();
    ciphers.sort_unstable();
    let mut extensions = hello.extensions.clone();
    extensions.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    extensions.sort_unstable();
    let short =
        |is_empty: bool, text: &str| if is_empty { "0".repeat(12) } else { sha256(text.as_bytes())[..12].to_owned() };
    let mut second = hexed(&extensions);
    if !hello.signatures.is_empty() {
        second += &format!("_{}", hexed(&hello.signatures));
    }
    format!(
        "t{version}{name}{:02}{:02}{alpn}_{}_{}",
        hello.ciphers.len().min(99),
        hello.extensions.len().min(99),
        short(ciphers.is_empty(), &hexed(&ciphers)),
        short(hello.extensions.is_empty(), &second),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of JA4's own documentation.
    #[test]
    fn ja4_is_that_of_the_documentation() {
        let hello = ClientHello {
            version: 0x0303,
            ciphers: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
                0x002f, 0x0035,
            ],
            extensions: vec![
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01,
                0x000b, 0x000a, 0x0015,
            ],
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            versions: vec![0x0304, 0x0303],
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ..ClientHello::default()
        };
        assert_eq!(ja4(&hello), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }
}
