//! Parses arguments as people write them.
//!
//! People write `--option=value`, `-lR`, `-dy`, and options before and after the command. argh accepts only
//! `--option value`, and a command's options only after it, so the arguments are brought into that form first. Errors,
//! those of argh too, are worded here: in one line, and without any value that may be a key.

use std::ffi::OsString;
use std::slice::Iter;

use argh::{CommandInfoWithArgs, FromArgs};

use super::help;
use super::options::{self, Flag, Options, value_name};
use super::settings::quoted;
use super::spelling::{nearest, suggestion};
use super::values::{is_key, language};

/// The hint if an image seems to follow `-i`.
const INSECURE: &str = "; -i is --insecure, and the image is -I";
/// What `--version` prints.
const VERSION: &str = concat!("connect-cache ", env!("CONNECT_CACHE_VERSION"), "\n");

/// The action that the arguments request.
pub enum Invocation {
    /// Run a command.
    Run(Box<Options>),
    /// Print help or the version.
    Print(String),
    /// There are no arguments.
    Nothing,
}

/// Parses the arguments after the program's name. The error is one line without any value that may be a key.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Invocation, String> {
    let Ok(words) = args.map(OsString::into_string).collect::<Result<Vec<String>, _>>() else {
        return Err("an argument is not valid UTF-8; see 'connect-cache --help'".to_owned());
    };
    if words.is_empty() {
        return Ok(Invocation::Nothing);
    }
    let mut arguments = Arguments { rest: words.iter(), ..Arguments::default() };
    let invocation = arguments.read().and_then(|()| arguments.invocation());
    invocation.map_err(|problem| {
        let command = arguments.command_name().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{problem}; see 'connect-cache{command} --help'")
    })
}

/// The arguments in the form that argh accepts.
#[derive(Default)]
struct Arguments<'a> {
    /// The words that are not read yet.
    rest: Iter<'a, String>,
    /// The options that every command accepts, by their long names, each with its value.
    common: Vec<&'a str>,
    command: Option<CommandInfoWithArgs>,
    /// The command's options, in the same form.
    own: Vec<&'a str>,
    positionals: Vec<&'a str>,
    /// Returns the help to print, if that is asked for.
    help: Option<fn(Option<&str>) -> String>,
    version: bool,
}

