//! Connect's error object.

use serde::Deserialize;

/// The object in a reply with any other status than success (API reference, "Error codes").
#[derive(Deserialize)]
pub(crate) struct ApiError {
    pub(crate) code: i64,
    /// The message.
    pub(crate) error: String,
}
