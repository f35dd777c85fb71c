//! Compares the program's claims with the server's replies.

use connect_cache_fuzz::Ran;
use serde_json::Value;

use crate::oracle::{self, Claim, Deletion, Says, Shown, Trouble, Truth};
use crate::play::{Asked, Exchange, Play};
use crate::scenario::{CACHES, Command, HEADER, KEY, Missing, Scenario};

/// More requests than any run needs for one cache: each is retried up to nine times.
const MOST_REQUESTS: usize = 120;

/// Returns the mismatches of a run.
pub fn check(play: &Play, ran: &Ran) -> Result<(), String> {
    let Ran { stdout, status, .. } = ran;
    let command = &play.scenario.command;
    let claim = |holds: bool, problem: &str| if holds { Ok(()) } else { Err(problem.to_owned()) };
    if let Some(problem) = ran.problem(&[KEY, HEADER]) {
        return Err(problem.to_owned());
    }
    claim(
        !stdout.contains(|c: char| c < ' ' && c != '\n' && c != '\t'),
        "a control character is in the output",
    )?;
    let status = status.unwrap_or_default();

    for exchange in &play.exchanges {
        if let Asked::Delete(cache) = &exchange.asked {
            claim(command.deletes(), "a DELETE although nothing was to be deleted")?;
            let is_known = CACHES.iter().any(|known| cache == known);
            claim(is_known || !play.is_honest(), "a DELETE of a cache that nothing named")?;
            let is_named = command.cache().is_none_or(|named| *cache == named);
            claim(is_named, "a DELETE of another cache")?;
        }
    }
    claim(play.exchanges.len() <= MOST_REQUESTS * CACHES.len(), "too many requests")?;

    let records = match command.is_json() {
        true => stdout.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>(),
        false => Ok(Vec::new()),
    };
    let records = records.map_err(|error| format!("standard output is not JSON: {error}"))?;
    if play.is_honest() {
        let outputs = records.iter().filter_map(|record| record["output"].as_array()).flatten();
        let mut lines: Vec<&str> = match command.is_json() {
            true => outputs.filter_map(Value::as_str).collect(),
            false => stdout.lines().filter(|line| line.ends_with(';')).collect(),
        };
        let number = lines.len();
        lines.sort_unstable();
        lines.dedup();
        claim(lines.len() == number, "a line is printed twice")?;
    }
    if !command.is_json() {
        return Ok(());
    }
    if !matches!(command, Command::Delete { .. } | Command::Purge { .. }) {
        return claim(records.len() <= 1, "more than one JSON value");
    }
    let statuses: Vec<&str> =
        records.iter().map(|record| record["status"].as_str().unwrap_or_default()).collect();
    for (n, record) in records.iter().enumerate() {
        claim(
            !records[..n].iter().any(|other| is_same_cache(other, record)),
            "two records are of the same cache",
        )?;
        deletion(play, record)?;
    }
    claim(matches!(command, Command::Purge { .. }) || records.len() == 1 || status == 2, "not one record")?;
    let expected = match statuses[..] {
        [] => &[0, 3, 4, 5, 6],
        [one] if matches!(command, Command::Delete { .. }) => oracle::exits_of(one),
        _ => oracle::exits_of_all(&statuses),
    };
    // A poll that is refused with 403 leaves the outcome unknown, and the exit status of a purge reports the refusal.
    let is_refused = status == 3 && statuses.contains(&"unknown") && matches!(command, Command::Purge { .. });
    claim(expected.contains(&status) || is_refused, &format!("exit status {status} with {statuses:?}"))
}

fn is_same_cache(a: &Value, b: &Value) -> bool {
    ["language", "version", "image_name"].iter().all(|name| shown(&a[name]) == shown(&b[name]))
}

/// Returns a name of a cache as the program shows it, without the key.
fn shown(name: &Value) -> String {
    name.as_str().unwrap_or_default().replace(KEY, "***")
}

