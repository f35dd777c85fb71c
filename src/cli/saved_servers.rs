//! The servers that rsconnect saved.
//!
//! Source: rsconnect-python's metadata module. Its `servers.json` is an object keyed by name. Only the fields of an
//! entry show the kind of its server.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use connect_cache::{CaCertificates, InvalidConfig, ServerUrl, Trust};
use serde::Deserialize;
use serde_json::Value;

use super::files;
use super::misconfigured::Misconfigured;
use super::values::Secret;

// Snowflake's gateway takes its own token in `Authorization` (rsconnect-python, `http_support.py`).
const SNOWFLAKE: &str = "is a Snowflake server, which requires a Snowflake token; use --server URL with an \
                         API key and --header 'Authorization: Snowflake Token=\"TOKEN\"'";
const CLOUD: &str =
    "is for shinyapps.io or Posit Connect Cloud, which have no runtime caches; specify a Connect server";
const OAUTH: &str = "is an OAuth login and has no API key; use --api-key-file FILE, or \
                     --header 'Authorization: Bearer TOKEN'";
const NO_KEY: &str = "has no API key; use --api-key-file FILE";

/// A saved server, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct SavedServer {
    /// The name of the entry.
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) url: String,
    api_key: Option<Secret>,
    insecure: Option<bool>,
    /// PEM text.
    ca_cert: Option<String>,
    default: Option<bool>,
    // Fields of servers that are not Connect servers, or have no API key.
    snowflake_connection_name: Option<String>,
    account_name: Option<String>,
    connect_cloud_account_name: Option<String>,
    oauth_client_id: Option<String>,
}

impl SavedServer {
    /// Reads an entry; `None` if it does not have the shape that rsconnect writes.
    fn read(name: String, entry: Value) -> Option<Self> {
        // An array is never read as an object.
        let entry = Some(entry).filter(Value::is_object)?;
        Some(Self { name, ..serde_json::from_value(entry).ok()? })
    }

    fn is_at(&self, address: &ServerUrl) -> bool {
        self.url.parse().is_ok_and(|url: ServerUrl| url == *address)
    }

    /// Returns the key. The error says why there is none, and what to do instead.
    pub(crate) fn key(&self) -> Result<&str, Misconfigured> {
        let has = |field: &Option<String>| field.as_ref().is_some_and(|text| !text.is_empty());
        let key = self.api_key.as_ref().map(|key| key.reveal().trim()).filter(|key| !key.is_empty());
        let problem = match key {
            _ if has(&self.snowflake_connection_name) => SNOWFLAKE,
            Some(key) => return Ok(key),
            None if has(&self.account_name) || has(&self.connect_cloud_account_name) => CLOUD,
            None if has(&self.oauth_client_id) => OAUTH,
            None => NO_KEY,
        };
        Err(Misconfigured::UnusableServer { name: self.name.clone(), problem })
    }

    /// Returns the server unless no API key is of use for it.
    fn usable(self) -> Result<Self, Misconfigured> {
        match self.key() {
            Err(error @ Misconfigured::UnusableServer { problem: SNOWFLAKE | CLOUD, .. }) => Err(error),
            _ => Ok(self),
        }
    }

    /// Returns which certificates to trust.
    pub(crate) fn trust(&self) -> Result<Trust, Misconfigured> {
        match &self.ca_cert {
            _ if self.insecure == Some(true) => Ok(Trust::Insecure),
            Some(pem) if !pem.trim().is_empty() => Ok(Trust::Certificates(CaCertificates::from_pem(
                "the CA saved with the server",
                pem.as_str(),
            )?)),
            _ => Ok(Trust::Store),
        }
    }
}

/// Returns the server saved as `name`.
pub(crate) fn find(name: &str) -> Result<SavedServer, Misconfigured> {
    let home = Misconfigured::Usage("cannot find rsconnect's saved servers: HOME is not set");
    let file = path().ok_or(home)?;
    let mut entries = read(&file)?;
    let name = name.to_owned();
    let Some(entry) = entries.remove(&name) else {
        return Err(Misconfigured::NotSaved { name, file, known: entries.into_keys().collect() });
    };
    let problem = "is not in rsconnect's format; save it again with rsconnect add";
    let malformed = Misconfigured::UnusableServer { name: name.clone(), problem };
    SavedServer::read(name, entry).ok_or(malformed)?.usable()
}

/// Returns the server that rsconnect uses if none is named.
pub(crate) fn default() -> Result<Option<SavedServer>, Misconfigured> {
    all()?.into_iter().find(|server| server.default == Some(true)).map(SavedServer::usable).transpose()
}

/// Returns the server saved with this address and a key, or else one without a key. Its certificate is verified, since
/// nothing names the server that was saved as insecure.
pub(crate) fn at(address: &ServerUrl) -> Result<Option<SavedServer>, Misconfigured> {
    let here = all()?.into_iter().filter(|server| server.is_at(address));
    let (with_key, others): (Vec<_>, Vec<_>) = here.partition(|server| server.key().is_ok());
    if let Some(other) = with_key.iter().find(|server| server.key().ok() != with_key[0].key().ok()) {
        let names = [with_key[0].name.clone(), other.name.clone()];
        return Err(Misconfigured::TwoKeys { server: address.clone(), names });
    }
    let mut first = with_key.into_iter().chain(others).next();
    first.iter_mut().for_each(|server| server.insecure = None);
    Ok(first)
}

/// Returns all entries that have the shape that rsconnect writes; none if there is no file.
fn all() -> Result<Vec<SavedServer>, Misconfigured> {
    let entries = path().map_or(Ok(BTreeMap::new()), |file| read(&file))?;
    Ok(entries.into_iter().filter_map(|(name, entry)| SavedServer::read(name, entry)).collect())
}

fn path() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = match set("XDG_CONFIG_HOME") {
        _ if cfg!(target_os = "macos") => set("HOME")?.join("Library/Application Support/rsconnect-python"),
        Some(config) => config.join("rsconnect-python"),
        None => set("HOME")?.join(".rsconnect-python"),
    };
    Some(folder.join("servers.json"))
}

/// Reads the entries, whose shape is not checked yet: one that is not wanted may have any.
fn read(path: &Path) -> Result<BTreeMap<String, Value>, Misconfigured> {
    let entries = match files::read_long(path) {
        // The error of the parser could show a key.
        Ok(text) => serde_json::from_str(&text).map_err(|_| io::Error::other("not in rsconnect's format")),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(BTreeMap::new())
        }
        Err(error) => Err(error),
    };
    let file = || format!("saved servers from {}", path.display());
    entries.map_err(|error| InvalidConfig::Unreadable { file: file(), error }.into())
}
