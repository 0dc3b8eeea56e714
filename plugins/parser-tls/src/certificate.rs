//! The few fields of an X.509 certificate that are shown (RFC 5280), read from DER within bounds.

/// What a certificate says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub subject: String,
    pub issuer: String,
    pub not_before: String,
    pub not_after: String,
    /// Seconds since 1970 (UTC).
    pub expires: Option<i64>,
    /// DNS names and addresses, separated by commas.
    pub names: String,
}

/// Longest text of a name that is shown.
const MAX_TEXT: usize = 512;

/// One element: its tag and its content.
fn element<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[tag, first], mut behind) = rest.split_first_chunk::<2>()?;
    let length = if first < 0x80 {
        usize::from(first)
    } else {
        let count = usize::from(first & 0x7f);
        if !(1..=3).contains(&count) {
            return None;
        }
        let (digits, after) = behind.split_at_checked(count)?;
        behind = after;
        digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit))
    };
    let (content, after) = behind.split_at_checked(length)?;
    *rest = after;
    Some((tag, content))
}

fn inside<'a>(rest: &mut &'a [u8], wanted: u8) -> Option<&'a [u8]> {
    element(rest).filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
}

/// What is there of the content of an element.
fn begun(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    let &[tag, first] = bytes.first_chunk()?;
    let digits = if first < 0x80 { 0 } else { usize::from(first & 0x7f) };
    if tag != wanted || first == 0x80 || digits > 3 {
        return None;
    }
    let (length, content) = bytes[2..].split_at_checked(digits)?;
    let length = match digits {
        0 => usize::from(first),
        _ => length.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)),
    };
    Some(&content[..content.len().min(length)])
}

impl Certificate {
    /// Reads a certificate, or what is there of one whose end was not captured; `None` when it is not well formed, or when
    /// it ends before its names do.
    pub fn read(der: &[u8]) -> Option<Certificate> {
        let body = begun(der, 0x30)?;
        let mut fields = begun(body, 0x30)?;
        if fields.first() == Some(&0xa0) {
            element(&mut fields)?;
        }
        inside(&mut fields, 0x02)?;
        inside(&mut fields, 0x30)?;
        let mut found = Certificate { issuer: name(inside(&mut fields, 0x30)?), ..Certificate::default() };
        let mut validity = inside(&mut fields, 0x30)?;
        (found.not_before, _) = time(element(&mut validity)?)?;
        let (not_after, expires) = time(element(&mut validity)?)?;
        (found.not_after, found.expires) = (not_after, Some(expires));
        found.subject = name(inside(&mut fields, 0x30)?);
        while let Some((tag, mut content)) = element(&mut fields) {
            if tag == 0xa3 {
                found.names = alternatives(&mut content).unwrap_or_default();
            }
        }
        Some(found)
    }
}

/// A name as `CN=a,O=b`, in its own order.
fn name(mut rest: &[u8]) -> String {
    let mut text = String::new();
    while let Some(mut set) = inside(&mut rest, 0x31) {
        while let Some(mut pair) = inside(&mut set, 0x30) {
            let (Some(kind), Some((_, value))) = (inside(&mut pair, 0x06), element(&mut pair)) else { continue };
            let key = match kind {
                [0x55, 4, 3] => "CN",
                [0x55, 4, 6] => "C",
                [0x55, 4, 7] => "L",
                [0x55, 4, 8] => "ST",
                [0x55, 4, 10] => "O",
                [0x55, 4, 11] => "OU",
                _ => continue,
            };
            if text.len() < MAX_TEXT {
                text += if text.is_empty() { "" } else { "," };
                text += &format!("{key}={}", String::from_utf8_lossy(&value[..value.len().min(MAX_TEXT)]));
            }
        }
    }
    text
}

/// UTCTime or GeneralizedTime as ISO 8601 and as seconds since 1970.
fn time((tag, content): (u8, &[u8])) -> Option<(String, i64)> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        0x18 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let number = |at: usize| rest.get(at..at + 2).and_then(|digits| digits.parse::<i64>().ok());
    let (month, day, hour, minute, second) = (number(0)?, number(2)?, number(4)?, number(6)?, number(8).unwrap_or(0));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 of a date of the civil calendar.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Some((format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"), seconds))
}

/// The subjectAltName among the extensions.
fn alternatives(rest: &mut &[u8]) -> Option<String> {
    let mut extensions = inside(rest, 0x30)?;
    while let Some(mut extension) = inside(&mut extensions, 0x30) {
        if inside(&mut extension, 0x06)? != [0x55, 0x1d, 0x11] {
            continue;
        }
        let mut value = element(&mut extension)?;
        if value.0 == 0x01 {
            value = element(&mut extension)?;
        }
        let mut names = inside(&mut { value.1 }, 0x30)?;
        let mut text = String::new();
        while let Some((tag, name)) = element(&mut names) {
            let shown = match (tag, name) {
                (0x82, name) => String::from_utf8_lossy(&name[..name.len().min(255)]).into_owned(),
                (0x87, [a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
                (0x87, name) if name.len() == 16 => {
                    let mut address = [0; 16];
                    address.copy_from_slice(name);
                    std::net::Ipv6Addr::from(address).to_string()
                }
                _ => continue,
            };
            if text.len() < MAX_TEXT {
                text += if text.is_empty() { "" } else { "," };
                text += &shown;
            }
        }
        return Some(text);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(time((0x17, b"700101000000Z")), Some(("1970-01-01T00:00:00Z".to_owned(), 0)));
        assert_eq!(time((0x18, b"20260228235959Z")).unwrap().1, 1_772_323_199);
        assert_eq!(time((0x17, b"261301000000Z")), None);
        assert_eq!(time((0x17, b"")), None);
    }
}
