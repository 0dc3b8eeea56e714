use super::{Decoder, Scratch, Sink};
use crate::fields::{Class, Fields};
use metaflow_parser_sdk::http::options::Options;

/// Writes down what it is given.
#[derive(Default)]
struct Notes(Vec<String>, Vec<u8>);

struct Noting<'a>(&'a Fields, Notes);

impl Sink for Noting<'_> {
    fn field(&mut self, class: Class, value: &[u8]) {
        self.1 .0.push(format!("{}: {}", self.0.name(class), String::from_utf8_lossy(value)));
    }

    fn unknown(&mut self) {
        self.1 .0.push("?".to_owned());
    }

    fn literal(&mut self, _: Option<&[u8]>, value: &[u8]) {
        self.1 .1.extend_from_slice(value);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn fields() -> Fields {
    let mut options = Options::<Fields>::default();
    options.set("attribute_headers", "custom-key, cache-control, location").unwrap();
    options.fields
}

fn decode(decoder: &mut Decoder, block: &[u8]) -> (Vec<String>, Option<(&'static str, usize)>) {
    let fields = fields();
    let mut sink = Noting(&fields, Notes::default());
    let wrong = decoder.decode(block, &fields, &mut Scratch::default(), &mut sink).err();
    (sink.1 .0, wrong.map(|wrong| (wrong.reason, wrong.offset)))
}

fn complete() -> Decoder {
    let mut decoder = Decoder::default();
    decoder.complete();
    decoder
}

#[test]
fn requests_of_the_specification_with_and_without_huffman() {
    let plain = [
        "828684410f7777772e6578616d706c652e636f6d",
        "828684be58086e6f2d6361636865",
        "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ];
    let coded = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = complete();
        let found: Vec<_> = blocks.iter().map(|block| decode(&mut decoder, &hex(block))).collect();
        assert_eq!(
            found[0],
            (vec![":method: GET".into(), ":path: /".into(), ":authority: www.example.com".into()], None)
        );
        assert_eq!(found[1].0[2..], [":authority: www.example.com", "cache-control: no-cache"]);
        assert_eq!(
            found[2].0,
            [":method: GET", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"]
        );
        assert_eq!(decoder.table.len(), 3);
    }
}

#[test]
fn responses_of_the_specification_evict_entries() {
    let mut decoder = complete();
    // Appendix C.6 has a table of 256 octets.
    decoder.table.resize(256);
    let first =
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3";
    assert_eq!(
        decode(&mut decoder, &hex(first)).0,
        [":status: 302", "cache-control: private", "location: https://www.example.com"]
    );
    assert_eq!(
        decode(&mut decoder, &hex("4883640effc1c0bf")).0,
        [":status: 307", "cache-control: private", "location: https://www.example.com"]
    );
    assert_eq!(decoder.table.len(), 4);
    let third = "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007";
    assert_eq!(
        decode(&mut decoder, &hex(third)).0,
        [":status: 200", "cache-control: private", "location: https://www.example.com", "content-encoding: gzip"]
    );
    assert_eq!(decoder.table.len(), 3);
}

#[test]
fn what_was_not_captured_is_unknown_and_what_came_since_is_right() {
    let mut decoder = Decoder::default();
    // A dynamic index and a literal whose name is one: nobody knows. What was added since is known by its index.
    let (found, wrong) = decode(&mut decoder, &hex("be 410161 7f01 0162 be bf c0"));
    assert_eq!(wrong, None);
    assert_eq!(found, ["?", ":authority: a", "?", "?", ":authority: a", "?"]);
    decoder.lose();
    assert_eq!(decode(&mut decoder, &hex("be")).0, ["?"]);
}

#[test]
fn hostile_blocks_are_told_with_the_octet() {
    for (block, reason, offset) in [
        ("80", "index 0", 0),
        ("82be", "an index behind the table's end", 1),
        ("7f00 0161", "an index behind the table's end", 0),
        ("ff8080808080808001", "a number that is too large", 0),
        ("ffffffff7f", "a number that is too large", 0),
        ("ff", "it ends inside a field", 1),
        ("4105616263", "it ends inside a field", 1),
        ("417fffffffffff", "a number that is too large", 1),
        ("4181ff", "a string that is not of the Huffman code", 1),
        ("823f00", "a change of the table's size behind a field", 1),
    ] {
        assert_eq!(decode(&mut complete(), &hex(block)).1, Some((reason, offset)), "{block}");
    }
}

#[test]
fn the_table_is_bounded_and_shrinks_when_told() {
    let mut decoder = complete();
    for _ in 0..10_000 {
        decode(&mut decoder, &hex("4001610162"));
    }
    assert_eq!(decoder.table.len(), 4096 / 34);
    // A change to 0 and back empties it.
    decode(&mut decoder, &hex("20 3fe11f"));
    assert_eq!(decoder.table.len(), 0);
    // More than is kept: old entries are unknown, and no error.
    decode(&mut decoder, &hex("3fe1ffff03"));
    for _ in 0..10_000 {
        decode(&mut decoder, &hex("4001610162"));
    }
    assert_eq!(decoder.table.len(), (64 << 10) / 34);
    assert_eq!(decode(&mut decoder, &hex("ff8f4e")), (vec!["?".into()], None));
}
