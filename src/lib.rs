//! Delete Posit Connect runtime caches, follow the task that does it, and learn what became of the cache.
//!
//! Posit Connect keeps a package cache for each version of a language and execution image. This library
//! is the blocking client behind the program `connect-cache`: no async runtime, and no thread but the
//! caller's.
//!
//! ```
//! use connect_cache::{ApiKey, Client, Config, RuntimeCache, delete};
//!
//! # let server = connect_test_server::Server::start(Default::default());
//! # let (address, key) = (server.url(), "admin-key");
//! let config = Config::new(address.parse()?, ApiKey::new(key)?);
//! let client = Client::new(config)?;
//! let cache =
//!     RuntimeCache { language: "R".into(), version: "4.3.0".into(), image_name: "Local".into() };
//! let outcome = delete(&client, &cache, |line| println!("{line}"));
//! println!("{cache}: {}", outcome.status.as_str());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Environment
//!
//! The library reads two variables, and these only to learn whose certificates to trust
//! ([`Trust::Store`]). All else, proxies included, is in the [`Config`].
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SSL_CERT_FILE` | a PEM file with the CA certificates to trust |
//! | `SSL_CERT_DIR` | folders of such files, parted by `:` |
//!
//! # Errors
//!
//! [`InvalidConfig`] comes before any request. [`Error`] says what was attempted and what came of it;
//! [`Outcome`] says what became of a cache, also where the answers were lost.

mod api;
pub mod cli;
mod client;
mod config;
mod cookies;
mod deletion;
mod error;
mod event;
mod exit_status;
mod follow;
mod glob;
mod http;
mod key;
mod proxy;
mod retry;
mod sanitize;
mod secrets;
mod select;
mod server;
mod trust;

pub use api::{Installation, RuntimeCache, ServerSettings, Task, TaskId, User};
pub use client::Client;
pub use config::{Config, InvalidConfig};
pub use deletion::{Outcome, Status, delete};
pub use error::{Error, ErrorKind, Result};
pub use event::Event;
pub use exit_status::ExitStatus;
pub use follow::{Progress, follow};
pub use key::ApiKey;
pub use proxy::Proxy;
pub use sanitize::escape;
pub use server::ServerUrl;
pub use trust::{CertificateProblem, Trust};
