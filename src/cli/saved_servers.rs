//! The servers that rsconnect saved.
//!
//! Source: rsconnect-python's metadata module. Its `servers.json` is an object keyed by name. Only the fields of an
//! entry show the kind of its server.

use std::env;
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use connect_cache::{ApiKey, ServerUrl};
use serde_json::{Map, Value};

use super::files::read_file;

/// One saved server.
#[derive(Default)]
pub(crate) struct SavedServer {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) insecure: bool,
    /// PEM text, or nothing.
    pub(crate) ca_cert: String,
    /// Empty if there is none.
    api_key: String,
    is_default: bool,
    is_oauth: bool,
    /// Why this server cannot be used, or nothing.
    problem: &'static str,
}

const NOT_SAVED_BY_RSCONNECT: &str = "is not in rsconnect's format; save it again with rsconnect add";
// Snowflake's gateway takes its own token in `Authorization` (rsconnect-python, `http_support.py`).
const SNOWFLAKE: &str = "is a Snowflake server, which requires a Snowflake token; use --server URL with an \
                         API key and --header 'Authorization: Snowflake Token=\"TOKEN\"'";
const CLOUD: &str =
    "is for shinyapps.io or Posit Connect Cloud, which have no runtime caches; specify a Connect server";

impl SavedServer {
    pub(crate) fn key(&self) -> Result<ApiKey, String> {
        if self.api_key.is_empty() {
            let oauth = if self.is_oauth { "is an OAuth login and " } else { "" };
            return Err(self.problem(&format!("{oauth}has no API key; use --api-key-file FILE")));
        }
        self.api_key.parse().map_err(String::from)
    }

    fn usable(self) -> Result<Self, String> {
        match self.problem {
            "" => Ok(self),
            problem => Err(self.problem(problem)),
        }
    }

    fn problem(&self, problem: &str) -> String {
        format!("the saved server {} {problem}", self.name)
    }
}

/// Returns the server saved as `name`. Errors are for people and show no key.
pub(crate) fn find(name: &str) -> Result<SavedServer, String> {
    let Some(path) = path() else {
        return Err("cannot find rsconnect's saved servers: HOME is not set".to_owned());
    };
    let mut servers = read(&path)?;
    if let Some(at) = servers.iter().position(|server| server.name == name) {
        return servers.swap_remove(at).usable();
    }
    let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
    let known = match names.is_empty() {
        true => "there are none; save one with rsconnect add".to_owned(),
        false => format!("there are {}", names.join(", ")),
    };
    Err(format!("no server is saved as {name} in {}: {known}", path.display()))
}

/// Returns the server that rsconnect uses if none is named.
pub(crate) fn default() -> Result<Option<SavedServer>, String> {
    the_first(&|server| server.is_default)
}

/// Returns the server saved with this address and a key, or else one that says why there is no key.
pub(crate) fn at(address: &ServerUrl) -> Result<Option<SavedServer>, String> {
    let here = |server: &SavedServer| server.url.parse().is_ok_and(|url: ServerUrl| url == *address);
    let has_key =
        |server: &SavedServer| here(server) && server.problem.is_empty() && !server.api_key.is_empty();
    let Some(found) = the_first(&has_key)? else { return the_first(&here) };
    match the_first(&|server| has_key(server) && server.api_key != found.api_key)? {
        Some(SavedServer { name, .. }) => {
            Err(format!("two keys are saved for {address}; use --name {} or --name {name}", found.name))
        }
        None => Ok(Some(found)),
    }
}

fn the_first(is: &dyn Fn(&SavedServer) -> bool) -> Result<Option<SavedServer>, String> {
    let servers = path().map_or(Ok(Vec::new()), |path| read(&path))?;
    servers.into_iter().find(is).map(SavedServer::usable).transpose()
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

/// Reads the servers in the file's order; none if there is no file.
fn read(path: &Path) -> Result<Vec<SavedServer>, String> {
    let shown = path.display();
    let content = match read_file(path) {
        Ok(content) => content,
        Err(error) if error.kind() == NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read saved servers from {shown}: {error}")),
    };
    let Ok(entries) = serde_json::from_slice::<Map<String, Value>>(&content) else {
        return Err(format!("cannot read saved servers from {shown}: not in rsconnect's format"));
    };
    let mut servers = Vec::new();
    for (name, entry) in entries {
        // An entry that is not wanted may be of any shape.
        let odd = || SavedServer { problem: NOT_SAVED_BY_RSCONNECT, ..SavedServer::default() };
        servers.push(SavedServer { name, ..entry_of(entry).unwrap_or_else(odd) });
    }
    Ok(servers)
}

/// Reads one entry; `None` if it does not have the shape that rsconnect writes.
fn entry_of(json: Value) -> Option<SavedServer> {
    let Value::Object(fields) = json else { return None };
    let mut server = SavedServer::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("url", Value::String(text)) => server.url = text,
            ("api_key", Value::String(text)) => server.api_key = text,
            ("ca_cert", Value::String(text)) => server.ca_cert = text,
            ("insecure", Value::Bool(value)) => server.insecure = value,
            ("url" | "api_key" | "ca_cert" | "insecure", _) => return None,
            ("default", value) => server.is_default = value == Value::Bool(true),
            ("oauth_client_id", _) => server.is_oauth = true,
            ("snowflake_connection_name", value) if value != Value::from("") => server.problem = SNOWFLAKE,
            ("account_name" | "connect_cloud_account_name", _) => server.problem = CLOUD,
            _ => {}
        }
    }
    (!server.url.is_empty()).then_some(server)
}
