//! The test server, tested as its clients see it.

mod api;
mod client;
mod images;
mod missing;
mod network;
mod program;
mod replies;
mod users;
