//! mf-column
