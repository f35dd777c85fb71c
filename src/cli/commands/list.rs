//! `connect-cache list`

use std::slice;

use connect_cache::{ExitStatus, Fields, Json};

use crate::cli::options::List;
use crate::cli::selection::Selection;
use crate::cli::session::Session;

pub(crate) fn run(list: &List, session: &Session) -> ExitStatus {
    let selection = Selection {
        language: list.language.map(|language| language.to_string()),
        version: list.version.as_ref().map(ToString::to_string),
        image_name: list.image_name.as_ref().map(ToString::to_string),
        orphaned: list.orphaned,
        unused: list.unused,
    };
    let (caches, usage) = match super::selected(&selection, list.usage, session) {
        Ok(selected) => selected,
        Err(status) => return status,
    };
    let usage = usage.as_ref().filter(|_| list.usage);
    if list.json {
        let rows = caches.iter().map(|cache| {
            let mut row = Json::from(cache);
            if let (Some(usage), Json::Object(Fields(fields))) = (usage, &mut row) {
                let items = usage.of(slice::from_ref(cache)).map(|items| items as i64);
                fields.push(("content".to_owned(), items.into()));
            }
            row
        });
        session.output.json(&Json::object(vec![("caches", Json::List(rows.collect()))]));
    } else if !caches.is_empty() {
        session.output.print(&super::table(&caches, usage));
    }
    ExitStatus::Success
}
