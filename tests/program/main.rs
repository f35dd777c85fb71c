//! The program, tested from outside: it runs against the test server, and what counts is standard output,
//! standard error, the exit status and the requests that arrived.

// clippy.toml allows these in tests, and does not know the functions that tests share for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod arguments;
mod asking;
mod check;
mod cluster;
mod commands;
mod delete;
mod environment;
mod faults;
mod following;
mod from;
mod headers;
mod heads;
mod help;
mod list;
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
mod trust;
mod usage;
