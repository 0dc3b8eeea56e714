//! The order in which parsers are offered a flow: known endpoint, port, magic, then the configured order.

use crate::flow::Layer;
use crate::parser::ParserDescription;

/// Why a parser is a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It parses other flows of this server endpoint.
    Endpoint,
    /// It names the server's port.
    Port,
    /// The payload begins with its magic.
    Magic,
    /// Its turn in the configured order.
    Order,
}

impl Why {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Why::Endpoint => "known endpoint",
            Why::Port => "port",
            Why::Magic => "magic",
            Why::Order => "order",
        }
    }
}

/// The candidates of one flow as sets of parser indices (bit i = parser i).
#[derive(Clone, Copy, Debug, Default)]
pub struct Candidates {
    endpoint: u128,
    port: u128,
    magic: u128,
    all: u128,
}

impl Candidates {
    /// Sorts the parsers of a transport by what speaks for them.
    pub fn new<'a>(
        parsers: impl Iterator<Item = &'a ParserDescription>,
        transport: u8,
        layer: Layer,
        server_port: u16,
        endpoint: Option<u16>,
    ) -> Self {
        let mut out = Candidates::default();
        for (index, parser) in parsers.enumerate().take(128) {
            let bit = 1u128 << index;
            if !parser.takes(transport) || (layer == Layer::Ciphertext && !parser.ciphertext) {
                continue;
            }
            out.all |= bit;
            if parser.names_port(server_port) {
                out.port |= bit;
            }
        }
        out.endpoint = endpoint.filter(|&index| index < 128).map_or(0, |index| 1 << index) & out.all;
        out
    }

    /// Takes the payload's first bytes into account.
    pub fn look_at<'a>(&mut self, parsers: impl Iterator<Item = &'a ParserDescription>, payload: &[u8]) {
        self.magic = 0;
        for (index, parser) in parsers.enumerate().take(128) {
            if self.all >> index & 1 == 1 && parser.has_magic(payload) {
                self.magic |= 1 << index;
            }
        }
    }

    /// The first candidate that is not in `tried`.
    pub fn next(&self, tried: u128) -> Option<(u16, Why)> {
        let sets =
            [(self.endpoint, Why::Endpoint), (self.port, Why::Port), (self.magic, Why::Magic), (self.all, Why::Order)];
        sets.into_iter().find_map(|(set, why)| {
            let left = set & !tried;
            (left != 0).then(|| (left.trailing_zeros() as u16, why))
        })
    }
}
