//! The servers that `rsconnect add` saved.
//!
//! Source: rsconnect-python's metadata module, whose `servers.json` is an object keyed by name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use connect_cache::{Fields, Json};

use super::files::read_file;

/// One saved server.
pub(crate) struct SavedServer {
    pub(crate) url: String,
    pub(crate) api_key: Option<String>,
    pub(crate) insecure: Option<bool>,
    /// PEM text.
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
    let Ok(Json::Object(mut servers)) = Json::read(&content) else {
        return Err(format!("{shown} does not hold servers saved by rsconnect"));
    };
    let entry = |json: Json| {
        let mut fields = Fields::try_from(json)?;
        Ok(SavedServer {
            url: fields.text("url")?.ok_or("no url")?,
            api_key: fields.text("api_key")?,
            insecure: fields.boolean("insecure")?,
            ca_cert: fields.text("ca_cert")?,
        })
    };
    match servers.take(name)? {
        // An entry that is not wanted may be of any shape.
        Some(json) => entry(json)
            .map_err(|_: String| format!("the entry {name} in {shown} is none that rsconnect saved")),
        None => {
            let names: Vec<&str> = servers.0.iter().map(|(name, _)| name.as_str()).collect();
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
