//! Parser SDK