/// Checks a record against the server's replies.
fn deletion(play: &Play, record: &Value) -> Result<(), String> {
    let (exchanges, Scenario { command, world, .. }) = (&play.exchanges, &*play.scenario);
    let cache = ["language", "version", "image_name"].map(|name| record[name].as_str().unwrap_or_default());
    let is_delete = |asked: &Asked| match asked {
        Asked::Delete(named) => named.iter().map(|name| name.replace(KEY, "***")).eq(cache),
        _ => false,
    };
    // A request over a connection that the server has closed is sent, and never read.
    let may_be_unread = play.scenario.faults().any(|fault| fault.kind.closes());
    let was_sent = may_be_unread || exchanges.iter().any(|exchange| is_delete(&exchange.asked));
    let deletes = said(exchanges, is_delete);
    let is_accepted = !deletes.is_empty() || !said(exchanges, |asked| *asked == Asked::DryRun).is_empty();

    let tasks = said(exchanges, |asked| *asked == Asked::Task);
    let has_failed =
        |task: &Value| task["code"] != 0 || task["error"].as_str().is_some_and(|error| !error.is_empty());
    let finished =
        |failed: bool| tasks.iter().any(|task| task["finished"] == true && has_failed(task) == failed);

    let is_not_found = exchanges.iter().any(|exchange| {
        let is_answer = matches!(exchange.asked, Asked::Delete(_) | Asked::DryRun);
        is_answer
            && exchange.reply.contains("404")
            && exchange.objects().iter().any(|error| error["code"] == 4)
    });
    let lists = said(exchanges, |asked| *asked == Asked::List);
    let is_unlisted = lists
        .iter()
        .filter_map(|list| list.get("caches"))
        .any(|rows| !rows.as_array().is_some_and(|rows| rows.iter().any(|row| is_same_cache(row, record))));
    let is_gone = is_not_found || is_unlisted;

    let status = record["status"].as_str().unwrap_or_default();
    let is_evident = match status {
        "deleted" => was_sent && (finished(false) || is_gone),
        "failed" => was_sent && finished(true),
        "not-found" | "absent" => is_gone,
        "would-delete" => !command.deletes() && is_accepted,
        "started" => was_sent && is_accepted && matches!(command, Command::Delete { no_wait: true, .. }),
        "running" => was_sent && tasks.iter().any(|task| task["finished"] == false),
        "refused" | "unknown" | "not-started" => true,
        _ => false,
    };
    if !is_evident {
        return Err(format!("{status}, which the server did not say"));
    }
    if !play.is_true() {
        return Ok(());
    }
    let (was_there, is_there) = (play.had(cache), play.has(cache));
    let is_disturbed = play.scenario.faults().next().is_some();
    let needs_doubt = !["failed", "not-found"].contains(&status);
    let truth = Truth::between(was_there, is_there);
    let truth = Truth {
        command: match command {
            _ if !command.deletes() => oracle::Command::DryRun,
            Command::Delete { no_wait: true, .. } => oracle::Command::NoWait,
            _ => oracle::Command::Delete,
        },
        ignores_missing: matches!(command, Command::Delete { ignore_not_found: true, .. }),
        deletion: Deletion {
            sent: was_sent,
            started: deletes.iter().any(|reply| reply["task_id"].is_string()),
            took_effect: was_there && !is_there,
            // Of all replies, those are taken to have reached the program that the claim needs.
            shown: match status {
                "failed" => Shown::Failed,
                "running" => Shown::Running,
                _ => Shown::Nothing,
            },
            ..Deletion::default()
        },
        // The oracle need not know what was possible, since faults and limits of time prevent almost any answer.
        trouble: Trouble {
            any: true,
            unanswered: true,
            in_doubt: is_disturbed && needs_doubt,
            timed_out: true,
            ..Trouble::default()
        },
        server: oracle::Server {
            missing_succeeds: world.missing == Missing::TaskSucceeds,
            hides_cache: world.missing != Missing::NotFound,
        },
        ..truth
    };
    oracle::check(&Claim { status, exit: None, says: Says::default() }, &truth)
}

/// Returns the objects that the server sent in reply to these requests.
fn said(exchanges: &[Exchange], is_meant: impl Fn(&Asked) -> bool) -> Vec<Value> {
    exchanges.iter().filter(|exchange| is_meant(&exchange.asked)).flat_map(Exchange::objects).collect()
}
