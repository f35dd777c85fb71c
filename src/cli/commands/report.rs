//! What people read about a deletion: its progress and its outcome, as sentences with the next step.

use connect_cache::{Cause, Deletion, Known, Outcome, Progress, Proof, RuntimeCache, TaskId, Verdict};

use crate::cli::output::in_words;
use crate::cli::session::Session;
use crate::cli::settings::quoted;
use crate::cli::values::glob_of_short_version;

/// Returns the command that resumes a task.
pub(crate) fn resume_command(id: &TaskId, session: &Session) -> String {
    // An ID may begin with a dash, as options do.
    if id.as_str().starts_with('-') {
        format!("{} -- {id}", session.command("task --wait"))
    } else {
        session.command(&format!("task {id} --wait"))
    }
}

/// Prints how a deletion ended, on one line with the next step.
pub(crate) fn outcome(deletion: &Deletion, session: &Session) {
    let Deletion { cache, outcome, elapsed, .. } = deletion;
    match outcome {
        Outcome::Deleted(Proof::TaskSucceeded) => {
            session.note(&format!("{deletion} in {}", in_words(*elapsed)))
        }
        Outcome::Deleted(_) | Outcome::WouldDelete | Outcome::Absent(_) => {
            session.note(&deletion.to_string())
        }
        Outcome::Started(task) => {
            session.note(&format!("{cache}: follow it with: {}", resume_command(task, session)));
        }
        _ => {
            let next_step = next_step(deletion, session).map(|step| format!("; {step}")).unwrap_or_default();
            session.error(&format!("{deletion}{next_step}"));
        }
    }
}

/// Returns the next step after a deletion that did not succeed.
fn next_step(deletion: &Deletion, session: &Session) -> Option<String> {
    let resume = deletion.task.as_ref().map(|id| format!("resume with: {}", resume_command(id, session)));
    match &deletion.outcome {
        Outcome::Failed(..) => Some("see the server log".to_owned()),
        Outcome::Running(_) => resume,
        Outcome::NotFound(_) => {
            let RuntimeCache { language, version, image_name, .. } = &deletion.cache;
            let purge = |glob: &str| {
                let filters = format!("-l {language} -V {} -I {}", quoted(glob), quoted(image_name));
                session.command(&format!("purge {filters}"))
            };
            Some(match glob_of_short_version(version) {
                Some(glob) => {
                    format!("versions have three parts; delete all of {version} with: {}", purge(&glob))
                }
                None if version.contains(['*', '?']) || image_name.contains(['*', '?']) => {
                    format!("only filters take globs; use: {}", purge(version))
                }
                None => format!("see '{}'", session.command("list")),
            })
        }
        Outcome::Unknown(Cause::Namesake, _) => Some(format!("see '{}'", session.command("list"))),
        Outcome::Unknown(cause, known) => {
            let advice = match cause {
                Cause::Request(error) => session.next_step(error),
                _ => None,
            };
            let list = || format!("a task may still be deleting it; see '{}'", session.command("list"));
            // A task that no node knows cannot be resumed.
            let is_lost = matches!(cause, Cause::Request(error) if error.verdict() == Verdict::NotFound);
            let resume = resume.filter(|_| !is_lost);
            let next = (*known != Known::NotStarted).then(|| resume.unwrap_or_else(list));
            let steps: Vec<String> = advice.into_iter().chain(next).collect();
            (!steps.is_empty()).then(|| steps.join("; "))
        }
        other => other.request_error().and_then(|error| session.next_step(error)),
    }
}

/// Returns the note on an interrupt for a person who waits for a task.
pub(crate) fn interrupt(id: &TaskId, session: &Session) -> String {
    format!("Ctrl-C stops following, not the task; resume with: {}", resume_command(id, session))
}

/// Prints the progress of a cache's deletion. Each line names the cache, so that a search finds its history.
pub(crate) fn progress(cache: &RuntimeCache, progress: &Progress<'_>, session: &Session) {
    let what = match progress {
        Progress::Started(task) => format!("task {task} started"),
        Progress::Retrying { error, delay, .. } => format!("{error}; retrying in {}", in_words(*delay)),
        Progress::InDoubt(error) => {
            format!("{error}; the deletion may have started; checking whether the cache is still there")
        }
        Progress::SentAgain => "the cache is still there; deleting it again".to_owned(),
        Progress::TaskFailed(_) => "the task failed; checking whether the cache is still there".to_owned(),
        Progress::TaskLost(error) => format!("{error}; checking whether the cache is still there"),
        _ => return,
    };
    session.note(&format!("{cache}: {what}"));
}
