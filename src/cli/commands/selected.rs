//! The caches that a command works on, by its filters.

use connect_cache::{ContentUsage, Error, ErrorKind, RuntimeCache};

use crate::cli::exit_status::{ExitStatus, Result};
use crate::cli::filters::{self, Filters};
use crate::cli::session::Session;
use crate::cli::values::glob_of_short_version;

/// The caches that match the filters.
pub(crate) struct Selected {
    /// The whole list, as the server sent it.
    pub(crate) listed: Vec<RuntimeCache>,
    pub(crate) caches: Vec<RuntimeCache>,
    /// How many content items use the caches, if that was asked for or needed.
    pub(crate) usage: Option<ContentUsage>,
}

/// Returns the caches that match the filters, in order. The usage has to be known to select unused ones. Prints a note
/// if there are none.
pub(crate) fn by(filters: &Filters, usage: Option<ContentUsage>, session: &Session) -> Result<Selected> {
    let fail = |error: Error| session.fail(&error);
    let listed = session.client.runtime_caches().map_err(fail)?;
    if listed.is_empty() {
        session.note(&format!("there are no runtime caches on {}", session.server()));
        return Ok(Selected { listed, caches: Vec::new(), usage });
    }
    let mut caches = filters.select(listed.clone());
    if let Some(usage) = usage.as_ref().filter(|_| filters.unused) {
        caches.retain(|cache| usage.of(std::slice::from_ref(cache)) == Some(0));
    }
    if filters.orphaned {
        caches = filters::orphans(&caches, session).map_err(fail)?;
    }
    if caches.is_empty() {
        note_none_selected(filters, session);
    }
    Ok(Selected { listed, caches, usage })
}

/// Returns the usage of versions by content. To select unused caches it has to be of all content.
pub(crate) fn usage(filters: &Filters, session: &Session) -> Result<ContentUsage> {
    let refused = |problem: String, status| {
        session.error(&format!("cannot select unused caches: {problem}"));
        Err(status)
    };
    if filters.unused {
        let role = role(session)?;
        if role != "administrator" {
            let problem = "only an administrator's key sees all content, and the role of this one is";
            return refused(format!("{problem} {role}; use an administrator's API key"), ExitStatus::Denied);
        }
    }
    let progress = |items| session.output.live(&format!("reading the list of content: {items} items"));
    let usage = session.client.content_usage(progress).map_err(|error| match session.fail(&error) {
        ExitStatus::Refused if filters.unused => ExitStatus::NoAnswer,
        status => status,
    })?;
    let problem = format!("none of the {} content items has a version of R or Python", usage.items());
    if usage.names_versions() {
        Ok(usage)
    } else if filters.unused {
        refused(format!("{problem}; select with other filters"), ExitStatus::NoAnswer)
    } else {
        session.output.warn(&format!("{problem}; the counts prove nothing"));
        Ok(usage)
    }
}

/// Returns the role of the key's user. Connect has no user for the key of a service principal.
fn role(session: &Session) -> Result<String> {
    let role = match session.client.current_user() {
        Ok(user) => user.user_role,
        Err(Error { kind: ErrorKind::Api { status: 403, code: 22, .. }, .. }) => String::new(),
        Err(error) => return Err(session.fail(&error)),
    };
    Ok(if role.is_empty() { "unknown: it may belong to a service principal".to_owned() } else { role })
}

/// Prints that no cache is selected, and why that may be.
fn note_none_selected(filters: &Filters, session: &Session) {
    session.note("no runtime caches match");
    if let Some(glob) = filters.version.as_deref().and_then(glob_of_short_version) {
        session.note(&format!("versions have three parts; use a glob: -V '{glob}'"));
    }
    // A literal name cannot match if the list spells it in another way.
    let is_literal = |image: &&str| image.contains(['/', ':']) && !image.contains(['*', '?']);
    if let Some(image) = filters.image_name.as_deref().filter(is_literal) {
        session.note(&format!(
            "the server may list images in another spelling than '{image}'; use a glob: -I '*{}*'",
            image.rsplit(['/', ':']).next().unwrap_or_default()
        ));
    }
}
