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

/// Returns the selected caches, in order; if they are not known, the exit status. Prints a note if there are none.
fn selected(
    selection: &Selection,
    orphaned: bool,
    session: &Session,
) -> Result<Vec<RuntimeCache>, ExitStatus> {
    let caches = session.client.runtime_caches().map_err(|error| session.fail(&error))?;
    if caches.is_empty() {
        session.output.note(&format!("there are no runtime caches on {}", session.server()));
        return Ok(caches);
    }
    let mut caches = selection.of(caches);
    if orphaned {
        let orphans = selection::orphans(&session.client, caches).map_err(|error| session.fail(&error))?;
        for note in &orphans.notes {
            session.output.note(note);
        }
        caches = orphans.caches;
    }
    if caches.is_empty() {
        none_selected(selection, session);
    }
    Ok(caches)
}

/// Prints that no cache is selected, and why that may be.
fn none_selected(selection: &Selection, session: &Session) {
    session.output.note("no runtime cache is selected");
    let is_short = |version: &&str| {
        version.bytes().all(|b| b.is_ascii_digit() || b == b'.') && version.matches('.').count() < 2
    };
    if let Some(version) = selection.version.as_deref().filter(is_short) {
        let version = version.trim_end_matches('.');
        session.output.note(&format!("a version has three parts; use a glob: -V '{version}.*'"));
    }
    // A literal name cannot match if the list spells it in another way.
    let is_literal = |image: &&str| image.contains(['/', ':']) && !image.contains(['*', '?']);
    if let Some(image) = selection.image_name.as_deref().filter(is_literal) {
        session.output.note(&format!(
            "lists spell image names differently from '{image}': use a glob such as '*{}*'",
            image.rsplit(['/', ':']).next().unwrap_or_default()
        ));
    }
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
