//! The options of the parser; names, types and defaults also stand in `http.metaflow.toml`.

use crate::fields::Fields;

/// What an operator can change: what every version of HTTP has.
pub(crate) type Options = metaflow_parser_sdk::http::options::Options<Fields>;
