//! `connect-cache list`

use connect_cache::{ExitStatus, Json};

use crate::cli::options::List;
use crate::cli::selection::Selection;
use crate::cli::session::Session;

pub(crate) fn run(list: &List, session: &Session) -> ExitStatus {
    let selection = Selection {
        language: list.language.clone(),
        version: list.version.clone(),
        image_name: list.image_name.clone(),
    };
    let caches = match super::selected(&selection, list.orphaned, session) {
        Ok(caches) => caches,
        Err(status) => return status,
    };
    if list.json {
        let caches = caches.iter().map(Json::from).collect();
        session.output.json(&Json::from([("caches", Json::List(caches))]));
    } else if !caches.is_empty() {
        session.output.print(&super::table(&caches));
    }
    if caches.is_empty() {
        super::none_selected(&selection, session);
    }
    ExitStatus::Success
}
