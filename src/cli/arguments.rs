//! Parses arguments as people write them, and converts them to the form that argh accepts.
//!
//! People write `--option=value`, `-lR`, `-dy`, and options before and after the command. argh accepts only
//! `--option value` after it. This module rejects everything that argh would reject, in one line without values, since
//! a value may be a key.

use std::ffi::OsString;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, FromArgs, Optionality};

use super::options::{self, Check, Command, Common, Delete, List, Purge, Task};

/// The action that the arguments request.
pub enum Invocation {
    /// Run a command.
    Run(Box<Common>, Command),
    /// Print all help on a command, or on the program.
    Help(Option<&'static str>),
    /// Print one screen of help on a command.
    Brief(CommandInfoWithArgs),
    /// Print the program's version.
    Version,
    /// There are no arguments.
    Nothing,
}

/// A usage error, and the command whose help explains it.
#[derive(Debug)]
pub struct Misused {
    /// One line without any value that may be a key.
    pub problem: String,
    /// The command, if it is known.
    pub command: Option<&'static str>,
}

/// Parses the arguments after the program's name.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Invocation, Misused> {
    let mut words = Vec::new();
    for arg in args {
        match arg.into_string() {
            Ok(word) => words.push(word),
            Err(_) => {
                return Err(Misused { problem: "an argument is not valid UTF-8".to_owned(), command: None });
            }
        }
    }
    if words.is_empty() {
        return Ok(Invocation::Nothing);
    }
    let mut sorted = Sorted::default();
    sorted.sort(&words).map_err(|problem| Misused { problem, command: sorted.command_name() })?;
    sorted.invocation().map_err(|problem| Misused { problem, command: sorted.command_name() })
}

/// The arguments in the form that argh accepts.
#[derive(Default)]
struct Sorted<'a> {
    command: Option<CommandInfoWithArgs>,
    common_args: Vec<&'a str>,
    command_args: Vec<&'a str>,
    positionals: Vec<&'a str>,
    /// The long names of the options that are set.
    given: Vec<&'static str>,
    help: bool,
    brief: bool,
    version: bool,
}

