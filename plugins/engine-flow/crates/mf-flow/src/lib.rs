//! mf-flow
