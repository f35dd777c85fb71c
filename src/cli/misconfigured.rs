//! Why the options, the environment and the saved servers do not make a configuration.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use connect_cache::{InvalidConfig, ServerUrl};

/// A configuration that cannot be used. `Display` is one line without any secret.
#[derive(Debug)]
pub(crate) enum Misconfigured {
    /// Nothing names a server.
    NoServer,
    /// `--server` and `--name` are both given.
    TwoServers,
    /// Nothing provides a key.
    NoKey,
    /// Different keys are saved for the same address, under these names.
    TwoKeys { server: ServerUrl, names: [String; 2] },
    /// A variable is not UTF-8.
    NotUtf8 { variable: &'static str },
    /// A variable has a value of another kind than expected.
    Unfit { variable: &'static str, value: String, problem: String },
    /// A file cannot be read. `file` is its purpose and its path.
    Unreadable { file: String, source: io::Error },
    /// A file does not exist, and its path is in quotes, as some env files keep them.
    QuotedPath { file: String },
    /// The library rejects a value.
    Invalid(InvalidConfig),
    /// The library rejects a value from a file or a saved server.
    InvalidIn { place: String, source: InvalidConfig },
    /// The directory of the saved servers is not known.
    NoHome,
    /// A file is not what rsconnect writes. There is no source, since that could show a key.
    NotSavedServers { file: PathBuf },
    /// No server is saved under this name.
    NotSaved { name: String, file: PathBuf, known: Vec<String> },
    /// A saved server cannot be used.
    UnusableServer { name: String, problem: &'static str },
}

impl From<InvalidConfig> for Misconfigured {
    fn from(error: InvalidConfig) -> Self {
        Self::Invalid(error)
    }
}

impl Error for Misconfigured {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Invalid(source) | Self::InvalidIn { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => {
                f.write_str("no server specified; use --server URL or --name NAME, or set CONNECT_SERVER")
            }
            Self::TwoServers => {
                f.write_str("--name cannot be combined with --server: a saved server has its own URL")
            }
            Self::NoKey => {
                f.write_str("no API key specified; use --api-key-file FILE, or set CONNECT_API_KEY")
            }
            Self::TwoKeys { server, names: [one, other] } => {
                write!(f, "two keys are saved for {server}; use --name {one} or --name {other}")
            }
            Self::NotUtf8 { variable } => write!(f, "invalid {variable}: not UTF-8"),
            Self::Unfit { variable, value, problem } => write!(f, "invalid {variable} '{value}': {problem}"),
            Self::Unreadable { file, source } => write!(f, "cannot read {file}: {source}"),
            Self::QuotedPath { file } => write!(f, "cannot read {file}: its path is in quotes; remove them"),
            Self::Invalid(source) => source.fmt(f),
            Self::InvalidIn { place, source } => write!(f, "{place}: {source}"),
            Self::NoHome => f.write_str("cannot find rsconnect's saved servers: HOME is not set"),
            Self::NotSavedServers { file } => {
                write!(f, "cannot read saved servers from {}: not in rsconnect's format", file.display())
            }
            Self::NotSaved { name, file, known } => {
                write!(f, "no server is saved as {name} in {}: ", file.display())?;
                if known.is_empty() {
                    f.write_str("there are none; save one with rsconnect add")
                } else {
                    write!(f, "there are {}", known.join(", "))
                }
            }
            Self::UnusableServer { name, problem } => write!(f, "the saved server {name} {problem}"),
        }
    }
}
