//! The list of content items, which is long on a large server: it is written in parts and never held whole.

use serde_json::{Value, json};

use crate::api::Call;
use crate::http::Reply;
use crate::{Config, Role};

/// A number of content items that use the same versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// How many items.
    pub items: usize,
    /// The version of R that they use.
    pub r_version: Option<String>,
    /// The version of Python that they use.
    pub py_version: Option<String>,
}

impl Content {
    /// Returns items that use neither R nor Python.
    pub fn items(number: usize) -> Content {
        Content { items: number, r_version: None, py_version: None }
    }

    /// Returns the same items, which use this version of R.
    pub fn r(self, version: &str) -> Content {
        Content { r_version: Some(version.into()), ..self }
    }

    /// Returns the same items, which use this version of Python.
    pub fn python(self, version: &str) -> Content {
        Content { py_version: Some(version.into()), ..self }
    }
}

impl Call<'_> {
    /// Returns the list as one text, which is meant for a short one.
    pub fn content(&self) -> Result<Reply, Reply> {
        let mut body = String::new();
        for part in self.content_parts()? {
            body += &part;
        }
        Ok(Reply { body, ..Reply::json(200, &json!(null)) })
    }

    /// Returns the list in parts of one item each.
    pub fn content_parts(&self) -> Result<impl Iterator<Item = String>, Reply> {
        let is_administrator = self.caller(Role::Viewer)?.role == Role::Administrator;
        let Config { content, .. } = &self.shared.config;
        let kinds = content.iter().filter(move |_| is_administrator);
        let items = kinds.flat_map(|content| {
            let item = item(content).to_string();
            (0..content.items).map(move |n| item.replacen("@", &n.to_string(), 1))
        });
        let items = items.enumerate().map(|(n, item)| if n == 0 { item } else { format!(",{item}") });
        Ok(std::iter::once("[".to_string()).chain(items).chain(std::iter::once("]".to_string())))
    }
}

/// Returns an item with the members that recorded replies have (posit-sdk-py, `tests/posit/connect/__api__`), 2.6 KB long.
/// Its ID is `@`.
fn item(content: &Content) -> Value {
    json!({
        "id": "@",
        "guid": "39c8d85a-37ae-4b8b-8655-30a06adff2f1",
        "name": "team-admin-dashboard",
        "title": "Team \"admin\" dashboard [draft}",
        "description": "What the dashboard shows, line by line.\n".repeat(42),
        "access_type": "logged_in",
        "connection_timeout": null,
        "created_time": "2020-02-23T20:28:20Z",
        "last_deployed_time": "2020-10-13T21:11:24Z",
        "bundle_id": "16145",
        "app_mode": "shiny",
        "parameterized": false,
        "cluster_name": "Local",
        "image_name": null,
        "r_version": content.r_version,
        "py_version": content.py_version,
        "quarto_version": null,
        "r_environment_management": true,
        "run_as_current_user": false,
        "owner_guid": "a01792e3-2e67-402e-99af-be04a48da074",
        "content_url": "https://connect.example/content/39c8d85a-37ae-4b8b-8655-30a06adff2f1/",
        "dashboard_url": "https://connect.example/connect/#/apps/39c8d85a-37ae-4b8b-8655-30a06adff2f1",
        "app_role": "viewer",
        "tags": [{ "id": "7", "name": "Performance", "r_version": "0.0.1" }],
        "owner": { "guid": "a01792e3-2e67-402e-99af-be04a48da074", "username": "al", "py_version": "0.0.1" },
    })
}
