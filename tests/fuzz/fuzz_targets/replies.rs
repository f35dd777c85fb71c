//! Compares the program's reading of a reply with serde_json's.

#![no_main]

use connect_cache_fuzz::{Answer, Endpoint, Framing, Ran, honest_reply, run};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

const KEY: &str = "kB7xQ2mZ9vTfL4pWc1sY";

/// Returns the endpoint whose reply an input is, and the command that shows how the program reads the reply.
fn endpoint(name: &str) -> Option<(Endpoint, &'static str)> {
    Some(match name {
        "caches" => (Endpoint::Caches, "list"),
        "delete" => (Endpoint::Delete, "delete -l R -V 4.3.0 --no-wait"),
        "dry-run" => (Endpoint::DryRun, "delete -l R -V 4.3.0 --dry-run"),
        "task" => (Endpoint::Task, "task task-1"),
        "settings" => (Endpoint::Settings, "check"),
        "user" => (Endpoint::User, "check"),
        "installations" => (Endpoint::Installations, "list --orphaned"),
        "content" => (Endpoint::Content, "list --usage"),
        _ => return None,
    })
}

/// Reads JSON as the program does, which skips a byte order mark, and replaces what is not UTF-8.
fn json(body: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_str(String::from_utf8_lossy(body).trim_start_matches('\u{feff}'))
}

/// Reports whether the program has printed what the reply says.
fn agrees(endpoint: Endpoint, reply: &Value, printed: &Value) -> bool {
    // Only members that the reply has: the others have defaults.
    let same = |name: &str, shown: &str| {
        reply[name].is_null() || reply[name] == printed[shown] || printed[shown].is_null()
    };
    match endpoint {
        Endpoint::Caches => {
            let words = |row: &Value| ["language", "version", "image_name"].map(|name| row[name].to_string());
            let rows = |list: &Value| {
                let mut rows: Vec<_> = list["caches"].as_array().into_iter().flatten().map(words).collect();
                rows.sort();
                rows.dedup();
                rows
            };
            rows(reply) == rows(printed)
        }
        Endpoint::Delete => reply["task_id"] == printed["task_id"],
        Endpoint::DryRun => reply["task_id"].is_null(),
        Endpoint::Task => ["id", "output", "finished", "code", "error"].iter().all(|name| same(name, name)),
        Endpoint::Settings => same("version", "version"),
        Endpoint::User => same("username", "user") && same("user_role", "role"),
        Endpoint::Installations => reply["installations"].is_array() || reply["installations"].is_null(),
        Endpoint::Content => {
            let uses = |item: &&Value| item["r_version"] == "4.3.0";
            let items = reply.as_array().map_or(0, |items| items.iter().filter(uses).count());
            printed["caches"][0]["content"] == items
        }
        Endpoint::Other => false,
    }
}

// The first line names the endpoint, and may have a status; the rest is the body.
fuzz_target!(|input: &[u8]| -> Corpus {
    let mut lines = input.splitn(2, |byte| *byte == b'\n');
    let (first, body) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut words = std::str::from_utf8(first).unwrap_or_default().split(' ');
    let Some((endpoint, command)) = words.next().and_then(endpoint) else { return Corpus::Reject };
    let status = words.next().map_or(Ok(200), str::parse);
    let Ok(status @ 200..600) = status else { return Corpus::Reject };

    let mut args = ["-s", "http://connect.example.com", "-k", KEY, "--retries=0"].to_vec();
    args.extend(command.split(' ').chain(["--json"]));
    let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    let ran = run(&args, |request| match Endpoint::of(&request) == endpoint {
        true => Answer::new(status, "", body, Framing::Length),
        false => Answer::json(200, &honest_reply(&request)),
    });
    assert_eq!(ran.problem(&[]), None, "{ran:#?}");

    let Ran { stdout, status: ended, .. } = &ran;
    let is_task = endpoint == Endpoint::Task && matches!(ended, Some(1 | 7));
    if status == 200 && (*ended == Some(0) || is_task) {
        let printed = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
        match json(body) {
            // It is masked.
            Ok(reply) if reply.to_string().contains(KEY) => {}
            Ok(reply) => assert!(agrees(endpoint, &reply, &printed), "{ran:#?}"),
            // Of members that it does not need, the program reads no numbers, and no surrogates in strings.
            Err(error) => {
                let unread =
                    ["number out of range", "lone leading surrogate", "unexpected end of hex escape"];
                let text = error.to_string();
                assert!(unread.iter().any(|problem| text.starts_with(problem)), "{error}: {ran:#?}");
            }
        }
    }
    Corpus::Keep
});
