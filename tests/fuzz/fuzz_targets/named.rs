//! Checks which caches a file names, since `purge --from` deletes them, and that no error shows the file's content.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
use connect_cache::RuntimeCache;
use connect_cache_fuzz::{Change, one_of};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

#[path = "../../../src/cli/files.rs"]
mod files;
#[path = "../../../src/cli/named.rs"]
mod named;

#[derive(Arbitrary, Debug)]
struct Input {
    caches: Vec<(u8, u8, u8)>,
    form: Form,
    has_byte_order_mark: bool,
    ends_lines_like_windows: bool,
    change: Change,
}

/// How the file names the caches.
#[derive(Arbitrary, Debug)]
enum Form {
    /// As `list` prints them, with `usage` as `list --usage`, where a column is as wide as its longest word.
    Lines {
        usage: Option<u8>,
    },
    /// One word after the other.
    Words,
    /// As `list --json` prints them.
    List,
    Array,
    /// One object after the other, with further fields.
    Objects {
        between: u8,
    },
}

const LANGUAGES: [&str; 4] = ["R", "Python", "python", "Quarto Markdown"];
const VERSIONS: [&str; 4] = ["4.3.0", "3.11.7", "4.4.0-rc.1", "0.0.0"];
const IMAGES: [&str; 5] = ["Local", "ghcr-io-rstudio-r-jammy", "a b", "caf\u{e9}", "{x}"];
/// What a wrong file may hold.
const SECRET: &str = "Kq3xJ9mZp0aWv7Lc2YtRb6";

impl Input {
    fn caches(&self) -> Vec<[&'static str; 3]> {
        let words = |&(language, version, image): &(u8, u8, u8)| {
            [one_of(&LANGUAGES, language), one_of(&VERSIONS, version), one_of(&IMAGES, image)]
        };
        // A name with a space can only be told from two names in JSON or in columns.
        let caches = self.caches.iter().map(words);
        caches
            .filter(|words| !matches!(self.form, Form::Words) || words.iter().all(|w| !w.contains(' ')))
            .collect()
    }

    fn text(&self) -> Vec<u8> {
        let caches = self.caches();
        let object = |[language, version, image]: &[&str; 3]| json!({ "language": language, "version": version, "image_name": image });
        let objects = || caches.iter().map(object).collect::<Vec<Value>>();
        let mut text = match &self.form {
            Form::Lines { usage } => {
                let width = |column: usize| caches.iter().map(|words| words[column].chars().count()).max();
                let [language, version, image] = [0, 1, 2].map(|column| width(column).unwrap_or_default());
                let line = |[l, v, i]: &[&str; 3]| match usage {
                    Some(items) => format!("{l:language$}  {v:version$}  {i:image$}  {items}\n"),
                    None => format!("{l:language$}  {v:version$}  {i}\n"),
                };
                caches.iter().map(line).collect::<String>()
            }
            Form::Words => caches.iter().map(|words| words.join(" ") + "\n").collect(),
            Form::List => json!({ "caches": objects() }).to_string(),
            Form::Array => Value::from(objects()).to_string(),
            Form::Objects { between } => {
                let mut objects = objects();
                objects.iter_mut().for_each(|object| object["status"] = json!("deleted"));
                let between = one_of(&["\n", " ", "", "\n\n"], *between);
                objects.iter().map(Value::to_string).collect::<Vec<_>>().join(between)
            }
        };
        if self.ends_lines_like_windows {
            text = text.replace('\n', "\r\n");
        }
        if self.has_byte_order_mark {
            text.insert(0, '\u{feff}');
        }
        let mut text = text.into_bytes();
        self.change.apply(&mut text);
        text
    }
}

/// Returns the file that the program reads.
fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| std::env::temp_dir().join(format!("connect-cache-fuzz-named-{}", std::process::id())))
}

fuzz_target!(|input: Input| {
    let path = file().to_str().expect("UTF-8");
    fs::write(path, input.text()).expect("a file");
    let found = named::read(path);
    if input.change.is_nothing() {
        let expected: Vec<RuntimeCache> = input
            .caches()
            .iter()
            .map(|[language, version, image]| RuntimeCache::new(*language, *version, *image))
            .collect();
        match expected.is_empty() {
            true => assert!(found.is_err(), "{input:?}"),
            false => assert_eq!(found.as_ref(), Ok(&expected), "{input:?}"),
        }
    }
    if let Ok(caches) = &found {
        assert!(!caches.is_empty(), "{input:?}");
        assert!(caches.iter().all(|c| ![&c.language, &c.version, &c.image_name].contains(&&String::new())));
    }

    // The file may be the wrong one.
    let mut text = input.text();
    text.extend_from_slice(format!("\n{SECRET} {SECRET}\n").as_bytes());
    fs::write(path, text).expect("a file");
    if let Err(problem) = named::read(path) {
        assert!(!problem.contains(SECRET), "{problem}");
    }
});
