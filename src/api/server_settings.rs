//! The settings of a server, and the languages that it offers.

use serde::{Deserialize, Serialize};

use crate::api::object::{objects, or_default};

/// Public settings: `GET server_settings`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct ServerSettings {
    /// The server's version, such as `2026.09.0`; `None` or empty if the server hides it.
    pub version: Option<String>,
    /// `native`, `launcher-local` or `launcher-kubernetes`, if the server reports it.
    pub execution_type: Option<String>,
}

/// One version of a language that the server offers: `GET v1/server_settings/r` and `/python`. What the server does not
/// report is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct Installation {
    /// The language's version.
    #[serde(default, deserialize_with = "or_default")]
    pub version: String,
    /// `Local`, or the cluster that runs the image.
    #[serde(default, deserialize_with = "or_default")]
    pub cluster_name: String,
    /// `Local`, or the image's literal name.
    #[serde(default, deserialize_with = "or_default")]
    pub image_name: String,
}

/// The reply of `GET v1/server_settings/r` and `/python`.
#[derive(Deserialize)]
pub(crate) struct Installations {
    #[serde(deserialize_with = "objects")]
    pub(crate) installations: Vec<Installation>,
}
