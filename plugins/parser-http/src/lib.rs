//! http parser
