//! Help, made from the definitions of the options.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use super::exit_status::ExitStatus;
use super::options;

/// The column in which descriptions begin, and the one before which they end.
const INDENT: usize = 27;
const WIDTH: usize = 80;

const VARIABLES: &str = "
An option overrides its variable. SECONDS may have a unit: 30s, 10m, 2h.
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are
honored.

Exit status:
";

/// Returns the full help on the command called `topic`, or on the whole program.
pub fn help(topic: Option<&str>) -> String {
    let common = options::common();
    let mut text = String::new();
    match options::commands().into_iter().find(|command| Some(command.name) == topic) {
        Some(command) => {
            start(&mut text, &command, false);
            common_options(&mut text, &common);
            text.push_str("\nExamples:\n");
            for line in command.examples.iter().flat_map(|example| example.lines()) {
                text.push_str(&format!("  {line}\n"));
            }
        }
        None => {
            text.push_str("Usage: connect-cache [options] COMMAND [options]\n\n");
            text.push_str(common.description);
            text.push_str("\n\nCommands:\n");
            for command in options::commands() {
                entry(&mut text, command.name, command.description);
            }
            common_options(&mut text, &common);
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

/// Returns help on a command that fits a screen of 24 lines: no common options, one example.
pub fn brief(command: &CommandInfoWithArgs) -> String {
    let mut text = String::new();
    start(&mut text, command, true);
    let example = command.examples.first().and_then(|example| example.lines().nth(1));
    text.push_str(&format!(
        "\nExample: {}\nCommon options: connect-cache --help\n",
        example.unwrap_or_default()
    ));
    text
}

/// Adds a command's usage, summary and options; if `brief`, the first clause of each description.
fn start(text: &mut String, command: &CommandInfoWithArgs, brief: bool) {
    // Brackets stay on one line with the text in them.
    wrap(text, "Usage:".to_owned(), &usage(command).replace(" [", "\n["), '\n', 7);
    text.push_str(&format!("\n{}\n", command.description));
    for positional in command.positionals {
        text.push_str("\nArguments:\n");
        entry(text, positional.name, positional.description);
    }
    text.push_str("\nOptions:\n");
    for flag in options::flags(command) {
        let end = flag.description.find(';').filter(|_| brief).unwrap_or(flag.description.len());
        entry(text, &names(flag), &flag.description[..end]);
    }
}

/// Adds the common options in their groups.
fn common_options(text: &mut String, common: &CommandInfoWithArgs) {
    for flag in options::flags(common) {
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
        let word = match flag.kind {
            FlagInfoKind::Switch => name,
            FlagInfoKind::Option { arg_name } => format!("{name} {arg_name}"),
        };
        let required =
            flag.optionality == Optionality::Required && matches!(flag.kind, FlagInfoKind::Option { .. });
        text.push_str(&if required { format!(" {word}") } else { format!(" [{word}]") });
    }
    text
}

fn names(flag: &FlagInfo) -> String {
    let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    match flag.kind {
        FlagInfoKind::Switch => format!("{short}{}", flag.long),
        FlagInfoKind::Option { arg_name } => format!("{short}{} {arg_name}", flag.long),
    }
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

    #[test]
    fn shows_own_and_common_options_of_every_command() {
        for command in options::commands() {
            let text = help(Some(command.name));
            for flag in options::flags(&command).chain(options::flags(&options::common())) {
                assert!(text.contains(flag.long), "{}: {}", command.name, flag.long);
            }
        }
    }

    #[test]
    fn fits_80_columns() {
        let topics = options::commands().map(|command| Some(command.name));
        for text in topics.into_iter().chain([None]).map(help).chain(options::commands().map(|c| brief(&c))) {
            assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        }
    }

    #[test]
    fn fits_brief_help_on_one_screen() {
        for command in options::commands() {
            assert!(brief(&command).lines().count() < 24, "{}", brief(&command));
        }
    }

    #[test]
    fn puts_every_common_option_into_one_group() {
        let common = options::common();
        let long: Vec<&str> = options::flags(&common).map(|flag| flag.long).collect();
        let first = options::GROUPS.map(|(_, first)| long.iter().position(|&long| long == first));
        assert_eq!(first[0], Some(0));
        assert!(first.is_sorted() && first.iter().all(Option::is_some), "{first:?}");
    }
}
