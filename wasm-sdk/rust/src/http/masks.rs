//! What must not be kept of an address: secrets in queries, and numbers of payment cards.

use super::endpoint::find;
use std::borrow::Cow;

/// Parameters whose values are secrets by what they are called.
pub const SECRETS: &str = "access_token,refresh_token,id_token,token,api_key,apikey,api-key,password,passwd,pwd,secret,client_secret,\
                           signature,sig,x-amz-signature,x-amz-credential,x-amz-security-token,x-goog-signature,authorization,jwt";

/// Headers that are nothing but credentials.
const CREDENTIALS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
];

/// What a masked text becomes.
pub const MASK: &[u8] = b"***";

/// Fewest and most digits of a payment card (ISO/IEC 7812-1).
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

/// Which parameters of queries are masked.
pub struct Masks {
    names: Vec<Vec<u8>>,
    is_off: bool,
}

impl Default for Masks {
    fn default() -> Masks {
        Masks::parse(SECRETS)
    }
}

impl Masks {
    /// Names of parameters separated by commas, in any case; `off` masks nothing at all.
    pub fn parse(text: &str) -> Masks {
        let is_off = text.trim().eq_ignore_ascii_case("off");
        let names = text.split(',').map(|name| name.trim().to_ascii_lowercase().into_bytes());
        Masks { names: names.filter(|name| !name.is_empty()).collect(), is_off }
    }

    /// An address without the values of secret parameters and without numbers of payment cards. Borrowed when it has none.
    pub fn address<'a>(&self, address: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_off {
            return Cow::Borrowed(address);
        }
        let mut found = Cow::Borrowed(address);
        if let Some(at) = find(address, 0, b'?') {
            if self.has_secret(&address[at + 1..]) {
                found = Cow::Owned(self.without_secrets(address, at + 1));
            }
        }
        match has_card(&found) {
            true => Cow::Owned(without_cards(&found)),
            false => found,
        }
    }

    /// The value of a header that is kept as an attribute: none of credentials, and addresses as above.
    pub fn header<'a>(&self, name: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_off {
            return Cow::Borrowed(value);
        }
        if CREDENTIALS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Cow::Borrowed(MASK);
        }
        self.address(value)
    }

    fn has_secret(&self, query: &[u8]) -> bool {
        parameters(query).any(|(name, value)| !value.is_empty() && self.is_secret(name))
    }

    fn is_secret(&self, name: &[u8]) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    fn without_secrets(&self, address: &[u8], start: usize) -> Vec<u8> {
        let mut out = address[..start].to_vec();
        for (index, (name, value)) in parameters(&address[start..]).enumerate() {
            if index > 0 {
                out.push(b'&');
            }
            out.extend_from_slice(name);
            // "a=" and "a" are told apart by the byte behind the name.
            if value.as_ptr() as usize != name.as_ptr() as usize + name.len() || !value.is_empty() {
                out.push(b'=');
            }
            out.extend_from_slice(if !value.is_empty() && self.is_secret(name) { MASK } else { value });
        }
        out
    }
}

/// Names and values of a query, as they stand there.
fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, &pair[pair.len()..]),
    })
}

fn has_card(text: &[u8]) -> bool {
    // A run of so many digits has one at every so many bytes: where there is none, the bytes between need no look.
    let shortest = *CARD.start();
    let may_have = text.iter().skip(shortest - 1).step_by(shortest).any(u8::is_ascii_digit);
    may_have && runs(text).any(|(start, end)| is_card(&text[start..end]))
}

fn without_cards(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in runs(text) {
        if is_card(&text[start..end]) {
            out.extend_from_slice(&text[at..start]);
            out.extend_from_slice(MASK);
            at = end;
        }
    }
    out.extend_from_slice(&text[at..]);
    out
}

/// Runs of digits.
fn runs(text: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.iter().position(u8::is_ascii_digit)?;
        let end =
            text[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(text.len(), |length| start + length);
        at = end;
        Some((start, end))
    })
}

/// Length, first digit of a card's network, and the check digit of Luhn.
fn is_card(digits: &[u8]) -> bool {
    if !CARD.contains(&digits.len()) || !matches!(digits[0], b'2'..=b'6') {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(digit - b'0') << (index % 2);
            if value > 9 {
                value - 9
            } else {
                value
            }
        })
        .sum();
    sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::Masks;
    use std::borrow::Cow;

    fn masked(address: &str) -> String {
        String::from_utf8(Masks::default().address(address.as_bytes()).into_owned()).expect("text")
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (address, expected) in [
            ("/a?id=7&token=abc&x", "/a?id=7&token=***&x"),
            ("/a?Access_Token=abc", "/a?Access_Token=***"),
            ("/a?token=&b=", "/a?token=&b="),
            ("/a?password=a=b&password=c", "/a?password=***&password=***"),
            ("/a?tokens=1", "/a?tokens=1"),
            ("/a?token", "/a?token"),
            ("/token=abc", "/token=abc"),
            ("/a?q=1?token=2", "/a?q=1?token=2"),
            ("/pay/4111111111111111/now?c=5500005555555559", "/pay/***/now?c=***"),
            ("/order/4111111111111112", "/order/4111111111111112"),
            ("/id/1234567890123452", "/id/1234567890123452"),
        ] {
            assert_eq!(masked(address), expected);
        }
        assert!(matches!(Masks::default().address(b"/a?b=c"), Cow::Borrowed(_)));
    }

    #[test]
    fn credentials_in_headers() {
        let masks = Masks::default();
        assert_eq!(&*masks.header("Authorization", b"Bearer x"), b"***");
        assert_eq!(&*masks.header("http_referer", b"http://a/?token=x"), b"http://a/?token=***");
        assert_eq!(&*masks.header("x-tenant", b"blue"), b"blue");
        assert_eq!(&*Masks::parse("off").header("cookie", b"a"), b"a");
    }

    #[test]
    fn what_is_masked_can_be_chosen() {
        let address = b"/a?token=1&card=4111111111111111";
        assert_eq!(&*Masks::parse("off").address(address), address);
        assert_eq!(&*Masks::parse("card").address(b"/a?token=1&card=2"), b"/a?token=1&card=***");
    }
}
