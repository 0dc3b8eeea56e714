//! dns parser
