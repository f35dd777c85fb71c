//! The user of an API key.

use serde::{Deserialize, Serialize};

use crate::api::object::or_default;

/// The user that an API key belongs to: `GET v1/user`. What the server does not report is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct User {
    /// The user's name.
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    /// `viewer`, `publisher` or `administrator`.
    #[serde(default, deserialize_with = "or_default")]
    pub user_role: String,
}
