//! The program, tested from outside: it runs against the test server, and what counts is standard output,
//! standard error, the exit status and the requests that arrived.

mod arguments;
mod delete;
mod faults;
mod following;
mod list;
mod streams;
mod support;
mod task;
