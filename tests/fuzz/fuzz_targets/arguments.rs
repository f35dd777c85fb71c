//! Checks command lines: all forms of the same options give the same result, and no message shows a secret.

#![no_main]

use arbitrary::Arbitrary;
use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};
use connect_cache_fuzz::{Change, one_of, set_environment};
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/cli/arguments.rs"]
mod arguments;
#[path = "../../../src/cli/files.rs"]
mod files;
#[path = "../../../src/cli/options.rs"]
mod options;
#[path = "../../../src/cli/saved_servers.rs"]
mod saved_servers;
#[path = "../../../src/cli/settings.rs"]
mod settings;

use arguments::{Invocation, Misused};

#[derive(Arbitrary, Debug)]
struct Input {
    command: u8,
    options: Vec<Given>,
    /// The number of common options before the command.
    before: u8,
    positional_first: bool,
    wrong: Wrong,
}

#[derive(Arbitrary, Clone, Debug)]
struct Given {
    option: u8,
    value: u8,
    form: u8,
}

#[derive(Arbitrary, Debug)]
enum Wrong {
    Nothing,
    Drop(u8),
    Double(u8),
    Move { from: u8, to: u8 },
    Word { at: u8, change: Change },
    Insert { at: u8, word: String },
}

const SECRETS: [&str; 2] = ["kB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3", "g4teW4y-53cr3t"];

type Flag = &'static FlagInfo<'static>;

/// An option with its value, and the form in which it is written.
struct Set {
    flag: Flag,
    value: Option<String>,
    form: u8,
}

/// Returns a value that the option accepts.
fn value(flag: Flag, number: u8) -> String {
    let values: &[&str] = match flag.long {
        "--server" => &["https://connect.example.com", "http://localhost:3939/rsc/"],
        "--api-key" => &[SECRETS[0]],
        "--header" => return format!("X-Gate: {}", SECRETS[1]),
        "--interval" | "--timeout" | "--request-timeout" => &["0", "1.5", "30s", "2h", ".5m"],
        "--retries" | "--max-running" => &["0", "7", " 3 "],
        "--language" => &["R", "python", ""],
        "--version" | "--image-name" => {
            &["4.3.0", "3.*", "*-jammy", "ghcr.io/example/r:jammy", "a b", "--json"]
        }
        _ => &["/dev/null", "/nonexistent/file", "a name"],
    };
    one_of(values, number).to_owned()
}

impl Input {
    fn command(&self) -> CommandInfoWithArgs {
        let [list, delete, purge, task, check] = options::commands();
        match self.command % 5 {
            0 => list,
            1 => delete,
            2 => purge,
            3 => task,
            _ => check,
        }
    }

    /// Returns the options, each once unless it may be repeated, with all that are required.
    fn sets(&self, command: &CommandInfoWithArgs) -> Vec<(Set, bool)> {
        let common: Vec<Flag> = options::flags(&options::common()).collect();
        let all: Vec<Flag> = common.iter().copied().chain(options::flags(command)).collect();
        let mut sets: Vec<(Set, bool)> = Vec::new();
        let mut add = |flag: Flag, given: &Given| {
            let repeats = flag.optionality == Optionality::Repeating;
            if !repeats && sets.iter().any(|(set, _)| set.flag.long == flag.long) {
                return;
            }
            let has_value = matches!(flag.kind, FlagInfoKind::Option { .. });
            let value = has_value.then(|| value(flag, given.value));
            sets.push((
                Set { flag, value, form: given.form },
                common.iter().any(|known| known.long == flag.long),
            ));
        };
        for given in &self.options {
            add(one_of(&all, given.option), given);
        }
        for flag in options::flags(command).filter(|flag| flag.optionality == Optionality::Required) {
            add(flag, &Given { option: 0, value: 0, form: self.before });
        }
        sets
    }

    /// Returns the words before any change.
    fn words(&self) -> Vec<String> {
        let command = self.command();
        let mut words = Vec::new();
        let (mut before, mut after) = (self.before, Vec::new());
        for (set, is_common) in self.sets(&command) {
            match is_common && before > 0 {
                true => {
                    before -= 1;
                    set.write(&mut words);
                }
                false => after.push(set),
            }
        }
        words.push(command.name.to_owned());
        let positional = command.positionals.iter().map(|_| "lFvijYN16kjCoal6".to_owned());
        if self.positional_first {
            words.extend(positional.clone());
        }
        after.iter().for_each(|set| set.write(&mut words));
        if !self.positional_first {
            words.extend(positional);
        }
        words
    }

