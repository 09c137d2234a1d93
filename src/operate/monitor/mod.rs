//! What is watched: hosts that answer, or do not.

pub mod seen;
