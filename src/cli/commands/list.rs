//! `connect-cache list`

use std::slice;

use connect_cache::RuntimeCache;
use serde::Serialize;

use crate::cli::commands::selected::{self, Selected};
use crate::cli::commands::table;
use crate::cli::exit_status::ExitStatus;
use crate::cli::filters::Filters;
use crate::cli::options::List;
use crate::cli::session::Session;

/// What `list --json` prints, as the API does.
#[derive(Serialize)]
struct Listed {
    caches: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    cache: RuntimeCache,
    /// How many content items use the version, if that was asked for; null for an unknown language.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<u64>>,
}

pub(crate) fn run(list: &List, session: &Session) -> ExitStatus {
    let filters = Filters {
        language: list.language.map(|language| language.to_string()),
        version: list.version.as_ref().map(ToString::to_string),
        image_name: list.image_name.as_ref().map(ToString::to_string),
        orphaned: list.orphaned,
        unused: list.unused,
    };
    let Selected { caches, usage, .. } = match selected::by(&filters, list.usage, session) {
        Ok(selected) => selected,
        Err(status) => return status,
    };
    let usage = usage.as_ref().filter(|_| list.usage);
    if list.json {
        let content = |cache| usage.map(|usage| usage.of(slice::from_ref(cache)));
        let row = |cache| Row { cache: session.shown(cache), content: content(cache) };
        session.output.json(&Listed { caches: caches.iter().map(row).collect() });
    } else {
        session.output.print(&table::table(&caches, usage, session));
    }
    ExitStatus::Success
}
