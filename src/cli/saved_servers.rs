//! The servers that rsconnect saved.
//!
//! Source: rsconnect-python's metadata module. Its `servers.json` is an object keyed by name. Only the fields of an
//! entry show the kind of its server.

use std::collections::BTreeMap;
use std::env;
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::path::{Path, PathBuf};

use connect_cache::ServerUrl;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::files;
use super::misconfigured::Misconfigured;
use super::values::Secret;

const NOT_SAVED_BY_RSCONNECT: &str = "is not in rsconnect's format; save it again with rsconnect add";
// Snowflake's gateway takes its own token in `Authorization` (rsconnect-python, `http_support.py`).
const SNOWFLAKE: &str = "is a Snowflake server, which requires a Snowflake token; use --server URL with an \
                         API key and --header 'Authorization: Snowflake Token=\"TOKEN\"'";
const CLOUD: &str =
    "is for shinyapps.io or Posit Connect Cloud, which have no runtime caches; specify a Connect server";
const OAUTH: &str = "is an OAuth login and has no API key; use --api-key-file FILE, or \
                     --header 'Authorization: Bearer TOKEN'";
const NO_KEY: &str = "has no API key; use --api-key-file FILE";

/// A saved server of Connect.
pub(crate) struct SavedServer {
    pub(crate) name: String,
    entry: Entry,
}

/// An entry of the file, as far as it matters here.
#[derive(Deserialize)]
struct Entry {
    url: String,
    api_key: Option<Secret>,
    insecure: Option<bool>,
    /// PEM text.
    ca_cert: Option<String>,
    default: Option<bool>,
    oauth_client_id: Option<IgnoredAny>,
    snowflake_connection_name: Option<String>,
    account_name: Option<IgnoredAny>,
    connect_cloud_account_name: Option<IgnoredAny>,
}

impl Entry {
    /// Reads an entry; `None` if it does not have the shape that rsconnect writes. An array is never read as an object.
    fn read(value: Value) -> Option<Self> {
        value.is_object().then(|| serde_json::from_value(value).ok())?
    }

    fn is_at(&self, address: &ServerUrl) -> bool {
        self.url.parse().is_ok_and(|url: ServerUrl| url == *address)
    }

    fn key(&self) -> Option<&str> {
        self.api_key.as_ref().map(|key| key.reveal().trim()).filter(|key| !key.is_empty())
    }

    /// Returns why no API key is of use for the server.
    fn refusal(&self) -> Option<&'static str> {
        let is_cloud = self.account_name.is_some() || self.connect_cloud_account_name.is_some();
        if self.snowflake_connection_name.as_ref().is_some_and(|name| !name.is_empty()) {
            Some(SNOWFLAKE)
        } else if is_cloud && self.key().is_none() {
            Some(CLOUD)
        } else {
            None
        }
    }
}

impl SavedServer {
    pub(crate) fn url(&self) -> &str {
        &self.entry.url
    }

    pub(crate) fn is_insecure(&self) -> bool {
        self.entry.insecure == Some(true)
    }

    /// Returns the PEM text of the CA certificates to trust.
    pub(crate) fn ca(&self) -> Option<&str> {
        self.entry.ca_cert.as_deref().filter(|pem| !pem.trim().is_empty())
    }

    /// Returns the key. The error says why there is none, and what to do instead.
    pub(crate) fn key(&self) -> Result<&str, Misconfigured> {
        let problem = match (self.entry.refusal(), self.entry.key()) {
            (Some(refusal), _) => refusal,
            (None, Some(key)) => return Ok(key),
            (None, None) if self.entry.oauth_client_id.is_some() => OAUTH,
            (None, None) => NO_KEY,
        };
        Err(Misconfigured::UnusableServer { name: self.name.clone(), problem })
    }

    /// Returns the server unless no API key is of use for it.
    fn usable(self) -> Result<Self, Misconfigured> {
        match self.entry.refusal() {
            Some(problem) => Err(Misconfigured::UnusableServer { name: self.name, problem }),
            None => Ok(self),
        }
    }
}

/// Returns the server saved as `name`.
pub(crate) fn find(name: &str) -> Result<SavedServer, Misconfigured> {
    let file = path().ok_or(Misconfigured::NoHome)?;
    let mut entries = read(&file)?;
    let name = name.to_owned();
    let Some(entry) = entries.remove(&name) else {
        return Err(Misconfigured::NotSaved { name, file, known: entries.into_keys().collect() });
    };
    match Entry::read(entry) {
        Some(entry) => SavedServer { name, entry }.usable(),
        None => Err(Misconfigured::UnusableServer { name, problem: NOT_SAVED_BY_RSCONNECT }),
    }
}

/// Returns the server that rsconnect uses if none is named.
pub(crate) fn default() -> Result<Option<SavedServer>, Misconfigured> {
    let default = all()?.into_iter().find(|server| server.entry.default == Some(true));
    default.map(SavedServer::usable).transpose()
}

/// Returns the server saved with this address and a key, or else one without a key.
pub(crate) fn at(address: &ServerUrl) -> Result<Option<SavedServer>, Misconfigured> {
    let here = all()?.into_iter().filter(|server| server.entry.is_at(address));
    let (with_key, others): (Vec<_>, Vec<_>) = here.partition(|server| server.key().is_ok());
    if let Some(other) = with_key.iter().find(|server| server.entry.key() != with_key[0].entry.key()) {
        let names = [with_key[0].name.clone(), other.name.clone()];
        return Err(Misconfigured::TwoKeys { server: address.clone(), names });
    }
    Ok(with_key.into_iter().chain(others).next())
}

/// Returns all entries that have the shape that rsconnect writes; none if there is no file.
fn all() -> Result<Vec<SavedServer>, Misconfigured> {
    let entries = path().map_or(Ok(BTreeMap::new()), |file| read(&file))?;
    let named = |(name, value)| Some(SavedServer { name, entry: Entry::read(value)? });
    Ok(entries.into_iter().filter_map(named).collect())
}

fn path() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let folder = if cfg!(target_os = "macos") {
        Path::new(&set("HOME")?).join("Library/Application Support/rsconnect-python")
    } else if let Some(config) = set("XDG_CONFIG_HOME") {
        Path::new(&config).join("rsconnect-python")
    } else {
        Path::new(&set("HOME")?).join(".rsconnect-python")
    };
    Some(folder.join("servers.json"))
}

/// Reads the entries, whose shape is not checked yet: one that is not wanted may have any.
fn read(file: &Path) -> Result<BTreeMap<String, Value>, Misconfigured> {
    let text = match files::read_long(file) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(BTreeMap::new()),
        Err(source) => {
            let file = format!("saved servers from {}", file.display());
            return Err(Misconfigured::Unreadable { file, source });
        }
    };
    serde_json::from_str(&text).map_err(|_| Misconfigured::NotSavedServers { file: file.to_owned() })
}
