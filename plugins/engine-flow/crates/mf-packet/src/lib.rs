//! mf-packet
