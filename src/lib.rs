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
//! let outcome = client.delete(&cache, Mode::Wait, |progress| {
//!     if let Progress::Line(line) = progress {
//!         println!("{line}");
//!     }
//! });
//! println!("{cache}: {}", outcome.status.as_str());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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

mod client;
mod config;
mod content;
mod cookies;
mod deletion;
mod dial;
mod endpoints;
mod error;
mod event;
mod exit_status;
mod follow;
mod head;
mod http;
mod jobs;
mod json;
mod lines;
mod objects;
mod outcome;
mod presence;
mod progress;
mod request;
mod resolver;
mod retry;
mod secrets;
mod transport;

pub use client::Client;
pub use config::{ApiKey, CaCertificates, Config, Header, InvalidConfig, Proxy, ServerUrl, Trust};
pub use content::ContentUsage;
pub use deletion::Mode;
pub use error::{Attempt, CertificateProblem, Error, ErrorKind, Result};
pub use event::Event;
pub use exit_status::ExitStatus;
pub use json::{Fields, Json, Unreadable};
pub use objects::{Installation, RuntimeCache, ServerSettings, Task, TaskId, User};
pub use outcome::{Outcome, Status};
pub use progress::Progress;
