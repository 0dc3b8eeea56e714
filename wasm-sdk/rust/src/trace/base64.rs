//! Base64 (RFC 4648, 4), as SkyWalking's headers use it. Padding is optional; anything else is refused.

const fn value(byte: u8) -> Option<u32> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    } as u32)
}

/// Append the decoded text to `out`; `None`, with `out` as it was, when it is not base64 of UTF-8.
pub(super) fn decode(text: &str, out: &mut String) -> Option<()> {
    let text = text.trim_end_matches('=');
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for byte in group {
            bits = bits << 6 | value(*byte)?;
        }
        bits <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    out.push_str(std::str::from_utf8(&bytes).ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn decoded(text: &str) -> Option<String> {
        let mut out = String::new();
        decode(text, &mut out).map(|()| out)
    }

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (text, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
            ("Zm9vYmE", "fooba"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["A", "Zm9v!", "Zm 9", "/////w=="] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
