//! The man page: prose from a template, options from their definitions.

use argh::CommandInfoWithArgs;

use crate::exit_status::MEANINGS;
use crate::help;
use crate::options::{self, Flag};

/// `@NAME@` alone on a line is replaced by a command's usage and options, `@OPTIONS@` by the common options, and
/// `@EXIT_STATUS@` by the list of exit statuses.
const TEMPLATE: &str = include_str!("../connect-cache.1.in");

/// Returns the page for a version of the program and a date, as in 2024-12-31.
pub fn page(version: &str, date: &str) -> String {
    let mut page = fill(TEMPLATE, "DATE", date);
    page = fill(&page, "VERSION", version);
    page = fill(&page, "OPTIONS", &flags(options::flags(&options::program())));
    page = fill(&page, "EXIT_STATUS", &exit_statuses());
    for command in options::commands() {
        page = fill(&page, command.name, &describe(&command));
    }
    assert!(!page.contains('@'), "something in the template is not filled in:\n{page}");
    wrap(&page)
}

/// Wraps lines of text at 80 columns, as mandoc's lint asks for. Requests stay on one line.
fn wrap(page: &str) -> String {
    let mut text = String::new();
    for line in page.lines() {
        let mut column = 0;
        for word in line.split(' ') {
            if column > 0 && column + 1 + word.len() > 80 && !line.starts_with('.') {
                text.push('\n');
                column = 0;
            } else if column > 0 {
                text.push(' ');
                column += 1;
            }
            text += word;
            column += word.len();
        }
        text.push('\n');
    }
    text
}

fn fill(page: &str, name: &str, text: &str) -> String {
    let mark = format!("@{name}@");
    assert!(page.contains(&mark), "the template has no {mark}");
    page.replace(&mark, text.trim_end())
}

fn describe(command: &CommandInfoWithArgs) -> String {
    let mut text = format!(".B {}\n.PP\n{}\n", escape(&help::usage(command)), prose(command.description));
    for positional in command.positionals {
        text += &format!(".TP\n.I {}\n{}\n", positional.name, sentence(positional.description));
    }
    text + &flags(options::flags(command))
}

fn flags(flags: impl Iterator<Item = &'static Flag>) -> String {
    let mut text = String::new();
    for flag in flags {
        if let Some((title, _)) = options::GROUPS.iter().find(|(_, first)| *first == flag.long) {
            text += &format!(".SS {title}\n");
        }
        let short = flag.short.map(|short| format!("\\fB\\-{short}\\fP, ")).unwrap_or_default();
        let value = options::value_name(flag).map(|name| format!(" \\fI{name}\\fP")).unwrap_or_default();
        text +=
            &format!(".TP\n{short}\\fB{}\\fP{value}\n{}\n", escape(flag.long), sentence(flag.description));
    }
    text
}

fn exit_statuses() -> String {
    let entry = |(code, meaning)| format!(".TP\n.B {code}\n{}\n", prose(meaning));
    MEANINGS.into_iter().enumerate().map(entry).collect()
}

/// Returns a description in sentence case. argh accepts only descriptions that start in lower case.
fn sentence(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    prose(&(first.to_uppercase() + rest))
}

/// Returns text for roff, with `words` between grave accents in bold.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("\\fB{}\\fP", escape(part)) } else { escape(part) })
        .collect()
}

/// Escapes text, so that hyphens can be copied from the page and no line is read as a request.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('@', "\\(at");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
