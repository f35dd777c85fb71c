//! Help, made from the definitions of the options.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};
use connect_cache::ExitStatus;

use super::options;

/// The column in which descriptions begin, and the one before which they end.
const INDENT: usize = 33;
const WIDTH: usize = 100;

const VARIABLES: &str = "
A flag beats its variable in brackets. HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and
SSL_CERT_DIR are heeded. SECONDS may carry a unit: 30s, 10m, 2h.

Exit status:
";
const TOP_END: &str = "
connect-cache COMMAND --help tells more of a command.
";

/// Help on the command called `topic`, or on the whole program.
pub fn help(topic: Option<&str>) -> String {
    let common = options::common();
    let command = options::commands().into_iter().find(|command| Some(command.name) == topic);
    let mut text = String::new();
    match command {
        Some(command) => {
            text.push_str("Usage: ");
            text.push_str(&usage(&command));
            text.push_str("\n\n");
            text.push_str(command.description);
            text.push('\n');
            section(
                &mut text,
                "Arguments",
                command.positionals.iter().map(|p| (p.name.to_owned(), p.description)),
            );
            section(
                &mut text,
                "Options",
                options::flags(&command).map(|flag| (names(flag), flag.description)),
            );
            section(&mut text, "Options of every command", common_options(&common));
            text.push_str("\nExamples:\n");
            for example in command.examples.iter().flat_map(|example| example.lines()) {
                text.push_str("  ");
                text.push_str(example);
                text.push('\n');
            }
        }
        None => {
            text.push_str("Usage: connect-cache [options] COMMAND [options]\n\n");
            text.push_str(common.description);
            text.push('\n');
            section(
                &mut text,
                "Commands",
                options::commands().iter().map(|c| (c.name.to_owned(), c.description)),
            );
            section(&mut text, "Options of every command", common_options(&common));
            text.push_str(VARIABLES);
            for status in ExitStatus::ALL {
                text.push_str(&format!("  {}  {}\n", status.code(), status.meaning()));
            }
            text.push_str(TOP_END);
        }
    }
    text
}

/// The line that shows a command's words, without the options of every command.
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

fn common_options<'a>(common: &CommandInfoWithArgs) -> impl Iterator<Item = (String, &'a str)> {
    let help = ("-h, --help".to_owned(), "show help");
    options::flags(common).map(|flag| (names(flag), flag.description)).chain([help])
}

fn names(flag: &FlagInfo) -> String {
    let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
    match flag.kind {
        FlagInfoKind::Switch => format!("{short}{}", flag.long),
        FlagInfoKind::Option { arg_name } => format!("{short}{} {arg_name}", flag.long),
    }
}

fn section<'a>(text: &mut String, title: &str, entries: impl Iterator<Item = (String, &'a str)>) {
    let mut title = Some(format!("\n{title}:\n"));
    for (name, description) in entries {
        text.extend(title.take());
        let mut line = format!("  {name}");
        for word in description.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                text.push_str(&line);
                text.push('\n');
                line.clear();
            }
            let gap = if line.len() < INDENT { INDENT - line.len() } else { 1 };
            line.extend(std::iter::repeat_n(' ', gap));
            line.push_str(word);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_commands_help_shows_its_own_and_all_common_options() {
        for command in options::commands() {
            let text = help(Some(command.name));
            for flag in options::flags(&command).chain(options::flags(&options::common())) {
                assert!(text.contains(flag.long), "{}: {}", command.name, flag.long);
            }
            assert!(text.lines().skip(1).all(|line| line.len() <= WIDTH), "{text}");
        }
        let text = help(Some("delete"));
        assert!(
            text.starts_with("Usage: connect-cache delete -l LANG -V VERSION [-I IMAGE] [-d] "),
            "{text}"
        );
        assert!(text.contains("other users of this host can read it"), "{text}");
    }
}
