//! The test server, tested as its clients see it.

mod api;
mod client;
mod network;
mod program;
mod users;