impl<'a> Sorted<'a> {
    fn command_name(&self) -> Option<&'static str> {
        self.command.as_ref().map(|command| command.name)
    }

    fn sort(&mut self, words: &'a [String]) -> Result<(), String> {
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                for word in words.by_ref() {
                    self.positional(word)?;
                }
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                match self.find(|flag| flag.long.strip_prefix("--") == Some(name)) {
                    Some(found) => self.take(found, value, &mut words)?,
                    None if name == "help" && value.is_none() => self.help = true,
                    None if name == "version" && value.is_none() && self.command.is_none() => {
                        self.version = true
                    }
                    None => return Err(self.unknown(&format!("--{name}"))),
                }
            } else if word.len() > 1 && word.starts_with('-') {
                self.sort_short(&word[1..], &mut words)?;
            } else {
                self.positional(word)?;
            }
        }
        Ok(())
    }

    /// Sorts combined short switches, which may end in an option and its value.
    fn sort_short(
        &mut self,
        cluster: &'a str,
        words: &mut dyn Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let mut letters = cluster.chars();
        while let Some(letter) = letters.next() {
            match self.find(|flag| flag.short == Some(letter)) {
                Some((flag, common)) if matches!(flag.kind, FlagInfoKind::Option { .. }) => {
                    let attached = letters.as_str();
                    let attached = attached.strip_prefix('=').unwrap_or(attached);
                    let value = (!letters.as_str().is_empty()).then_some(attached);
                    return self.take((flag, common), value, words);
                }
                Some(found) => self.take(found, None, words)?,
                None if letter == 'h' => self.brief = true,
                None if letter == 'V' && self.command.is_none() => self.version = true,
                None => return Err(self.unknown(&format!("-{}", letter.escape_default()))),
            }
        }
        Ok(())
    }

    /// Returns the option, and whether it is a common one.
    fn find(&self, is: impl Fn(&FlagInfo) -> bool) -> Option<(&'static FlagInfo<'static>, bool)> {
        let own = self.command.as_ref().and_then(|command| options::flags(command).find(|flag| is(flag)));
        match own {
            Some(flag) => Some((flag, false)),
            None => options::flags(&options::common()).find(|flag| is(flag)).map(|flag| (flag, true)),
        }
    }

    fn take(
        &mut self,
        (flag, common): (&'static FlagInfo<'static>, bool),
        value: Option<&'a str>,
        words: &mut dyn Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let value = match (&flag.kind, value) {
            (FlagInfoKind::Switch, None) => None,
            (FlagInfoKind::Switch, Some(_)) => return Err(format!("{} takes no value", flag.long)),
            (FlagInfoKind::Option { .. }, Some(value)) => Some(value),
            (FlagInfoKind::Option { arg_name }, None) => {
                Some(words.next().ok_or_else(|| format!("{} requires a value: {arg_name}", flag.long))?)
            }
        };
        let once = flag.optionality != Optionality::Repeating;
        if value.is_some() && once && self.given.contains(&flag.long) {
            return Err(format!("{} is specified twice", flag.long));
        }
        self.given.push(flag.long);
        let args = if common { &mut self.common_args } else { &mut self.command_args };
        args.push(flag.long);
        args.extend(value);
        Ok(())
    }

    fn positional(&mut self, word: &'a str) -> Result<(), String> {
        match &self.command {
            None if word == "help" && !self.help => self.help = true,
            None => match options::commands().into_iter().find(|command| command.name == word) {
                Some(command) => self.command = Some(command),
                None => {
                    let names = options::commands().map(|command| command.name);
                    let (word, similar) = (self.quoted(word), similar(word, &names));
                    return Err(format!("unknown command{word}{similar}"));
                }
            },
            Some(_) if word == "help" && self.positionals.is_empty() => self.help = true,
            Some(command) if self.positionals.len() >= command.positionals.len() => {
                return Err(format!("unexpected argument{}", self.quoted(word)));
            }
            Some(_) => self.positionals.push(word),
        }
        Ok(())
    }

    /// Quotes a stray word, unless it may be a key or a part of one.
    fn quoted(&self, word: &str) -> String {
        let is_word = word.len() <= 12 && word.bytes().all(|b| b.is_ascii_lowercase());
        let may_be_secret = ["--api-key", "--header"].iter().any(|option| self.given.contains(option));
        match is_word && !may_be_secret {
            true => format!(" '{word}'"),
            false => String::new(),
        }
    }

    fn unknown(&self, option: &str) -> String {
        // The rest after an option's name may be its value.
        let all = options::commands();
        let takes_value = |flag: &&FlagInfo| matches!(flag.kind, FlagInfoKind::Option { .. });
        let mut flags = options::flags(&options::common()).chain(all.iter().flat_map(options::flags));
        if let Some(flag) =
            flags.find(|flag| takes_value(flag) && option != flag.long && option.starts_with(flag.long))
        {
            return format!("{} is joined to its value; separate them by a space or =", flag.long);
        }
        let known_by: Vec<&str> = all
            .iter()
            .filter(|command| {
                options::flags(command)
                    .any(|f| f.long == option || f.short.is_some_and(|s| option == format!("-{s}")))
            })
            .map(|command| command.name)
            .collect();
        match (self.command_name(), known_by.is_empty()) {
            (None, false) => format!("{option} must come after the command"),
            (Some(name), false) => {
                format!("{name} has no option {option}; it belongs to {}", known_by.join(", "))
            }
            (_, true) => {
                // After a typing error, the rest may be a value.
                let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
                let end = match option.starts_with("--") {
                    true => option.find(|c| !is_name(c)).unwrap_or(option.len()),
                    false => option.len(),
                };
                let option = &option[..end];
                let own = self.command.iter().flat_map(options::flags);
                let names = own.chain(options::flags(&options::common())).map(|flag| flag.long);
                format!("unknown option {option}{}", similar(option, &names.collect::<Vec<_>>()))
            }
        }
    }

    fn invocation(&mut self) -> Result<Invocation, String> {
        if self.help || self.brief {
            return Ok(match self.command.take_if(|_| !self.help) {
                Some(command) => Invocation::Brief(command),
                None => Invocation::Help(self.command_name()),
            });
        }
        if self.version {
            return match self.command {
                None => Ok(Invocation::Version),
                Some(_) => Err("--version must come after the command".to_owned()),
            };
        }
        let Some(command) = &self.command else { return Err("no command specified".to_owned()) };
        let missing: Vec<&str> = options::flags(command)
            .filter(|flag| {
                let is_option = matches!(flag.kind, FlagInfoKind::Option { .. });
                is_option && flag.optionality == Optionality::Required && !self.given.contains(&flag.long)
            })
            .map(|flag| flag.long)
            .chain(command.positionals.iter().skip(self.positionals.len()).map(|positional| positional.name))
            .collect();
        if !missing.is_empty() {
            return Err(format!("{} requires {}", command.name, missing.join(" and ")));
        }

        let mut args = self.command_args.clone();
        args.push("--");
        args.extend(&self.positionals);
        let parsed = match command.name {
            "list" => List::from_args(&[], &args).map(Command::List),
            "delete" => Delete::from_args(&[], &args).map(Command::Delete),
            "purge" => Purge::from_args(&[], &args).map(Command::Purge),
            "task" => Task::from_args(&[], &args).map(Command::Task),
            _ => Check::from_args(&[], &args).map(Command::Check),
        };
        // argh should find no error here. If it does, its message may contain a value.
        let refused = |_| "these options cannot be used together".to_owned();
        let common = Common::from_args(&[], &self.common_args).map_err(refused)?;
        Ok(Invocation::Run(Box::new(common), parsed.map_err(refused)?))
    }
}

