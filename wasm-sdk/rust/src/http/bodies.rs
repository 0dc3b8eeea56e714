//! Bodies whose first bytes are of use to those who refine messages (see "Refiners" in `docs/explanation/data-plane.md`).

/// Private column with the first bytes of a body.
pub const BODY: u16 = 1024;
/// Private column with its media type.
pub const MEDIA_TYPE: u16 = 1025;

/// A `content-type` without its parameters.
pub fn media_type(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Bodies of this media type name what is asked: text in JSON, GraphQL, events of a stream.
pub fn names_operations(media_type: &[u8]) -> bool {
    let lower = media_type.to_ascii_lowercase();
    let whole = [
        &b"application/json"[..],
        b"application/graphql",
        b"application/x-ndjson",
        b"text/event-stream",
        b"application/xml",
        b"text/xml",
        b"text/json",
    ];
    whole.contains(&lower.as_slice()) || lower.ends_with(b"+json") || lower.ends_with(b"+x-ndjson")
}

#[cfg(test)]
mod tests {
    use super::{media_type, names_operations};

    #[test]
    fn types_with_and_without_parameters() {
        for (value, expected) in [
            ("application/json; charset=utf-8", true),
            ("Application/Problem+JSON", true),
            ("text/event-stream", true),
            ("application/vnd.elasticsearch+json;compatible-with=8", true),
            ("application/xml", true),
            ("image/png", false),
            ("", false),
        ] {
            assert_eq!(names_operations(media_type(value.as_bytes())), expected, "{value}");
        }
    }
}
