//! Tests the test server by requests, as its clients send them.

mod api;
mod client;
mod images;
mod incidents;
mod missing;
mod network;
mod program;
mod replies;
mod users;
