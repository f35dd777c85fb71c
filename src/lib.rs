//! Delete Posit Connect runtime caches and report what really happened.
//!
//! Posit Connect keeps a package cache for each version of a language and execution image. This library is the
//! blocking client of the program `connect-cache`. It has no async runtime and starts no thread.
//!
//! ```
//! use connect_cache::{Client, Config, Mode, Progress, RuntimeCache};
//!
//! # let server = connect_test_server::Server::start(Default::default());
//! # let (address, key) = (server.url(), "admin-key");
//! let client = Client::new(Config::new(address.parse()?, key.parse()?))?;
//! let cache = RuntimeCache::new("R", "4.3.0", "Local");
//! let deletion = client.delete(&cache, Mode::Wait, |progress| {
//!     if let Progress::Line(line) = progress {
//!         println!("{line}");
//!     }
//! });
//! println!("{deletion}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The source of what this library knows about Connect is the Connect API reference, sections "System", "Tasks", "Server
//! settings", "Users" and "Content"; other sources, and assumptions, are named where they matter.
//!
//! # Environment
//!
//! The library reads two variables, which select the certificates to trust ([`Trust::Store`]).
//! Everything else, including proxies, is in the [`Config`].
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SSL_CERT_FILE` | a PEM file with the CA certificates to trust |
//! | `SSL_CERT_DIR` | directories of such files, separated by `:` |
//!
//! # Errors
//!
//! [`InvalidConfig`] precedes any request. [`Error`] says what a request attempted and why it failed;
//! [`Outcome`] says what happened to a cache, even if replies were lost.

mod api;
mod client;
mod config;
mod deletion;
mod error;
mod http;

pub use api::{ContentUsage, Installation, InvalidTaskId, RuntimeCache, ServerSettings, Task, TaskId, User};
pub use client::{Client, Event};
pub use config::{ApiKey, CaCertificates, Config, Header, InvalidConfig, Proxy, ServerUrl, Trust};
pub use deletion::{
    Absence, AfterFailure, Cause, Deletion, Known, Missing, Mode, Obstacle, Outcome, Progress, Proof,
    Selection, Status, TaskFailure,
};
pub use error::{Attempt, CertificateProblem, Error, ErrorKind, Excerpt, Result, Verdict};
