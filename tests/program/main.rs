//! Runs the program against the test server, and checks its output, its exit status and the requests that the
//! server received.

// .clippy.toml allows these in tests, but not in the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod arguments;
mod check;
mod clients;
mod cluster;
mod commands;
mod delete;
mod environment;
mod faults;
mod following;
mod from;
mod gateways;
mod growth;
mod headers;
mod heads;
mod help;
mod library;
mod list;
mod load;
mod logs;
mod masking;
mod namesakes;
mod odd_replies;
#[path = "../oracle/mod.rs"]
mod oracle;
mod presence;
mod properties;
mod proxy;
mod purge;
mod replies;
mod saved;
mod secrets;
mod socks;
mod streams;
mod support;
mod task;
mod terminal;
mod trust;
mod usage;
