//! Tests of the test server that the program's tests do not make: its replies to requests that the program does not
//! send, the bytes of its faults, what it does to order, and the server as a program.

mod api;
mod caches;
mod client;
mod incidents;
mod network;
mod program;
