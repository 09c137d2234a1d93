//! The only test binary: one module a behaviour.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm, clippy::disallowed_methods)]

mod amt;
mod answers;
mod audit;
mod capture;
mod commands;
mod compile;
mod day;
mod deploy;
mod dev;
mod diff;
mod edit;
mod engines;
mod fix;
mod fmt;
mod formats;
mod harness;
mod hostile;
mod init;
mod lab;
mod language;
mod lsp;
mod manual;
mod monitor;
mod network;
mod nfs;
mod noise;
mod oracle;
mod page;
mod pages;
mod power;
mod program;
mod reject;
mod schedule;
mod secrets;
mod services;
mod shell;
mod slots;
mod status;
mod syntax;
mod tidy;
mod trend;
mod wake;
mod why;
