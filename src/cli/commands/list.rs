//! `connect-cache list`

use std::collections::BTreeMap;
use std::{io, slice};

use connect_cache::RuntimeCache;
use serde::Serialize;

use crate::cli::commands::selected::{self, Selected};
use crate::cli::commands::table::table;
use crate::cli::exit_status::{ExitStatus, Result};
use crate::cli::filters::Filters;
use crate::cli::options::List;
use crate::cli::session::Session;

/// A cache in the list that `--json` prints, as the API does.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    cache: RuntimeCache,
    /// How many content items use the version, if that was asked for; null for an unknown language.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<u64>>,
}

pub(crate) fn run(list: &List, session: &Session) -> Result<ExitStatus> {
    let List { language, version, image_name, orphaned, unused, usage, json } = list.clone();
    let filters = Filters { language, version, image_name, orphaned, unused };
    let counted = (usage || unused).then(|| selected::usage(&filters, session)).transpose()?;
    let Selected { caches, usage: counted, .. } = selected::by(&filters, counted, session)?;
    let usage = counted.as_ref().filter(|_| usage);
    if json {
        let content = |cache| usage.map(|usage| usage.of(slice::from_ref(cache)));
        let row = |cache| Row { cache: session.shown(cache), content: content(cache) };
        session.output.json(&BTreeMap::from([("caches", caches.iter().map(row).collect::<Vec<_>>())]));
    } else {
        table(&caches, usage, &io::stdout()).iter().for_each(|line| session.line(line));
    }
    Ok(ExitStatus::Success)
}
