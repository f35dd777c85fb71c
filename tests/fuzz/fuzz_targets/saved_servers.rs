//! Checks rsconnect's saved servers: which one is found, and that no error shows a key.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use connect_cache::ServerUrl;
use connect_cache_fuzz::{Change, one_of, set_environment};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

#[path = "../../../src/cli/files.rs"]
mod files;
#[path = "../../../src/cli/saved_servers.rs"]
mod saved_servers;

#[derive(Arbitrary, Debug)]
struct Input {
    entries: Vec<Entry>,
    /// An entry that has another value in one field.
    wrong: Option<(u8, u8, u8)>,
    change: Change,
    query: Query,
}

#[derive(Arbitrary, Debug)]
struct Entry {
    name: u8,
    url: u8,
    has_key: bool,
    insecure: Option<bool>,
    is_default: Option<bool>,
    extra: u8,
}

#[derive(Arbitrary, Debug)]
enum Query {
    Name(u8),
    Default,
    Address(u8),
}

const NAMES: [&str; 4] = ["prod", "test", "caf\u{e9}", "a b"];
const URLS: [&str; 5] = [
    "https://connect.example.com",
    "https://connect.example.com/__api__",
    "http://localhost:3939/",
    "https://user:Pa55w0rd@host",
    "",
];
const EXTRAS: [&str; 6] =
    ["", "", "account_name", "connect_cloud_account_name", "snowflake_connection_name", "oauth_client_id"];
const KEYS: [&str; 2] = ["kB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3", "Zq5rT8wXv2NcM1pLk9HjG3fDs7aYoU0b"];

impl Entry {
    fn json(&self, number: usize) -> Value {
        let mut entry = json!({
            "name": one_of(&NAMES, self.name),
            "url": one_of(&URLS, self.url),
            "api_key": self.has_key.then(|| KEYS[number % 2]),
            "insecure": self.insecure,
            "ca_cert": null,
            "default": self.is_default,
        });
        let extra = one_of(&EXTRAS, self.extra);
        if !extra.is_empty() {
            entry[extra] = json!("x");
        }
        entry
    }

    /// Whether the entry is of a Connect server.
    fn is_usable(&self) -> bool {
        !one_of(&URLS, self.url).is_empty() && matches!(self.extra % 6, 0 | 1 | 5)
    }
}

impl Input {
    fn text(&self) -> Vec<u8> {
        let mut servers = Map::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let mut value = entry.json(number);
            if let Some((_, field, other)) = self.wrong.filter(|wrong| usize::from(wrong.0) == number) {
                let field = one_of(&["url", "api_key", "insecure", "ca_cert", "default"], field);
                let others = [Value::Null, json!(7), json!("text"), json!([{}]), json!(true)];
                value[field] = others[usize::from(other) % others.len()].clone();
            }
            // A name that occurs again replaces the entry.
            servers.insert(one_of(&NAMES, entry.name).to_owned(), value);
        }
        let mut text = Value::Object(servers).to_string().into_bytes();
        self.change.apply(&mut text);
        text
    }

    /// Returns the last entry of this name.
    fn named(&self, name: &str) -> Option<(usize, &Entry)> {
        self.entries.iter().enumerate().rfind(|(_, entry)| one_of(&NAMES, entry.name) == name)
    }
}

/// Returns the file that the program reads.
fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("connect-cache-fuzz-saved-{}", std::process::id()));
        fs::create_dir_all(folder.join("rsconnect-python")).expect("a folder");
        set_environment(&[("XDG_CONFIG_HOME", &folder)]);
        folder.join("rsconnect-python/servers.json")
    })
}

fuzz_target!(init: { file(); }, |input: Input| {
    fs::write(file(), input.text()).expect("a file");
    let found = match &input.query {
        Query::Name(name) => saved_servers::find(one_of(&NAMES, *name)).map(Some),
        Query::Default => saved_servers::default(),
        Query::Address(url) => match one_of(&URLS, *url).parse::<ServerUrl>() {
            Ok(url) => saved_servers::at(&url),
            Err(_) => return,
        },
    };
    let key = found.as_ref().ok().and_then(Option::as_ref).map(|server| server.key());
    let problems = [found.as_ref().err(), key.as_ref().and_then(|key| key.as_ref().err())];
    for problem in problems.into_iter().flatten() {
        assert!(!KEYS.iter().any(|key| problem.contains(key)) && !problem.contains("Pa55w0rd"), "{problem}");
    }
    if !input.change.is_nothing() || input.wrong.is_some() {
        return;
    }
    match input.query {
        Query::Name(name) => {
            let name = one_of(&NAMES, name);
            let expected = input.named(name).filter(|(_, entry)| entry.is_usable());
            assert_eq!(found.is_ok(), expected.is_some(), "{input:?}");
            if let (Ok(Some(server)), Some((_, entry))) = (&found, expected) {
                assert_eq!((server.name.as_str(), server.url.as_str()), (name, one_of(&URLS, entry.url)));
                assert_eq!(server.insecure, entry.insecure == Some(true));
                assert_eq!(server.key().is_ok(), entry.has_key, "{input:?}");
            }
        }
        Query::Default => {
            if let Ok(Some(server)) = &found {
                let (_, entry) = input.named(&server.name).expect("an entry");
                assert_eq!(entry.is_default, Some(true), "{input:?}");
            }
        }
        Query::Address(url) => {
            if let Ok(Some(server)) = &found {
                let [found, wanted] = [server.url.as_str(), one_of(&URLS, url)].map(str::parse::<ServerUrl>);
                assert_eq!(found, wanted, "{input:?}");
            }
        }
    }
});
