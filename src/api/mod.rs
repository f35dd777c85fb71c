//! Connect's objects and requests, as serde types. Fields that nothing here uses are ignored.

mod content;
mod endpoint;
mod error;
mod object;
mod runtime_cache;
mod server_settings;
mod task;
mod user;

pub use content::ContentUsage;
pub use runtime_cache::RuntimeCache;
pub use server_settings::{Installation, ServerSettings};
pub use task::{InvalidTaskId, Task, TaskId};
pub use user::User;

pub(crate) use content::count;
pub(crate) use endpoint::Request;
pub(crate) use error::ApiError;
pub(crate) use object::{Unreadable, read};
pub(crate) use runtime_cache::{DeletionReply, RuntimeCaches};
pub(crate) use server_settings::Installations;
