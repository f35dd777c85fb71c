//! Checks rsconnect's saved servers: no server gets the key of another, and no error shows a key.

#![no_main]

use std::fs;

use connect_cache::ServerUrl;
use connect_cache_fuzz::{Answer, folder, honest_reply, run};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;

const KEYS: [&str; 2] = ["kB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3", "Zq5rT8wXv2NcM1pLk9HjG3fDs7aYoU0b"];

/// Returns the server that a request was sent to, and the key in it.
fn recipient(target: &str, headers: &[String]) -> Option<(ServerUrl, String)> {
    let (server, _) = target.split_once("/__api__/")?;
    let key = headers.iter().find_map(|line| line.strip_prefix("authorization: Key "));
    Some((server.parse().ok()?, key.unwrap_or_default().to_owned()))
}

// The first line has the options, separated by spaces; the rest is the file.
fuzz_target!(|input: &str| -> Corpus {
    let Some((options, file)) = input.split_once('\n') else { return Corpus::Reject };
    let options: Vec<&str> = options.split(' ').filter(|word| !word.is_empty()).collect();
    let name = match options[..] {
        [] | ["-s", _] => None,
        ["-n", name] => Some(name),
        _ => return Corpus::Reject,
    };
    fs::write(folder().join("rsconnect-python/servers.json"), file).expect("a file");
    let args: Vec<String> = options.iter().copied().chain(["check"]).map(str::to_owned).collect();
    let mut recipients = Vec::new();
    let ran = run(&args, |request| {
        recipients.extend(recipient(&request.target, &request.headers));
        Answer::json(200, &honest_reply(&request))
    });

    // A key elsewhere in the input may be a name, which is shown.
    let is_secret =
        |key: &&str| input.matches(*key).count() == file.matches(&format!(r#""api_key":"{key}"#)).count();
    let secrets: Vec<&str> = KEYS.into_iter().filter(is_secret).collect();
    assert_eq!(ran.problem(&secrets), None, "{ran:#?}");

    let servers: Value = serde_json::from_str(file).unwrap_or_default();
    let entries: Vec<(&String, &Value)> = servers.as_object().into_iter().flatten().collect();
    // Of members with the same name, serde_json keeps only the last.
    let has_twice = |name: &str| {
        let kept = entries.iter().filter(|(_, entry)| entry.get(name).is_some()).count();
        file.matches(&format!("{name:?}")).count() > kept
    };
    if has_twice("url") || has_twice("api_key") {
        return Corpus::Keep;
    }
    for (server, key) in recipients {
        let is_saved = entries.iter().any(|(saved, entry)| {
            entry["api_key"].as_str().is_some_and(|saved| saved.trim() == key)
                && entry["url"].as_str().is_some_and(|url| url.parse().ok() == Some(server.clone()))
                && name.is_none_or(|name| name == *saved)
        });
        assert!(is_saved, "{server} got {key:?}: {ran:#?}");
    }
    Corpus::Keep
});
