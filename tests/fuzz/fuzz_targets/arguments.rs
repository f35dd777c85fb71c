//! Checks command lines: all forms of the same options have the same effect, and no message shows a secret.

#![no_main]

use connect_cache_fuzz::{Answer, Ran, Request, honest_reply, run};
use libfuzzer_sys::{Corpus, fuzz_target};

/// The secrets of command lines; others are not checked.
const KEY: &str = "kB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3";
const HEADER: &str = "g4teW4y-53cr3t";

const COMMANDS: [&str; 5] = ["list", "delete", "purge", "task", "check"];
/// The initials of all commands. A common option is accepted before the command, too.
const COMMON: &str = "ldptc";
const ANY: &str = "cldpt";

struct Flag {
    long: &'static str,
    /// Empty if it has none.
    short: &'static str,
    takes_value: bool,
    /// The initials of the commands that have it.
    commands: &'static str,
}

const fn option(long: &'static str, short: &'static str, commands: &'static str) -> Flag {
    Flag { long, short, takes_value: true, commands }
}

const fn switch(long: &'static str, short: &'static str, commands: &'static str) -> Flag {
    Flag { long, short, takes_value: false, commands }
}

const FLAGS: [Flag; 28] = [
    option("server", "s", COMMON),
    option("api-key", "k", COMMON),
    option("api-key-file", "", COMMON),
    option("name", "n", COMMON),
    option("cacert", "c", COMMON),
    switch("insecure", "i", COMMON),
    option("header", "H", COMMON),
    option("interval", "", COMMON),
    option("timeout", "", COMMON),
    option("request-timeout", "", COMMON),
    option("retries", "", COMMON),
    switch("quiet", "q", COMMON),
    switch("verbose", "v", COMMON),
    option("language", "l", "ldp"),
    option("version", "V", "ldp"),
    option("image-name", "I", "ldp"),
    switch("orphaned", "", "lp"),
    switch("unused", "", "lp"),
    switch("usage", "", "lp"),
    switch("json", "", ANY),
    switch("dry-run", "d", "dp"),
    switch("yes", "y", "p"),
    switch("all", "", "p"),
    option("from", "", "p"),
    option("max-running", "", "p"),
    switch("no-wait", "", "d"),
    switch("ignore-not-found", "", "dp"),
    switch("wait", "", "t"),
];

/// Finds an option of a command or, before the command, a common one.
fn find(command: Option<&str>, is: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    let has = |flag: &Flag| {
        command.map_or(flag.commands == COMMON, |command| flag.commands.contains(&command[..1]))
    };
    FLAGS.iter().find(|flag| has(flag) && is(flag))
}

/// Returns the same command line with each option in its long form and after the command; `None` if it is wrong, or
/// asks for help.
fn plain(words: &[String]) -> Option<Vec<String>> {
    let (mut command, mut options, mut positionals) = (None, Vec::new(), Vec::new());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut add = |flag: &Flag, attached: Option<&str>| {
            options.push(format!("--{}", flag.long));
            match flag.takes_value {
                true => options.push(attached.or_else(|| words.next())?.to_owned()),
                false => attached.is_none().then_some(())?,
            }
            Some(())
        };
        if word == "--" {
            positionals.extend(words.by_ref());
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            add(find(command, |flag| flag.long == name)?, value)?;
        } else if let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            while !letters.is_empty() {
                let (letter, rest) = letters.split_at_checked(1)?;
                let flag = find(command, |flag| flag.short == letter)?;
                let value = rest.strip_prefix('=').unwrap_or(rest);
                add(flag, Some(value).filter(|_| flag.takes_value && !rest.is_empty()))?;
                letters = if flag.takes_value { "" } else { rest };
            }
        } else if command.is_none() {
            command = Some(*COMMANDS.iter().find(|command| **command == word)?);
        } else if positionals.is_empty() && word == "help" {
            return None;
        } else {
            positionals.push(word);
        }
    }
    let words = [vec![command?.to_owned()], options, vec!["--".to_owned()]].concat();
    Some(words.into_iter().chain(positionals.into_iter().map(str::to_owned)).collect())
}

/// Reports whether the secrets are only in the values of options for secrets. Others, and names of files, are shown.
fn hides_secrets(plain: &[String]) -> bool {
    let is_secret = |word: &String| word.contains(KEY) || word.contains(HEADER);
    plain.iter().enumerate().filter(|(_, word)| is_secret(word)).all(|(n, word)| {
        let option = n.checked_sub(1).map_or("", |before| plain[before].as_str());
        option == "--api-key" || (option == "--header" && !word.starts_with('@'))
    })
}

/// Runs the program, and returns its requests too.
fn effect(words: &[String]) -> (Ran, Vec<Request>) {
    let mut requests = Vec::new();
    let ran = run(words, |request| {
        let answer = Answer::json(200, &honest_reply(&request));
        requests.push(request);
        answer
    });
    (ran, requests)
}

// Each line is a word.
fuzz_target!(|input: &str| -> Corpus {
    if input.contains('\0') {
        return Corpus::Reject;
    }
    let words: Vec<String> = input.lines().map(str::to_owned).collect();
    let (ran, requests) = effect(&words);
    let plain = plain(&words);
    let secrets: &[&str] = match &plain {
        Some(words) if hides_secrets(words) => &[KEY, HEADER],
        _ => &[],
    };
    assert_eq!(ran.problem(secrets), None, "{words:?}: {ran:#?}");
    let Some(plain) = plain else { return Corpus::Keep };
    let (same, same_requests) = effect(&plain);
    assert_eq!((ran.status, ran.stdout), (same.status, same.stdout), "{words:?} {plain:?}");
    assert_eq!(requests, same_requests, "{words:?} {plain:?}");
    // Of several usage errors, another may be named. Times differ.
    let without_digits = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
    if ran.status != Some(2) {
        assert_eq!(without_digits(ran.stderr), without_digits(same.stderr), "{words:?} {plain:?}");
    }
    Corpus::Keep
});
