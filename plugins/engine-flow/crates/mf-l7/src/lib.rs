//! mf-l7
