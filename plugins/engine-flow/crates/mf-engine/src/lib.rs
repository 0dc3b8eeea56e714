//! mf-engine
