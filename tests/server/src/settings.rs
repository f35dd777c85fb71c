//! The settings of the server and the installations of R and Python, as the API shows them.

use serde_json::{Value, json};

use crate::Role;
use crate::api::{self, Call};
use crate::http::Reply;
use crate::refusal::{self, refuse};

/// The reply of `server_settings`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The version of Connect; `None` hides it.
    pub version: Option<String>,
    /// Show the version only to requests with a valid key.
    pub hide_version_without_key: bool,
    /// The value of `execution_type`: `native`, `launcher-local` or `launcher-kubernetes`; `None` omits it.
    pub execution_type: Option<String>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { version: Some("2026.09.0".into()), hide_version_without_key: false, execution_type: None }
    }
}

/// The reply of `v1/server_settings/r` or `/python`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Installations {
    /// These installations.
    Listed(Vec<Installation>),
    /// The server has no such endpoint: 404 with code 2.
    Missing,
}

impl Installations {
    /// Returns the list of one version, which runs natively.
    pub fn local(version: &str) -> Installations {
        [Installation::local(version)].into()
    }
}

impl<const N: usize> From<[Installation; N]> for Installations {
    fn from(installations: [Installation; N]) -> Installations {
        Installations::Listed(installations.into())
    }
}

/// An installation of R or Python.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// Its version.
    pub version: String,
    /// `Local`, or the name of the cluster that runs it.
    pub cluster_name: String,
    /// `Local`, or the name of its image.
    pub image_name: String,
}

impl Installation {
    /// Returns an installation that runs natively.
    pub fn local(version: &str) -> Installation {
        Installation { version: version.into(), cluster_name: "Local".into(), image_name: "Local".into() }
    }

    /// Returns an installation in an image, which runs in a cluster of Kubernetes.
    pub fn in_image(version: &str, image: &str) -> Installation {
        Installation { version: version.into(), cluster_name: "Kubernetes".into(), image_name: image.into() }
    }
}

impl Call<'_> {
    /// Returns the public settings. A hidden version is an empty one.
    pub fn settings(&self) -> Reply {
        let config = &self.shared.config;
        let settings = &config.settings;
        let known = api::user(config, self.message).is_some_and(|user| !user.locked);
        let hidden = settings.hide_version_without_key && !known;
        let version = settings.version.as_deref().filter(|_| !hidden);
        let mut body = json!({ "version": version.unwrap_or_default() });
        if let Some(execution) = &settings.execution_type {
            body["execution_type"] = json!(execution);
        }
        Reply::json(200, &body)
    }

    pub fn installations(&self, installations: &Installations) -> Result<Reply, Reply> {
        let Installations::Listed(listed) = installations else {
            return Err(refuse(refusal::NO_SUCH_ENDPOINT));
        };
        self.caller(Role::Publisher)?;
        let installations: Vec<Value> = listed
            .iter()
            .map(|Installation { version, cluster_name, image_name }| {
                json!({ "version": version, "cluster_name": cluster_name, "image_name": image_name })
            })
            .collect();
        Ok(Reply::json(200, &json!({ "installations": installations })))
    }
}
