//! Help, made from the definitions of the options.

use argh::{CommandInfoWithArgs, Optionality};

use super::exit_status::ExitStatus;
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
    let program = options::program();
    let mut text = String::new();
    match command(topic) {
        Some(command) => {
            start(&mut text, &command, |description| description);
            common_options(&mut text, &program);
            text.push_str("\nExamples:\n");
            for line in command.examples.iter().flat_map(|example| example.lines()) {
                text.push_str(&format!("  {line}\n"));
            }
        }
        None => {
            commands(&mut text, &program);
            common_options(&mut text, &program);
            entry(&mut text, "    --version", "show the version");
            text.push_str(VARIABLES);
            for status in ExitStatus::ALL {
                text.push_str(&format!("  {}  {}\n", status.code(), status.meaning()));
            }
            text.push_str("\nRun 'connect-cache COMMAND -h' for the options of a command.\n");
        }
    }
    text
}

/// Returns help that fits a screen of 24 lines: on a command, without the common options, or on the whole program.
pub fn brief(topic: Option<&str>) -> String {
    let mut text = String::new();
    match command(topic) {
        Some(command) => {
            start(&mut text, &command, first_clause);
            let example = command.examples.first().and_then(|example| example.lines().nth(1));
            let example = example.unwrap_or_default();
            text.push_str(&format!("\nExample: {example}\nCommon options: connect-cache --help\n"));
        }
        None => {
            commands(&mut text, &options::program());
            text.push_str(FIRST_STEPS);
        }
    }
    text
}

fn command(topic: Option<&str>) -> Option<CommandInfoWithArgs> {
    options::commands().into_iter().find(|command| Some(command.name) == topic)
}

/// Adds the program's usage, summary and commands.
fn commands(text: &mut String, program: &CommandInfoWithArgs) {
    text.push_str("Usage: connect-cache [options] COMMAND [options]\n\n");
    text.push_str(program.description);
    text.push_str("\n\nCommands:\n");
    for command in &program.commands {
        entry(text, command.name, command.command.description);
    }
}

/// Adds a command's usage, summary, and options with as much of each description as `describe` returns.
fn start(text: &mut String, command: &CommandInfoWithArgs, describe: fn(&str) -> &str) {
    // Brackets stay on one line with the text in them.
    wrap(text, "Usage:".to_owned(), &usage(command).replace(" [", "\n["), '\n', 7);
    text.push_str(&format!("\n{}\n", command.description));
    for positional in command.positionals {
        text.push_str("\nArguments:\n");
        entry(text, positional.name, positional.description);
    }
    text.push_str("\nOptions:\n");
    for flag in options::flags(command) {
        entry(text, &names(flag), describe(flag.description));
    }
}

fn first_clause(description: &str) -> &str {
    description.split(';').next().unwrap_or_default()
}

/// Adds the common options in their groups.
fn common_options(text: &mut String, program: &CommandInfoWithArgs) {
    for flag in options::flags(program) {
        if let Some((title, _)) = options::GROUPS.iter().find(|(_, first)| *first == flag.long) {
            text.push_str(&format!("\n{title}:\n"));
        }
        entry(text, &names(flag), flag.description);
    }
    entry(text, "-h, --help", "show help; COMMAND -h omits the common options");
}

/// Returns a command's usage on one line, without the common options.
pub fn usage(command: &CommandInfoWithArgs) -> String {
    let mut text = format!("connect-cache {}", command.name);
    for positional in command.positionals {
        text.push(' ');
        text.push_str(positional.name);
    }
    for flag in options::flags(command) {
        let name = flag.short.map_or(flag.long.to_owned(), |short| format!("-{short}"));
        text.push_str(&match options::value_name(flag) {
            Some(value) if flag.optionality == Optionality::Required => format!(" {name} {value}"),
            Some(value) => format!(" [{name} {value}]"),
            None => format!(" [{name}]"),
        });
    }
    text
}

fn names(flag: &Flag) -> String {
    let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = options::value_name(flag).map(|name| format!(" {name}")).unwrap_or_default();
    format!("{short}{}{value}", flag.long)
}

/// Adds an entry of a list. Its description gets a capital letter, which argh does not accept.
fn entry(text: &mut String, name: &str, description: &str) {
    // A variable stays on one line with its bracket.
    let mut description = description.replace("env: ", "env:\u{a0}");
    if let Some(first) = description.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let mut line = format!("  {name}");
    if line.len() >= INDENT {
        text.push_str(&line);
        text.push('\n');
        line.clear();
    }
    wrap(text, line, &description, ' ', INDENT);
}

/// Adds `line` and the words after it, in lines of at most [`WIDTH`] characters. Words start at the column `indent`.
fn wrap(text: &mut String, mut line: String, words: &str, separator: char, indent: usize) {
    for word in words.split(separator) {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.clear();
        }
        let gap = indent.saturating_sub(line.len()).max(1);
        line.extend(std::iter::repeat_n(' ', gap));
        line.push_str(&word.replace('\u{a0}', " "));
    }
    text.push_str(&line);
    text.push('\n');
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
