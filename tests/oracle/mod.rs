//! The oracle: what a run may claim about a cache, compared with what is true of it.
//!
//! Every test that judges claims includes this file. It knows nothing of the program but how it spells a status. A test
//! describes the state of its server at the moment of the claim as a [`Truth`], and calls [`check`].
//!
//! | status | may be claimed if |
//! | --- | --- |
//! | `deleted` | a DELETE was sent, the cache was there before and is gone after it, and this run's task deleted it, or nobody can tell because a reply was lost |
//! | `would-delete` | the cache was there during the dry run |
//! | `started` | a task started |
//! | `absent` | the cache was not there, and that is fine: it is ignored, the cache existed before, or it is not known |
//! | `not-found` | the cache was not there, this run has not deleted it, and no list had it |
//! | `failed` | the run saw its task fail, and the cache is still there or that cannot be found out |
//! | `refused`, `not-started` | no task started |
//! | `running` | the run last saw its task running, and the time is over |
//! | `unknown` | something prevents the answer |
//!
//! If nothing prevents the answer, the claim must be the one that answers it.
//!
//! These limits are documented, so they are no false claims: two clients that delete the same cache may both report
//! `deleted` if a missing cache's task succeeds; another client that deletes the only namesake of a cache that never
//! existed makes it look `deleted`; a cache that is created during the run can be missed.

// Each test that includes this file uses a part of it.
#![allow(dead_code)]

/// What a run says about one cache.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim<'a> {
    pub status: &'a str,
    /// The exit status, if the run was about this cache alone.
    pub exit: Option<i32>,
    pub says: Says,
}

/// What the final sentence about a cache adds to the status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Says {
    /// The cache is still there.
    pub still_there: bool,
    /// A reply was lost, or a DELETE was in doubt.
    pub reply_lost: bool,
    /// No deletion has started.
    pub nothing_started: bool,
}

/// What is true of one cache, as its server knows it. All that is not set is false.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    pub command: Command,
    /// Whether a missing cache counts as a success (`--ignore-not-found`).
    pub ignores_missing: bool,
    pub presence: Presence,
    pub deletion: Deletion,
    pub trouble: Trouble,
    pub server: Server,
}

/// What the run was to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Command {
    #[default]
    Delete,
    DryRun,
    NoWait,
}

/// When the cache was there. If its name means several caches, it is there as long as one of them is, and missing after
/// a DELETE also if the one is that the DELETE was for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presence {
    /// At some moment of the run, or when a list was made that the run has read.
    pub ever: bool,
    /// Not at some moment of the run.
    pub missing: bool,
    /// Not at some moment after this run's first DELETE.
    pub missing_after_delete: bool,
    /// At some moment since the run last asked whether it is there.
    pub lately: bool,
    /// In a list that the run has read.
    pub listed: bool,
}

/// What this run's DELETEs did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deletion {
    /// One was sent, whatever became of it.
    pub sent: bool,
    /// One started a task.
    pub started: bool,
    /// A task deleted the cache.
    pub took_effect: bool,
    /// The run also sent a DELETE for another cache of the same language and version, or tried to.
    pub of_namesake: bool,
    /// The last state of a task that reached the run.
    pub shown: Shown,
}

/// The state of a task that reached a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    #[default]
    Nothing,
    Running,
    Succeeded,
    Failed,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trouble {
    /// Anything that changes the result: one of the others here, another client, or a task that did not succeed.
    pub any: bool,
    /// A request got no answer, or an odd one, and asking again did not help.
    pub unanswered: bool,
    /// A DELETE was in doubt, whether or not asking for the cache helped.
    pub in_doubt: bool,
    /// The time for the run is over.
    pub timed_out: bool,
    /// Another client created the cache, or one with an equal row.
    pub created: bool,
    /// Another client deleted a namesake of the cache.
    pub namesake_deleted: bool,
}

/// What kind of server it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server {
    /// The task of a cache that does not exist succeeds.
    pub missing_succeeds: bool,
    /// Nothing shows whether the cache is there: its dry run is always accepted, and the list has only rows of the same
    /// language and version whose image may be the cache's, spelled in another way.
    pub hides_cache: bool,
}

impl Truth {
    /// Returns the truth of a cache that existed or not before and after a run that sent a DELETE, if no other client
    /// changed it.
    pub fn between(before: bool, after: bool) -> Self {
        let presence = Presence {
            ever: before || after,
            missing: !before || !after,
            missing_after_delete: !after,
            lately: before || after,
            listed: false,
        };
        let took_effect = before && !after;
        let deletion = Deletion { sent: true, started: took_effect, took_effect, ..Deletion::default() };
        Self { presence, deletion, ..Self::default() }
    }
}

/// Reports what is false in a claim.
pub fn check(claim: &Claim<'_>, truth: &Truth) -> Result<(), String> {
    status(claim, truth)?;
    says(&claim.says, truth)?;
    if !truth.trouble.any {
        answer(claim.status, truth)?;
    }
    match claim.exit {
        Some(exit) => require(exits_of(claim.status).contains(&exit), "the exit status is another one's"),
        None => Ok(()),
    }
    .map_err(|problem| format!("{problem}, exit {:?}", claim.exit))
}

fn require(holds: bool, problem: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem.to_owned()) }
}

