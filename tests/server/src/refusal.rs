//! Connect's error codes, each with its status and text.

use serde_json::{Value, json};

use crate::http::Reply;

pub(crate) type Refusal = (u16, i64, &'static str);

pub(crate) const NO_SUCH_ENDPOINT: Refusal = (404, 2, "The requested method or endpoint is not supported.");
pub(crate) const NO_SUCH_CACHE: Refusal = (404, 4, "Cache does not exist");
pub(crate) const NO_SUCH_OBJECT: Refusal = (404, 4, "The requested object does not exist.");
pub(crate) const PARAMETER_MISSING: Refusal = (400, 12, "A required parameter is missing.");
pub(crate) const NOT_ALLOWED: Refusal = (403, 22, "You don't have permission to perform this operation.");
pub(crate) const NOT_AUTHENTICATED: Refusal = (401, 24, "The requested operation requires authentication.");
pub(crate) const PARAMETER_INVALID: Refusal = (400, 25, "The parameter is invalid.");
pub(crate) const WRONG_KEY: Refusal = (401, 30, "The API key is not valid.");
pub(crate) const LOCKED: Refusal = (403, 50, "This user is locked.");
pub(crate) const TASK_UNKNOWN: Refusal = (
    404,
    141,
    "Task lookup failures can indicate that a load balancer is not using sticky sessions or a \
     client is not including the session cookie. \
     Details: https://docs.posit.co/connect/admin/load-balancing/",
);
pub(crate) const NO_SUCH_LANGUAGE: Refusal = (400, 179, "Unsupported runtime language identifier");
pub(crate) const NO_LOCATION: Refusal = (400, 180, "The request did not identify a cache location");
pub(crate) const MANAGEMENT_DISABLED: Refusal = (400, 194, "Runtime cache management is disabled.");

/// Returns Connect's error object.
pub(crate) fn error_body(code: i64, text: &str) -> Value {
    json!({ "code": code, "error": text, "payload": null })
}

pub(crate) fn refuse((status, code, text): Refusal) -> Reply {
    Reply::json(status, &error_body(code, text))
}
