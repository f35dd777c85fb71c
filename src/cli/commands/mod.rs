//! The commands, one file each, and what several of them share.

pub(crate) mod check;
pub(crate) mod delete;
pub(crate) mod list;
mod messages;
pub(crate) mod purge;
mod record;
pub(crate) mod task;

use connect_cache::{ExitStatus, RuntimeCache};

use super::escape::escape;
use super::selection::{self, Selection};
use super::session::Session;

/// Returns the selected caches, in order; if they are not known, the exit status.
fn selected(
    selection: &Selection,
    orphaned: bool,
    session: &Session,
) -> Result<Vec<RuntimeCache>, ExitStatus> {
    let caches = session.client.runtime_caches().map_err(|error| session.fail(&error))?;
    let caches = selection.of(caches);
    if !orphaned {
        return Ok(caches);
    }
    let orphans = selection::orphans(&session.client, caches).map_err(|error| session.fail(&error))?;
    for doubt in &orphans.doubts {
        session.output.note(doubt);
    }
    Ok(orphans.caches)
}

/// Returns caches in columns, for people.
fn table(caches: &[RuntimeCache]) -> String {
    let rows: Vec<[_; 3]> = (caches.iter())
        .map(|cache| [&cache.language, &cache.version, &cache.image_name].map(|word| escape(word)))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), 0];
    let mut text = String::new();
    for row in &rows {
        for (word, width) in row.iter().zip(widths) {
            text.push_str(word);
            if width > 0 {
                text.extend(std::iter::repeat_n(' ', width - word.chars().count() + 2));
            }
        }
        text.push('\n');
    }
    text
}
