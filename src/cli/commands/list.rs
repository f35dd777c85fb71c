//! `connect-cache list`

use connect_cache::{ExitStatus, RuntimeCache};
use serde::Serialize;

use crate::cli::options::List;
use crate::cli::selection::Selection;
use crate::cli::session::Session;

#[derive(Serialize)]
struct Listing<'a> {
    caches: &'a [RuntimeCache],
}

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
        session.output.json(&Listing { caches: &caches });
    } else if !caches.is_empty() {
        session.output.print(&super::table(&caches));
    }
    ExitStatus::Success
}