impl<'a> Arguments<'a> {
    fn command_name(&self) -> Option<&'static str> {
        self.command.as_ref().map(|command| command.name)
    }

    fn own_flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.command.iter().flat_map(options::flags)
    }

    fn flags(&self) -> impl Iterator<Item = &'static Flag> {
        self.own_flags().chain(options::flags(&options::program()))
    }

    fn read(&mut self) -> Result<(), String> {
        while let Some(word) = self.rest.next() {
            if word == "--" {
                self.positionals.extend(self.rest.by_ref().map(String::as_str));
            } else if word.starts_with("--") {
                self.read_long(word)?;
            } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                self.read_short(letters)?;
            } else if word == "help" && self.positionals.is_empty() {
                self.help = Some(help::full);
            } else if self.command.is_some() {
                self.positionals.push(word);
            } else {
                let command = options::commands().into_iter().find(|command| command.name == word);
                self.command = Some(command.ok_or_else(|| self.unknown_command(word))?);
            }
        }
        Ok(())
    }

    fn read_long(&mut self, word: &'a str) -> Result<(), String> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let flag = self.flags().find(|flag| flag.long == name);
        match flag {
            Some(flag) => return self.add(flag, value),
            None if word == "--help" => self.help = Some(help::full),
            None if word == "--version" && self.command.is_none() => self.version = true,
            None => return Err(self.unknown_option(name)),
        }
        Ok(())
    }

    /// Reads combined short switches, which may end in an option and its value.
    fn read_short(&mut self, letters: &'a str) -> Result<(), String> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let flag = self.flags().find(|flag| flag.short == Some(letter));
            match flag {
                Some(flag) if value_name(flag).is_some() => {
                    let attached = Some(letters.as_str()).filter(|value| !value.is_empty());
                    return self.add(flag, attached.map(|value| value.strip_prefix('=').unwrap_or(value)));
                }
                Some(flag) => self.add(flag, None)?,
                None if letter == 'h' => self.help = self.help.or(Some(help::brief)),
                None if letter == 'V' && self.command.is_none() => self.version = true,
                None => return Err(self.unknown_option(&format!("-{}", letter.escape_default()))),
            }
        }
        Ok(())
    }

    /// Adds an option and its value, which is the next word if it is not part of the same one.
    fn add(&mut self, flag: &'static Flag, value: Option<&'a str>) -> Result<(), String> {
        let is_own = self.own_flags().any(|own| own.long == flag.long);
        let args = if is_own { &mut self.own } else { &mut self.common };
        args.push(flag.long);
        if let Some(name) = value_name(flag) {
            let value = value.or_else(|| self.rest.next().map(String::as_str));
            let value = value.ok_or_else(|| format!("{} requires a value: {name}", flag.long))?;
            if value.is_empty() {
                return Err(format!("invalid {} '': it is empty", flag.long));
            }
            args.push(value);
        } else if value.is_some() {
            return Err(format!("{} takes no value", flag.long));
        }
        Ok(())
    }

    fn invocation(&self) -> Result<Invocation, String> {
        if let Some(help) = self.help {
            return Ok(Invocation::Print(help(self.command_name())));
        }
        match &self.command {
            None if self.version => Ok(Invocation::Print(VERSION.to_owned())),
            None => Err("no command specified".to_owned()),
            Some(_) if self.version => Err("--version must come after the command".to_owned()),
            Some(command) if self.positionals.len() > command.positionals.len() => {
                Err(self.unexpected(command))
            }
            Some(command) => {
                let args =
                    [&self.common[..], &[command.name], &self.own, &["--"], &self.positionals].concat();
                let options = Options::from_args(&[], &args);
                let options = options.map_err(|exit| reworded(exit.output.trim_end(), command.name))?;
                Ok(Invocation::Run(Box::new(options)))
            }
        }
    }

    /// Words the error about an unknown command, with the one that does it here.
    fn unknown_command(&self, word: &str) -> String {
        let names = options::commands().into_iter().map(|command| command.name);
        let meant = match word {
            "ls" => Some("list"),
            "rm" | "remove" => Some("delete"),
            "prune" => Some("purge"),
            "version" => Some("--version"),
            // As in `rsconnect system caches list`.
            "system" | "caches" => self.rest.clone().find_map(|word| names.clone().find(|name| name == word)),
            _ => nearest(word, names),
        };
        format!("unknown command{}{}", self.quoted(word), suggestion(meant))
    }

    /// Words the error about an option that this command or, before the command, every command lacks.
    fn unknown_option(&self, option: &str) -> String {
        let is = |flag: &Flag| flag.long == option || flag.short.is_some_and(|c| option == format!("-{c}"));
        let owners = options::commands().into_iter().filter(|command| options::flags(command).any(is));
        let owners: Vec<&str> = owners.map(|command| command.name).collect();
        let is_joined = |flag: &&Flag| value_name(flag).is_some() && option.starts_with(flag.long);
        match (self.command_name(), self.flags().find(is_joined)) {
            (Some(command), _) if !owners.is_empty() => {
                format!("{command} has no option {option}; it belongs to {}", owners.join(", "))
            }
            (None, _) if !owners.is_empty() => format!("{option} must come after the command"),
            (_, Some(flag)) => {
                format!("{} is joined to its value; separate them by a space or =", flag.long)
            }
            (_, None) => {
                // After a typing error, the rest may be a value.
                let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
                let name = option.split(|c| option.starts_with("--") && !is_name(c)).next();
                let name = name.unwrap_or_default();
                let meant = nearest(name, self.flags().map(|flag| flag.long));
                // As in -iLocal.
                let is_image = option.len() == 2 && self.common.last() == Some(&"--insecure");
                format!("unknown option {name}{}{}", suggestion(meant), if is_image { INSECURE } else { "" })
            }
        }
    }

    /// Words the error about arguments that the command does not take, with the mistake that may explain them.
    fn unexpected(&self, command: &CommandInfoWithArgs) -> String {
        let stray = &self.positionals[command.positionals.len()..];
        let values: Vec<&str> = options::flags(command).filter_map(value_name).collect();
        let has = |long| self.own.contains(&long);
        let (takes_globs, may_be_glob) = (values.contains(&"GLOB"), has("--version") || has("--image-name"));
        let hint = match self.as_options(stray) {
            _ if !values.contains(&"LANG") => "",
            Some(options) if !(takes_globs && may_be_glob) => &format!("; use{options}"),
            _ if self.common.contains(&"--insecure") && !has("--image-name") => INSECURE,
            _ if takes_globs && may_be_glob => "; quote globs, since the shell expands them",
            _ if may_be_glob => "; an image needs -I, and only purge takes globs, in quotes",
            _ => "",
        };
        format!("unexpected argument{}{hint}", self.quoted(stray[0]))
    }

    /// Returns the options that these words lack, as in ` -l R -V 4.3.0`, if they begin with a language or a version.
    fn as_options(&self, words: &[&str]) -> Option<String> {
        const OPTIONS: [(&str, &str); 3] =
            [("--language", "-l"), ("--version", "-V"), ("--image-name", "-I")];
        let first = if language(words[0]).is_ok() { 0 } else { 1 };
        let is_option = first == 0 || is_version(words[0]);
        if !is_option || self.own.contains(&OPTIONS[first].0) || !self.may_show(words[0]) {
            return None;
        }
        let pairs = OPTIONS[first..].iter().zip(words);
        // After a version comes an image, unless it looks like a key.
        let pairs =
            pairs.take_while(|((_, short), word)| self.may_show(word) || *short == "-I" && !is_key(word));
        Some(pairs.map(|((_, short), word)| format!(" {short} {}", quoted(word))).collect())
    }

    /// Returns a word in quotes after a space, or nothing if it may be a key or a part of one.
    fn quoted(&self, word: &str) -> String {
        if self.may_show(word) { format!(" '{word}'") } else { String::new() }
    }

    /// Reports whether a word is certainly not a key or a part of one.
    fn may_show(&self, word: &str) -> bool {
        let rest = word.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(word);
        let is_word = rest.bytes().all(|b| b.is_ascii_lowercase());
        let has_secret = ["--api-key", "--header"].iter().any(|secret| self.common.contains(secret));
        word.len() <= 12 && (is_word || is_version(word)) && !has_secret
    }
}