/// Returns a suggestion from `names` for a misspelled `word`, in parentheses, or nothing.
fn similar(word: &str, names: &[&str]) -> String {
    let slip = names.iter().find(|name| is_slip(word.as_bytes(), name.as_bytes()));
    let longer: Vec<&&str> = names.iter().filter(|name| word.len() > 3 && name.starts_with(word)).collect();
    let only = if longer.len() == 1 { longer.first().copied() } else { None };
    slip.or(only).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// Reports whether `word` is `name` with a typing error: one character too many, missing or wrong, or two swapped.
fn is_slip(word: &[u8], name: &[u8]) -> bool {
    let same = word.iter().zip(name).take_while(|(a, b)| a == b).count();
    let (word, name) = (&word[same..], &name[same..]);
    let same = word.iter().rev().zip(name.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&word[..word.len() - same], &name[..name.len() - same]) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::options::Secret;

    fn invocation(line: &str) -> Result<Invocation, String> {
        parse(line.split_whitespace().map(OsString::from)).map_err(|misused| misused.problem)
    }

    fn ran(line: &str) -> (Box<Common>, Command) {
        match invocation(line) {
            Ok(Invocation::Run(common, command)) => (common, command),
            Ok(_) => panic!("{line}: not a command"),
            Err(problem) => panic!("{line}: {problem}"),
        }
    }

    #[test]
    fn accepts_all_forms_of_options() {
        let expected = format!(
            "{:?}",
            ran("delete --language R --version 4.3.0 --dry-run --server http://h --verbose --verbose")
        );
        for line in [
            "delete -l R -V 4.3.0 -d -s http://h -v -v",
            "delete -lR -V4.3.0 -dvvs http://h",
            "-s http://h -vv delete -dlR --version=4.3.0",
            "--server=http://h delete -l=R -V=4.3.0 -vdv",
            "-vshttp://h delete -v -d --language=R --version 4.3.0 --",
        ] {
            assert_eq!(format!("{:?}", ran(line)), expected, "{line}");
        }
    }

    #[test]
    fn takes_values_literally() {
        let (common, _) = ran("list --api-key=--json -n -x");
        assert_eq!(
            (common.api_key.as_ref().map(Secret::reveal), common.name.as_deref()),
            (Some("--json"), Some("-x"))
        );
        let (common, command) = ran("task -- -odd-id");
        assert!(common.api_key.is_none());
        assert!(matches!(command, Command::Task(Task { id, .. }) if id == "-odd-id"));
        let (_, command) = ran("list --version=a=b");
        assert!(matches!(command, Command::List(List { version: Some(version), .. }) if version == "a=b"));
    }

    #[test]
    fn finds_help_and_version_anywhere() {
        for (line, topic) in [
            ("-h", None),
            ("--help", None),
            ("help", None),
            ("-vh", None),
            ("help delete", Some("delete")),
            ("delete --help", Some("delete")),
            ("delete help", Some("delete")),
            ("-s x delete -l R --help", Some("delete")),
            ("task help", Some("task")),
        ] {
            assert!(matches!(invocation(line), Ok(Invocation::Help(found)) if found == topic), "{line}");
        }
        for line in ["delete -h", "-h delete", "delete -dh"] {
            assert!(
                matches!(invocation(line), Ok(Invocation::Brief(command)) if command.name == "delete"),
                "{line}"
            );
        }
        assert!(matches!(invocation("--version"), Ok(Invocation::Version)));
        assert!(matches!(invocation("-V"), Ok(Invocation::Version)));
        assert!(matches!(invocation(""), Ok(Invocation::Nothing)));
    }

    #[test]
    fn names_mistakes_without_values() {
        for (line, says) in [
            ("lst", "unknown command 'lst' (did you mean list?)"),
            ("chekc", "unknown command 'chekc' (did you mean check?)"),
            ("frob", "unknown command 'frob'"),
            ("list --verbos", "unknown option --verbos (did you mean --verbose?)"),
            ("list --jsno", "unknown option --jsno (did you mean --json?)"),
            ("list --orphn", "unknown option --orphn"),
            ("list --orph", "unknown option --orph (did you mean --orphaned?)"),
            ("-q", "no command specified"),
            ("list secret", "unexpected argument 'secret'"),
            ("list -k a key-part", "unexpected argument"),
            ("-k a secret", "unknown command"),
            ("delete -l R", "delete requires --version"),
            ("delete", "delete requires --language and --version"),
            ("task", "task requires ID"),
            ("list --orphand", "unknown option --orphand"),
            ("list --api-kee=secret", "unknown option --api-kee"),
            ("list --api-keysecret", "--api-key is joined to its value"),
            ("list --apikeyS3cret-part", "unknown option --apikey"),
            ("list api-key=S3cret-part", "unexpected argument"),
            ("list -", "unexpected argument"),
            ("list -sk S3cret-part", "unexpected argument"),
            ("S3cret-part list", "unknown command"),
            ("list -Ksecret", "unknown option -K"),
            ("list --yes", "list has no option --yes; it belongs to purge"),
            ("check -V", "check has no option -V; it belongs to list, delete, purge"),
            ("check --version", "check has no option --version; it belongs to list, delete, purge"),
            ("-x", "unknown option -x"),
            ("--frob list", "unknown option --frob"),
            ("--version=4.3.0 list", "--version must come after the command"),
            ("-l R list", "-l must come after the command"),
            ("--language=secret list", "--language must come after the command"),
            ("--version 4.3.0 delete -l R", "unknown command"),
            ("--version delete", "--version must come after the command"),
            ("list -k", "--api-key requires a value: KEY"),
            ("list -k secret -k secret", "--api-key is specified twice"),
            ("list --header X: secret", "unexpected argument"),
            ("list --headers=secret", "--header is joined to its value"),
            ("list -H", "--header requires a value: HEADER"),
            ("list --json=secret", "--json takes no value"),
            ("list --help=secret", "unknown option --help"),
        ] {
            let problem = invocation(line).err().unwrap_or_else(|| panic!("{line} is understood"));
            assert!(problem.contains(says), "{line}: {problem}");
            assert!(!problem.contains("secret") || says.contains("secret"), "{line}: {problem}");
            assert!(
                !problem.contains("cret-part") && !problem.contains("key-part") && !problem.contains('\n'),
                "{line}: {problem}"
            );
        }
    }

    #[test]
    fn takes_two_swapped_letters_for_a_slip_but_no_other_two() {
        assert!(is_slip(b"lsit", b"list"));
        for word in [b"lsxt", b"lxit", b"lxxt"] {
            assert!(!is_slip(word, b"list"));
        }
    }

    /// Writes an option in one of its forms; a switch has no value.
    fn form(long: &str, short: char, value: Option<&str>, form: usize) -> Vec<String> {
        match (value, form) {
            (None, 0 | 1) => vec![format!("--{long}")],
            (None, _) => vec![format!("-{short}")],
            (Some(value), 0) => vec![format!("--{long}"), value.to_owned()],
            (Some(value), 1) => vec![format!("--{long}={value}")],
            (Some(value), 2) => vec![format!("-{short}"), value.to_owned()],
            (Some(value), 3) => vec![format!("-{short}={value}")],
            (Some(value), _) => vec![format!("-{short}{value}")],
        }
    }

    proptest! {
        #[test]
        fn every_form_equals_the_long_one(
            // A value attached to its letter loses a leading equals sign.
            [language, version, server] in ["[^=]\\PC{0,6}", "[^=]\\PC{0,6}", "[^=]\\PC{0,6}"],
            forms: [u8; 5],
            swapped: bool,
        ) {
            let words = |forms: [u8; 5]| {
                let form = |at: usize, long, short, value| form(long, short, value, usize::from(forms[at] % 5));
                let mut command = vec!["delete".to_owned()];
                let options = [
                    form(0, "language", 'l', Some(language.as_str())),
                    form(1, "version", 'V', Some(version.as_str())),
                    form(2, "dry-run", 'd', None),
                ];
                command.extend(options.concat());
                let common = [form(3, "server", 's', Some(server.as_str())), form(4, "quiet", 'q', None)].concat();
                if swapped { [common, command].concat() } else { [command, common].concat() }
            };
            let read = |forms| match parse(words(forms).into_iter().map(OsString::from)) {
                Ok(Invocation::Run(common, command)) => Ok(format!("{common:?} {command:?}")),
                Ok(_) => Err("not a command".to_owned()),
                Err(misused) => Err(misused.problem),
            };
            let long = read([0; 5]);
            prop_assert!(long.is_ok(), "{long:?}");
            prop_assert_eq!(read(forms), long);
        }
    }
}
