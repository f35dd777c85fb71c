//! The servers that `rsconnect add` saved.
//!
//! Source: rsconnect-python's metadata module, whose `servers.json` is an object keyed by name.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::files::read_file;

/// One saved server.
#[derive(serde::Deserialize)]
pub(crate) struct SavedServer {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) api_key: Option<String>,
    #[serde(default)]
    pub(crate) insecure: Option<bool>,
    /// PEM text.
    #[serde(default)]
    pub(crate) ca_cert: Option<String>,
}

/// The server saved as `name`; an error in words for people, with no key in it.
pub(crate) fn find(name: &str, var: &dyn Fn(&str) -> Option<OsString>) -> Result<SavedServer, String> {
    let Some(path) = path(var) else {
        return Err("there is no home folder to look for rsconnect's saved servers in; set HOME".to_owned());
    };
    let shown = path.display();
    let content = read_file(&path).map_err(|e| {
        format!("cannot read rsconnect's saved servers in {shown}: {e}; save one with rsconnect add")
    })?;
    // serde's errors may quote what they found, and that may be a key.
    let Servers(servers) = serde_json::from_slice(&content)
        .map_err(|e| format!("{shown} does not hold servers saved by rsconnect (line {})", e.line()))?;
    match servers.iter().find(|(known, _)| known == name) {
        // An entry that is not wanted may be of any shape.
        Some((_, entry)) => serde_json::from_str(entry.get())
            .map_err(|_| format!("the entry {name} in {shown} is none that rsconnect saved")),
        None => {
            let names: Vec<&str> = servers.iter().map(|(name, _)| name.as_str()).collect();
            let known = match names.is_empty() {
                true => "there are none".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            Err(format!("no server is saved as {name} in {shown}: {known}"))
        }
    }
}

fn path(var: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| var(name).filter(|value| !value.is_empty());
    let folder = if cfg!(target_os = "macos") {
        Path::new(&set("HOME")?).join("Library/Application Support/rsconnect-python")
    } else if let Some(config) = set("XDG_CONFIG_HOME") {
        Path::new(&config).join("rsconnect-python")
    } else {
        Path::new(&set("HOME")?).join(".rsconnect-python")
    };
    Some(folder.join("servers.json"))
}

/// The servers and their names, in the file's order.
struct Servers(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Servers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Servers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of servers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Servers, A::Error> {
        let mut servers = Vec::new();
        while let Some(entry) = map.next_entry()? {
            servers.push(entry);
        }
        Ok(Servers(servers))
    }
}
