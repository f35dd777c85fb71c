//! Completions for the shells.
//!
//! The texts are `argh_complete`'s. What it gets wrong is put right by [`replace`], which refuses to go
//! on where the text to be replaced is no longer there.

use crate::options;
use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, SubCommandInfo};
use argh_complete::Generator;

const PROGRAM: &str = "connect-cache";

/// To be sourced, or put where bash-completion finds it by the program's name.
pub fn bash() -> String {
    let text = argh_complete::bash::Bash::generate(PROGRAM, &program());
    // Otherwise each completion would leave a variable `cmd` in the user's shell, and fail under `set -u`.
    replace(&text, "local i cur prev opts cmds", "local i cmd= cur prev opts cmds=")
}

/// To be put on zsh's `fpath` as `_connect-cache`.
pub fn zsh() -> String {
    let text = argh_complete::zsh::Zsh::generate(PROGRAM, &program());
    // The library's argument completes to nothing.
    each_file_option(&text, |line| replace(line, "': :'", "':file:_files'"))
}

/// To be put into one of fish's folders for completions.
pub fn fish() -> String {
    let text = argh_complete::fish::Fish::generate(PROGRAM, &program());
    // `-x` came with fish 4; `-o` is understood by every version.
    let text = replace(&text, "commandline -xpc", "commandline -opc");
    // The library offers files wherever a command is complete.
    let text = each_file_option(&text, |line| replace(line, " -f ", " -F "));
    format!("{text}complete -c {PROGRAM} -f\n")
}

/// The program with its commands, each with its own options and those of every command.
fn program() -> CommandInfoWithArgs {
    let version = FlagInfo {
        kind: FlagInfoKind::Switch,
        optionality: Optionality::Optional,
        long: "--version",
        short: None,
        description: "show the program's version",
        hidden: false,
    };
    let mut program = options::common();
    program.flags = with_common([version]);
    for mut command in options::commands() {
        command.flags = with_common(options::flags(&command).map(copy));
        // An ID cannot be completed, and is no file.
        command.positionals = &[];
        program.commands.push(SubCommandInfo { name: command.name, command });
    }
    program
}

/// These options and those of every command. They live as long as the program does.
fn with_common(own: impl IntoIterator<Item = FlagInfo<'static>>) -> &'static [FlagInfo<'static>] {
    let help = FlagInfo {
        kind: FlagInfoKind::Switch,
        optionality: Optionality::Optional,
        long: "--help",
        short: Some('h'),
        description: "show help",
        hidden: false,
    };
    let common = options::common();
    let all = own.into_iter().chain(options::flags(&common).map(copy)).chain([help]);
    all.collect::<Vec<_>>().leak()
}

fn copy(flag: &FlagInfo<'static>) -> FlagInfo<'static> {
    FlagInfo {
        kind: match flag.kind {
            FlagInfoKind::Switch => FlagInfoKind::Switch,
            FlagInfoKind::Option { arg_name } => FlagInfoKind::Option { arg_name },
        },
        // Only the shells' texts are made of this, and they make no difference.
        optionality: Optionality::Optional,
        long: flag.long,
        short: flag.short,
        description: flag.description,
        hidden: flag.hidden,
    }
}

/// The text with each line that defines an option whose value is a file changed by `change`.
fn each_file_option(text: &str, change: impl Fn(&str) -> String) -> String {
    let common = options::common();
    let files: Vec<&str> = options::flags(&common)
        .filter(|flag| matches!(flag.kind, FlagInfoKind::Option { arg_name: "FILE" }))
        .map(|flag| flag.long.trim_start_matches('-'))
        .collect();
    let is_changed = |line: &str| {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        words.any(|word| files.contains(&word.trim_start_matches('-')))
    };
    let mut changed = String::new();
    for line in text.lines() {
        changed += &if is_changed(line) && !line.contains("known_value_flags") {
            change(line)
        } else {
            line.to_owned()
        };
        changed.push('\n');
    }
    changed
}

/// Returns the text with `from` replaced. If there is no `from`, `argh_complete` has changed, and the correction has to be
/// reviewed.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "argh_complete no longer writes {from:?}: {text}");
    text.replace(from, to)
}