/// Checks the status by the table above.
fn status(claim: &Claim<'_>, truth: &Truth) -> Result<(), String> {
    let Truth { command, ignores_missing, presence, deletion, trouble, server } = *truth;
    let prevented = trouble.unanswered || trouble.in_doubt || server.hides_cache;
    match claim.status {
        "deleted" => {
            require(command != Command::DryRun && deletion.sent, "no DELETE was sent")?;
            let is_followed = command == Command::Delete || trouble.in_doubt;
            require(is_followed, "the task was not to be followed")?;
            let looks_deleted = server.missing_succeeds && trouble.namesake_deleted;
            require(presence.ever || looks_deleted, "the cache never existed")?;
            require(presence.missing_after_delete || deletion.took_effect, "the cache is not gone")?;
            let end_unseen = !matches!(deletion.shown, Shown::Succeeded | Shown::Failed);
            let may_be_ours = match deletion.shown {
                Shown::Succeeded => server.missing_succeeds || trouble.in_doubt,
                _ => end_unseen || trouble.in_doubt,
            };
            require(deletion.took_effect || may_be_ours, "somebody else deleted the cache")
        }
        "would-delete" => {
            require(command == Command::DryRun, "this was no dry run")?;
            require(presence.ever, "the cache was never there")?;
            require(!deletion.started, "a deletion started")
        }
        "started" => {
            require(command == Command::NoWait, "the task was to be followed")?;
            require(deletion.started, "no task started")
        }
        "absent" => {
            require(presence.missing, "the cache was always there")?;
            require(ignores_missing || command != Command::DryRun, "nothing allows it")?;
            require(ignores_missing || presence.ever || prevented, "the cache never existed")
        }
        "not-found" => {
            require(presence.missing, "the cache was always there")?;
            require(!ignores_missing, "a missing cache was to be ignored")?;
            require(!trouble.in_doubt, "a DELETE was in doubt")?;
            require(!presence.listed || command == Command::DryRun, "a list had the cache")?;
            require(!deletion.took_effect || trouble.created, "this run deleted the cache")
        }
        "failed" => {
            require(command == Command::Delete && deletion.shown == Shown::Failed, "no task failed")?;
            // If the task has deleted a cache that hides, a namesake of it is missing from the list, unless another client
            // has created one.
            let shows_effect = deletion.took_effect && !trouble.created;
            let not_known = trouble.unanswered || server.hides_cache && !shows_effect;
            let may_leave_open = not_known && !trouble.in_doubt;
            require(claim.says.still_there || may_leave_open, "it is known whether the cache exists")
        }
        "refused" => {
            require(!deletion.started, "a deletion started")?;
            require(trouble.unanswered, "nothing was refused")
        }
        "not-started" => {
            require(!deletion.started, "a deletion started")?;
            require(trouble.unanswered || trouble.timed_out, "nothing prevented the start")
        }
        "running" => {
            require(command == Command::Delete, "no task was to be followed")?;
            require(deletion.shown == Shown::Running, "no task was running")?;
            require(trouble.timed_out, "there was time left")
        }
        "unknown" => {
            // A cache that is there, while its task is lost, may still be deleted.
            let end_unseen = deletion.started && matches!(deletion.shown, Shown::Nothing | Shown::Running);
            let is_open = trouble.unanswered || server.hides_cache || trouble.timed_out || trouble.created;
            require(is_open || end_unseen && claim.says.still_there, "nothing prevents the answer")
        }
        other => Err(format!("{other:?} is no status")),
    }
    .map_err(|problem| format!("{}, but {problem}", claim.status))
}

/// Checks what a sentence adds.
fn says(says: &Says, truth: &Truth) -> Result<(), String> {
    require(!says.still_there || truth.presence.lately, "it says that the cache is there, but it is gone")?;
    require(!says.reply_lost || truth.trouble.in_doubt, "it says that a reply was lost, but none was")?;
    require(!says.nothing_started || !truth.deletion.started, "it says that nothing started, but a task did")
}

/// Checks a status if nothing went wrong.
fn answer(status: &str, truth: &Truth) -> Result<(), String> {
    let done = match truth.command {
        Command::Delete => "deleted",
        Command::DryRun => "would-delete",
        Command::NoWait => "started",
    };
    let missing = if truth.ignores_missing { "absent" } else { "not-found" };
    let expected = if truth.presence.ever { done } else { missing };
    // What cannot be seen may also be claimed not to be known, or to have failed or started all the same. A deletion of
    // it shows in the list, unless the run deletes others of its version.
    let or_not_known = truth.server.hides_cache
        && match status {
            "unknown" => truth.command == Command::DryRun || truth.deletion.of_namesake,
            "absent" => !truth.presence.ever && truth.deletion.of_namesake,
            "failed" | "started" => !truth.presence.ever,
            _ => false,
        };
    require(status == expected || or_not_known, &format!("{status}, but {expected} is known"))
}

/// Returns the exit statuses of a run about one cache.
pub fn exits_of(status: &str) -> &'static [i32] {
    match status {
        "deleted" | "would-delete" | "started" | "absent" => &[0],
        "failed" => &[1],
        "not-found" => &[4],
        "refused" => &[3, 5, 6],
        "not-started" => &[6, 7],
        "running" => &[7],
        _ => &[6],
    }
}

/// Returns the exit statuses of a run about several caches.
pub fn exits_of_all(statuses: &[&str]) -> &'static [i32] {
    let any = |wanted: &str| statuses.contains(&wanted);
    // Only a refusal says whether it was the key that was refused.
    if any("failed") || any("refused") {
        if any("refused") { &[1, 3] } else { &[1] }
    } else if any("unknown") {
        &[6]
    } else if any("not-started") {
        &[6, 7]
    } else if any("running") {
        &[7]
    } else if any("not-found") {
        &[4]
    } else {
        &[0]
    }
}
