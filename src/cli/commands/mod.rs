//! The commands, one file each, and the functions that they share.

pub(crate) mod check;
pub(crate) mod delete;
pub(crate) mod list;
mod messages;
pub(crate) mod purge;
mod record;
pub(crate) mod task;

use connect_cache::{ContentUsage, Error, ErrorKind, ExitStatus, RuntimeCache};

use super::escape::escape;
use super::selection::{self, Selection};
use super::session::Session;
use super::values::glob_of_short_version;

/// Returns the selected caches, in order, and if it is `wanted` or needed, the usage by content; if they are
/// not known, the exit status. Prints a note if there are none.
fn selected(
    selection: &Selection,
    wanted: bool,
    session: &Session,
) -> Result<(Vec<RuntimeCache>, Option<ContentUsage>), ExitStatus> {
    let usage = match wanted || selection.unused {
        true => Some(usage(selection.unused, session)?),
        false => None,
    };
    let fail = |error: Error| session.fail(&error);
    let caches = session.client.runtime_caches().map_err(fail)?;
    if caches.is_empty() {
        session.output.note(&format!("there are no runtime caches on {}", session.server()));
        return Ok((caches, usage));
    }
    let mut caches = selection.of(caches);
    if let Some(usage) = usage.as_ref().filter(|_| selection.unused) {
        caches.retain(|cache| usage.of(std::slice::from_ref(cache)) == Some(0));
    }
    if selection.orphaned {
        let orphans = selection::orphans(&session.client, caches).map_err(fail)?;
        for note in &orphans.notes {
            session.output.note(note);
        }
        caches = orphans.caches;
    }
    if caches.is_empty() {
        none_selected(selection, session);
    }
    Ok((caches, usage))
}

/// Returns the usage of versions by content. To select unused caches it has to be of all content.
fn usage(unused: bool, session: &Session) -> Result<ContentUsage, ExitStatus> {
    let (client, output) = (&session.client, &session.output);
    let refuse = |problem: &str, status| {
        output.error(&format!("cannot select unused caches: {problem}"));
        Err(status)
    };
    if unused {
        let role = match client.current_user() {
            Ok(user) => user.user_role,
            Err(Error { kind: ErrorKind::Api { status: 403, code: 22, .. }, .. }) => String::new(),
            Err(error) => return Err(session.fail(&error)),
        };
        if role != "administrator" {
            let role = if role.is_empty() { "unknown: it may belong to a service principal" } else { &role };
            return refuse(
                &format!(
                    "only an administrator's key sees all content, and the role of this one is {role}; use an \
                     administrator's API key"
                ),
                ExitStatus::Denied,
            );
        }
    }
    let progress = |items| output.live(&format!("reading the list of content: {items} items"));
    let usage = client.content_usage(progress).map_err(|error| match session.fail(&error) {
        ExitStatus::Denied => ExitStatus::Denied,
        _ => ExitStatus::NoAnswer,
    })?;
    if !usage.names_versions() {
        let items = usage.items();
        let problem = format!("none of the {items} content items has a version of R or Python");
        if unused {
            return refuse(&format!("{problem}; select with other filters"), ExitStatus::NoAnswer);
        }
        output.warn(&format!("{problem}; the counts prove nothing"));
    }
    Ok(usage)
}

/// Prints that no cache is selected, and why that may be.
fn none_selected(selection: &Selection, session: &Session) {
    session.output.note("no runtime caches match");
    if let Some(glob) = selection.version.as_deref().and_then(glob_of_short_version) {
        session.output.note(&format!("versions have three parts; use a glob: -V '{glob}'"));
    }
    // A literal name cannot match if the list spells it in another way.
    let is_literal = |image: &&str| image.contains(['/', ':']) && !image.contains(['*', '?']);
    if let Some(image) = selection.image_name.as_deref().filter(is_literal) {
        session.output.note(&format!(
            "the server lists images in another spelling than '{image}'; use a glob: -I '*{}*'",
            image.rsplit(['/', ':']).next().unwrap_or_default()
        ));
    }
}

/// Returns caches in columns, for people; the last one is how many content items use their versions.
fn table(caches: &[RuntimeCache], usage: Option<&ContentUsage>) -> String {
    let number = |cache| match usage.map(|usage| usage.of(std::slice::from_ref(cache))) {
        Some(Some(items)) => items.to_string(),
        Some(None) => "-".to_owned(),
        None => String::new(),
    };
    let rows: Vec<[_; 4]> = (caches.iter())
        .map(|cache| {
            let RuntimeCache { language, version, image_name, .. } = cache;
            [escape(language), escape(version), escape(image_name), number(cache).into()]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), if usage.is_some() { width(2) } else { 0 }, 0];
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
