//! Help, made from the definitions of the options.

use argh::{CommandInfoWithArgs, Optionality};

use super::exit_status::MEANINGS;
use super::options::{self, Flag};

/// The column in which descriptions begin, and the one before which they end.
const INDENT: usize = 27;
const WIDTH: usize = 80;

const VARIABLES: &str = "
An option overrides its variable. SECONDS may have a unit: 30s, 10m, 2h.
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are
honored.

Exit status:
";

const FIRST_STEPS: &str = "
Specify the server by --server URL or CONNECT_SERVER, and an administrator's API
key by --api-key-file FILE or CONNECT_API_KEY.

Example: connect-cache check -s https://connect.example.com --api-key-file key

Run 'connect-cache COMMAND -h' for the options of a command, and
'connect-cache --help' for all options, variables and exit statuses.
";

/// Returns the full help on a command, or on the whole program.
pub fn full(topic: Option<&str>) -> String {
    let common = common_options();
    match command(topic) {
        Some(command) => {
            let examples = command.examples.iter().flat_map(|example| example.lines());
            let examples: String = examples.map(|line| format!("  {line}\n")).collect();
            format!("{}{common}\nExamples:\n{examples}", own_options(&command, |description| description))
        }
        None => {
            let version = entry("    --version", "show the version");
            let statuses = MEANINGS.iter().enumerate();
            let statuses: String = statuses.map(|(code, meaning)| format!("  {code}  {meaning}\n")).collect();
            let end = "\nRun 'connect-cache COMMAND -h' for the options of a command.\n";
            format!("{}{common}{version}{VARIABLES}{statuses}{end}", commands())
        }
    }
}

/// Returns help that fits a screen of 24 lines: on a command, without the common options, or on the whole program.
pub fn brief(topic: Option<&str>) -> String {
    let Some(command) = command(topic) else { return commands() + FIRST_STEPS };
    let example = command.examples.first().and_then(|example| example.lines().nth(1)).unwrap_or_default();
    let own = own_options(&command, |description| description.split(';').next().unwrap_or_default());
    format!("{own}\nExample: {example}\nCommon options: connect-cache --help\n")
}

fn command(topic: Option<&str>) -> Option<CommandInfoWithArgs> {
    options::commands().into_iter().find(|command| Some(command.name) == topic)
}

/// Returns the program's usage, summary and commands.
fn commands() -> String {
    let commands = options::commands();
    let commands: String = commands.iter().map(|command| entry(command.name, command.description)).collect();
    let summary = options::program().description;
    format!("Usage: connect-cache [options] COMMAND [options]\n\n{summary}\n\nCommands:\n{commands}")
}

/// Returns a command's usage, summary, and options with as much of each description as `describe` returns.
fn own_options(command: &CommandInfoWithArgs, describe: fn(&str) -> &str) -> String {
    // Brackets stay on one line with the text in them.
    let mut text = wrapped("Usage:", &usage(command).replace(" [", "\n["), '\n', 7);
    text += &format!("\n{}\n", command.description);
    for positional in command.positionals {
        text += &format!("\nArguments:\n{}", entry(positional.name, positional.description));
    }
    text += "\nOptions:\n";
    text.extend(options::flags(command).map(|flag| entry(&names(flag), describe(flag.description))));
    text
}

/// Returns the common options in their groups.
fn common_options() -> String {
    let mut text = String::new();
    for flag in options::flags(&options::program()) {
        if let Some((title, _)) = options::GROUPS.iter().find(|(_, first)| *first == flag.long) {
            text += &format!("\n{title}:\n");
        }
        text += &entry(&names(flag), flag.description);
    }
    text + &entry("-h, --help", "show help; COMMAND -h omits the common options")
}

/// Returns a command's usage on one line, without the common options.
pub fn usage(command: &CommandInfoWithArgs) -> String {
    let mut text = format!("connect-cache {}", command.name);
    text.extend(command.positionals.iter().map(|positional| format!(" {}", positional.name)));
    text.extend(options::flags(command).map(|flag| {
        let name = flag.short.map_or(flag.long.to_owned(), |short| format!("-{short}"));
        match options::value_name(flag) {
            Some(value) if flag.optionality == Optionality::Required => format!(" {name} {value}"),
            Some(value) => format!(" [{name} {value}]"),
            None => format!(" [{name}]"),
        }
    }));
    text
}

fn names(flag: &Flag) -> String {
    let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = options::value_name(flag).map(|name| format!(" {name}")).unwrap_or_default();
    format!("{short}{}{value}", flag.long)
}

/// Returns an entry of a list. Its description gets a capital letter, which argh does not accept.
fn entry(name: &str, description: &str) -> String {
    // A variable stays on one line with its bracket.
    let mut description = description.replace("env: ", "env:\u{a0}");
    if let Some(first) = description.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let name = format!("  {name}");
    if name.len() < INDENT {
        wrapped(&name, &description, ' ', INDENT)
    } else {
        format!("{name}\n{}", wrapped("", &description, ' ', INDENT))
    }
}

/// Returns `start` and the words after it, in lines of at most [`WIDTH`] characters. Words start at the column `indent`.
fn wrapped(start: &str, words: &str, separator: char, indent: usize) -> String {
    let (mut text, mut line) = (String::new(), start.to_owned());
    for word in words.split(separator) {
        if line.len() + 1 + word.len() > WIDTH {
            text += &format!("{line}\n");
            line.clear();
        }
        let gap = indent.saturating_sub(line.len()).max(1);
        line += &format!("{:gap$}{}", "", word.replace('\u{a0}', " "));
    }
    format!("{text}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the commands, and the program as `None`.
    fn topics() -> Vec<Option<&'static str>> {
        options::commands().iter().map(|command| Some(command.name)).chain([None]).collect()
    }

    #[test]
    fn shows_own_and_common_options_of_every_command() {
        for command in options::commands() {
            let text = full(Some(command.name));
            for flag in options::flags(&command).chain(options::flags(&options::program())) {
                assert!(text.contains(flag.long), "{}: {}", command.name, flag.long);
            }
        }
    }

    #[test]
    fn fits_80_columns() {
        for text in topics().into_iter().flat_map(|topic| [full(topic), brief(topic)]) {
            assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        }
    }

    #[test]
    fn fits_brief_help_on_one_screen() {
        for text in topics().into_iter().map(brief) {
            assert!(text.lines().count() < 24, "{text}");
        }
    }

    #[test]
    fn puts_every_common_option_into_one_group() {
        let long: Vec<&str> = options::flags(&options::program()).map(|flag| flag.long).collect();
        let first = options::GROUPS.map(|(_, first)| long.iter().position(|&long| long == first));
        assert_eq!(first[0], Some(0));
        assert!(first.is_sorted() && first.iter().all(Option::is_some), "{first:?}");
    }
}
