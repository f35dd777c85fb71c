//! `connect-cache list`

use connect_cache::ExitStatus;
use serde::Serialize;

use crate::cli::options::List;
use crate::cli::selection::Selection;
use crate::cli::session::Session;

#[derive(Serialize)]
struct Listing<'a> {
    caches: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    language: &'a str,
    version: &'a str,
    image_name: &'a str,
    /// The number of content items with --usage; null if it cannot be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<u64>>,
}

pub(crate) fn run(list: &List, session: &Session) -> ExitStatus {
    let selection = Selection {
        language: list.language.clone(),
        version: list.version.clone(),
        image_name: list.image_name.clone(),
        orphaned: list.orphaned,
        unused: list.unused,
    };
    let (caches, usage) = match super::selected(&selection, list.usage, session) {
        Ok(selected) => selected,
        Err(status) => return status,
    };
    let usage = usage.as_ref().filter(|_| list.usage);
    if list.json {
        let rows = caches.iter().map(|cache| Row {
            language: &cache.language,
            version: &cache.version,
            image_name: &cache.image_name,
            content: usage.map(|usage| usage.of(std::slice::from_ref(cache))),
        });
        session.output.json(&Listing { caches: rows.collect() });
    } else if !caches.is_empty() {
        session.output.print(&super::table(&caches, usage));
    }
    if caches.is_empty() {
        super::none_selected(&selection, session);
    }
    ExitStatus::Success
}
