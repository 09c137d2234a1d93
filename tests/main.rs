//! The only test binary: one module a behaviour.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm, clippy::disallowed_methods)]

mod answers;
mod compile;
mod harness;
mod lab;
mod lsp;
mod network;
mod noise;
mod pages;
mod program;
mod reject;
mod services;
mod tidy;
