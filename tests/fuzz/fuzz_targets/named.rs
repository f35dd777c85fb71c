//! Checks which caches a file names, since `purge --from` deletes them, and that no error shows the file's content.

#![no_main]

use std::collections::BTreeSet;
use std::fs;

use connect_cache_fuzz::{Answer, Endpoint, Ran, folder, honest_reply, run};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Language, version and image.
type Cache = [String; 3];

/// What a wrong file may hold.
const SECRET: &str = "Kq3xJ9mZp0aWv7Lc2YtRb6";

/// Returns the caches that a file names.
fn named(content: &[u8]) -> BTreeSet<Cache> {
    let text = decode(content);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let text = lines.join("\n");
    let text = text.trim_start();
    let mut caches = BTreeSet::new();
    if text.starts_with(['{', '[']) {
        let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        values.map_while(Result::ok).for_each(|value| add(&value, &mut caches));
    } else {
        caches.extend(text.lines().filter_map(row));
    }
    caches
}

/// Decodes UTF-8, and UTF-16 with a byte order mark.
fn decode(content: &[u8]) -> String {
    let utf_16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        String::from_utf16_lossy(
            &bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect::<Vec<_>>(),
        )
    };
    match content {
        [0xff, 0xfe, units @ ..] => utf_16(units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => utf_16(units, u16::from_be_bytes),
        _ => String::from_utf8_lossy(content).trim_start_matches('\u{feff}').to_owned(),
    }
}

/// Adds the caches that a JSON value contains.
fn add(value: &Value, caches: &mut BTreeSet<Cache>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| add(value, caches)),
        Value::Object(fields) => match fields.get("caches") {
            Some(rows) => add(rows, caches),
            None => caches.extend(cache(value)),
        },
        _ => {}
    }
}

fn cache(row: &Value) -> Option<Cache> {
    let word = |name: &str| row[name].as_str().map(str::to_owned);
    Some([word("language")?, word("version")?, word("image_name")?])
}

/// Reads a line as `list` prints it. The image is the rest of the line, except for a number of content items.
fn row(line: &str) -> Option<Cache> {
    let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = if columns.len() < 3 { words } else { columns };
    let [language, version, image, ..] = words[..] else { return None };
    Some([language.to_owned(), version.to_owned(), image.to_owned()])
}

/// Returns the caches with their language in lower case, since it may be written in any.
fn in_lower_case(caches: &BTreeSet<Cache>) -> BTreeSet<Cache> {
    let lower = |[language, version, image]: Cache| [language.to_lowercase(), version, image];
    caches.iter().cloned().map(lower).collect()
}

/// Purges what a file with this content names, on a server that has all of it. Returns the deleted caches.
fn purge(content: &[u8]) -> (Ran, BTreeSet<Cache>) {
    let file = folder().join("caches");
    fs::write(&file, content).expect("a file");
    let caches = named(content);
    let rows = caches.iter().map(
        |[language, version, image]| json!({"language": language, "version": version, "image_name": image}),
    );
    let list = json!({ "caches": rows.collect::<Vec<_>>() });
    let mut deleted = BTreeSet::new();
    let file = file.to_str().expect("UTF-8");
    let args = ["-s", "http://connect.example.com", "-k", "a-key", "purge", "--from", file, "--yes"];
    let ran = run(&args.map(str::to_owned), |request| {
        let reply = match Endpoint::of(&request) {
            Endpoint::Caches => list.clone(),
            Endpoint::Delete => {
                deleted.extend(cache(&request.json()));
                honest_reply(&request)
            }
            _ => honest_reply(&request),
        };
        Answer::json(200, &reply)
    });
    (ran, deleted)
}

fuzz_target!(|content: &[u8]| {
    let (ran, deleted) = purge(content);
    assert_eq!(ran.problem(&[]), None, "{ran:#?}");
    match ran.status {
        Some(0) => {
            let named = named(content);
            assert_eq!(in_lower_case(&deleted), in_lower_case(&named), "{ran:#?}");
        }
        _ => assert!(deleted.is_empty(), "{deleted:?} {ran:#?}"),
    }

    // The file may be the wrong one.
    let (ran, _) = purge(&[content, b"\n", SECRET.as_bytes(), b" ", SECRET.as_bytes(), b"\n"].concat());
    assert_eq!(ran.problem(&[SECRET]), None, "{ran:#?}");
});
