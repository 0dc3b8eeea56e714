//! mysql parser