/// Words argh's error, which may contain any value. Only options that are not secret have invalid values.
fn reworded(error: &str, command: &str) -> String {
    if error.starts_with("Required ") {
        let missing: Vec<&str> = error.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        return format!("{command} requires {}", missing.join(" and "));
    }
    let option =
        error.strip_prefix("Error parsing option '").and_then(|rest| rest.split_once("' with value '"));
    let Some((option, rest)) = option else { return "invalid arguments".to_owned() };
    match rest.rsplit_once("': ") {
        Some((value, problem)) if problem != "duplicate values provided" => {
            format!("invalid {option} '{value}': {problem}")
        }
        _ => format!("{option} is specified twice"),
    }
}

fn is_version(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::options::{Command, List, Task};
    use crate::cli::values::Secret;

    fn invocation(line: &str) -> Result<Invocation, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn ran(line: &str) -> Options {
        match invocation(line) {
            Ok(Invocation::Run(options)) => *options,
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
        let options = ran("list --api-key=--json -n -x");
        let key = options.api_key.as_ref().map(Secret::reveal);
        assert_eq!((key, options.name.as_deref()), (Some("--json"), Some("-x")));
        let options = ran("task -- -odd-id");
        assert!(options.api_key.is_none());
        assert!(matches!(options.command, Command::Task(Task { id, .. }) if id == "-odd-id"));
        let Command::List(List { version, .. }) = ran("list --version=a=b").command else { panic!() };
        assert_eq!(version.as_deref(), Some("a=b"));
    }

    fn prints(line: &str, expected: &str) -> bool {
        matches!(invocation(line), Ok(Invocation::Print(text)) if text == expected)
    }

    #[test]
    fn finds_help_and_version_anywhere() {
        for (line, topic) in [
            ("--help", None),
            ("help", None),
            ("-h help", None),
            ("help delete", Some("delete")),
            ("delete --help", Some("delete")),
            ("delete help", Some("delete")),
            ("-s x delete -l R --help", Some("delete")),
            ("task help", Some("task")),
        ] {
            assert!(prints(line, &help::full(topic)), "{line}");
        }
        for (line, topic) in [
            ("-h", None),
            ("-vh", None),
            ("delete -h", Some("delete")),
            ("-h delete", Some("delete")),
            ("delete -dh", Some("delete")),
        ] {
            assert!(prints(line, &help::brief(topic)), "{line}");
        }
        assert!(prints("--version", VERSION) && prints("-V", VERSION));
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
            ("list -k secret': -k secret", "--api-key is specified twice"),
            ("list -V a -V b", "--version is specified twice"),
            ("ls", "unknown command 'ls' (did you mean list?)"),
            ("-q rm -l R", "unknown command 'rm' (did you mean delete?)"),
            ("version", "unknown command 'version' (did you mean --version?)"),
            ("system caches list", "unknown command 'system' (did you mean list?)"),
            ("system caches delete -l R", "unknown command 'system' (did you mean delete?)"),
            ("delete R 4.3.0", "unexpected argument 'R'; use -l R -V 4.3.0"),
            ("purge python", "unexpected argument 'python'; use -l python"),
            ("list -l R 4.3.0 Local", "unexpected argument '4.3.0'; use -V 4.3.0 -I Local"),
            ("delete R S3cret-part", "unexpected argument 'R'; use -l R"),
            ("delete -k a R 4.3.0", "unexpected argument"),
            ("list -V 3.9.5 3.9.6", "unexpected argument '3.9.6'; quote globs, since the shell expands them"),
            ("purge -I a b", "unexpected argument 'b'; quote globs"),
            (
                "delete -l R -V 4.3.0 -i Local",
                "unexpected argument 'Local'; -i is --insecure, and the image is -I",
            ),
            ("delete -l R -V 4.3.0 4.3.1", "unexpected argument '4.3.1'"),
            ("task a 4.3.0", "unexpected argument '4.3.0'"),
            ("list --interval ten", "invalid --interval 'ten': expected seconds from 0 to 31536000"),
            ("list --retries 101", "invalid --retries '101': expected a whole number from 0 to 100"),
            ("list -l pythn", "invalid --language 'pythn': expected R or Python (did you mean Python?)"),
            ("list -V=", "invalid --version '': it is empty"),
            ("delete -l R -V 4.3.0 -I=", "invalid --image-name '': it is empty"),
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
            language in "R|python",
            [version, server] in ["[^=\\s\\pC]\\PC{0,6}x", "[^=]\\PC{0,6}"],
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
                Ok(Invocation::Run(options)) => Ok(format!("{options:?}")),
                Ok(_) => Err("not a command".to_owned()),
                Err(problem) => Err(problem),
            };
            let long = read([0; 5]);
            prop_assert!(long.is_ok(), "{long:?}");
            prop_assert_eq!(read(forms), long);
        }
    }
}