    /// Returns the same words, each option in its long form and after the command.
    fn plain_words(&self) -> Vec<String> {
        let command = self.command();
        let mut words = vec![command.name.to_owned()];
        for (set, _) in self.sets(&command) {
            words.push(set.flag.long.to_owned());
            words.extend(set.value);
        }
        words.push("--".to_owned());
        words.extend(command.positionals.iter().map(|_| "lFvijYN16kjCoal6".to_owned()));
        words
    }
}

impl Set {
    fn write(&self, words: &mut Vec<String>) {
        let long = self.flag.long;
        match (&self.value, self.flag.short) {
            (None, Some(short)) if self.form % 3 == 1 => words.push(format!("-{short}")),
            (None, Some(short)) if self.form % 3 == 2 => {
                let is_switches = |word: &&mut String| {
                    word.len() > 1 && word.bytes().skip(1).all(|b| b"iqvdy".contains(&b))
                };
                match words.last_mut().filter(|word| word.starts_with('-')).filter(is_switches) {
                    Some(word) => word.push(short),
                    None => words.push(format!("-{short}")),
                }
            }
            (None, _) => words.push(long.to_owned()),
            (Some(value), Some(short)) if self.form % 5 == 2 && !value.is_empty() => {
                words.push(format!("-{short}{value}"));
            }
            (Some(value), Some(short)) if self.form % 5 == 3 => words.push(format!("-{short}={value}")),
            (Some(value), Some(short)) if self.form % 5 == 4 => {
                words.extend([format!("-{short}"), value.clone()]);
            }
            (Some(value), _) if self.form % 5 == 1 => words.push(format!("{long}={value}")),
            (Some(value), _) => words.extend([long.to_owned(), value.clone()]),
        }
    }
}

fn apply(wrong: &Wrong, words: &mut Vec<String>) {
    let length = words.len();
    let at = |n: u8| usize::from(n) % length;
    match wrong {
        Wrong::Nothing => {}
        Wrong::Drop(n) => drop(words.remove(at(*n))),
        Wrong::Double(n) => words.insert(at(*n), words[at(*n)].clone()),
        Wrong::Move { from, to } => {
            let word = words.remove(at(*from));
            words.insert(at(*to), word);
        }
        Wrong::Word { at: n, change } => words[at(*n)] = change.of(&words[at(*n)]),
        Wrong::Insert { at: n, word } => words.insert(at(*n), word.clone()),
    }
}

/// Parses words, and returns the resulting settings.
fn outcome(words: &[String]) -> Result<String, Misused> {
    Ok(match arguments::parse(words.iter().map(Into::into))? {
        Invocation::Run(common, command) => {
            let options = format!("{common:?} {command:?}");
            // After a change, a secret may be the name of a file, which is shown.
            let is_file = common.header.iter().any(|header| header.reveal().starts_with('@'));
            if is_file || SECRETS.iter().any(|secret| options.contains(secret)) {
                return Ok("a secret in another place".to_owned());
            }
            let texts = match settings::from_options(&common, false) {
                Ok(settings) => {
                    let config = format!("{:?}", settings.config);
                    [vec![config], settings.warnings, settings.note.into_iter().collect()].concat()
                }
                Err(problem) => vec![problem],
            };
            format!("{options} {} {texts:?}", settings::repeated(&common))
        }
        Invocation::Help(topic) => format!("help {topic:?}"),
        Invocation::Brief(command) => format!("brief {}", command.name),
        Invocation::Version => "version".to_owned(),
        Invocation::Nothing => "nothing".to_owned(),
    })
}

fuzz_target!(init: { set_environment(&[]) }, |input: Input| {
    let mut words = input.words();
    apply(&input.wrong, &mut words);
    let result = outcome(&words).map_err(|misused| misused.problem);
    let text = result.as_ref().unwrap_or_else(|problem| problem);
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{words:?}: {text}");
    if let Err(problem) = &result {
        assert!(!problem.contains(char::is_control) && !problem.is_empty(), "{words:?}: {problem:?}");
    }
    if matches!(input.wrong, Wrong::Nothing) {
        let plain = outcome(&input.plain_words()).map_err(|misused| misused.problem);
        assert!(result.is_ok(), "{words:?}: {result:?}");
        assert_eq!(result, plain, "{words:?}");
    }
});
