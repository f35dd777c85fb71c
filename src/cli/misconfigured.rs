//! Why the options, the environment and the saved servers do not make a configuration.

use std::fmt;
use std::path::PathBuf;

use connect_cache::{InvalidConfig, ServerUrl};

/// A configuration that cannot be used. `Display` is one line without any secret.
#[derive(Debug)]
pub(crate) enum Misconfigured {
    /// Options or variables are missing or contradict each other, as this sentence says.
    Usage(&'static str),
    /// Different keys are saved for the same address, under these names.
    TwoKeys { server: ServerUrl, names: [String; 2] },
    /// A variable is not UTF-8.
    NotUtf8 { variable: &'static str },
    /// A variable has a value of another kind than expected.
    Unfit { variable: &'static str, value: String, problem: String },
    /// The library rejects a value, or a file cannot be read.
    Invalid(InvalidConfig),
    /// The library rejects a value from a file.
    InvalidIn { place: String, source: InvalidConfig },
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

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(sentence) => f.write_str(sentence),
            Self::TwoKeys { server, names: [one, other] } => {
                write!(f, "two keys are saved for {server}; use --name {one} or --name {other}")
            }
            Self::NotUtf8 { variable } => write!(f, "invalid {variable}: not UTF-8"),
            Self::Unfit { variable, value, problem } => write!(f, "invalid {variable} '{value}': {problem}"),
            Self::Invalid(source) => source.fmt(f),
            Self::InvalidIn { place, source } => write!(f, "{place}: {source}"),
            Self::NotSaved { name, file, known } => {
                let none = || "none; save one with rsconnect add".to_owned();
                let known = if known.is_empty() { none() } else { known.join(", ") };
                write!(f, "no server is saved as {name} in {}; saved servers: {known}", file.display())
            }
            Self::UnusableServer { name, problem } => write!(f, "the saved server {name} {problem}"),
        }
    }
}
