//! redis parser
