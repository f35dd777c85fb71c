//! Completions for the shells.
//!
//! The texts for zsh and fish are `argh_complete`'s, corrected by [`replace`], which panics if a text to be
//! replaced is no longer there. Its text for bash takes an option's value for a command, and cannot be corrected.

use crate::options::{self, Flag, value_name};
use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, SubCommandInfo};
use argh_complete::Generator;

const PROGRAM: &str = "connect-cache";

/// The names in [`options`] of the kinds of values that can be completed without a request.
const LANGUAGE: &str = "LANG";
const SAVED_SERVER: &str = "NAME";
const FILE: &str = "FILE";

const LANGUAGES: &str = "R Python";

/// Prints the names of the saved servers, one per line, in any shell of the POSIX family.
///
/// rsconnect writes `servers.json` by `json.dumps(data, indent=4)` (rsconnect-python 1.32.0,
/// `rsconnect/metadata.py`), so a line with an indent of 4 that opens an object holds a name, and never a key.
/// Names with escapes are left out. The paths are those of `src/cli/saved_servers.rs`.
const SAVED_SERVERS: &str = r#"
    folder=${XDG_CONFIG_HOME:-}
    folder=${folder:+$folder/rsconnect-python}
    folder=${folder:-${HOME:-}/.rsconnect-python}
    [ "$(uname)" != Darwin ] || folder="$HOME/Library/Application Support/rsconnect-python"
    sed -n 's/^    "\([^"\]*\)": {$/\1/p' "$folder/servers.json" 2>/dev/null
"#;

/// Returns the completions for bash, to be sourced, or installed in a directory of bash-completion.
pub fn bash() -> String {
    let program = program();
    let commands: Vec<&str> = program.commands.iter().map(|command| command.name).collect();
    let mut by_command = format!("        '') options='{}' ;;\n", names(program.flags, |_| true));
    let mut flags: Vec<&Flag> = program.flags.iter().collect();
    for SubCommandInfo { name, command } in &program.commands {
        by_command += &format!("        {name}) options='{}' ;;\n", names(command.flags, |_| true));
        flags.extend(command.flags);
    }
    let of_kind =
        |kind| names(flags.iter().copied(), |flag| value_name(flag) == Some(kind)).replace(' ', " | ");
    let template = include_str!("../connect-cache.bash.in");
    [
        ("COMMANDS", commands.join(" ").as_str()),
        ("LANGUAGES", LANGUAGES),
        ("LANGUAGE_OPTIONS", &of_kind(LANGUAGE)),
        ("SERVER_OPTIONS", &of_kind(SAVED_SERVER)),
        ("FILE_OPTIONS", &of_kind(FILE)),
        (
            "VALUE_OPTIONS",
            &names(flags.iter().copied(), |flag| value_name(flag).is_some()).replace(' ', " | "),
        ),
        ("OPTIONS_BY_COMMAND", by_command.trim_end()),
        ("SAVED_SERVERS", SAVED_SERVERS.trim_matches('\n')),
    ]
    .iter()
    .fold(template.to_owned(), |text, (mark, with)| replace(&text, &format!("@{mark}@"), with))
}

/// Returns the completions for zsh, to be installed on its `fpath` as `_connect-cache`.
pub fn zsh() -> String {
    let text = argh_complete::zsh::Zsh::generate(PROGRAM, &program());
    // The library's argument completes to nothing.
    let text = each_option(&text, FILE, "': :'", "':file:_files'");
    let text = each_option(&text, LANGUAGE, "': :'", &format!("':language:({LANGUAGES})'"));
    let text = each_option(&text, SAVED_SERVER, "': :'", "':server:_connect-cache_servers'");
    // Without the equals sign, zsh would not complete `--option=value`.
    let text: String = text
        .lines()
        .map(|line| match line.split_once('[') {
            Some((option, rest)) if rest.contains("]'':") => match option.strip_suffix("}'") {
                Some(names) => format!("{names}=}}'[{rest}\n"),
                None => format!("{option}=[{rest}\n"),
            },
            _ => format!("{line}\n"),
        })
        .collect();
    // With an argument to complete, here to nothing, zsh offers options only after a hyphen.
    let text = replace(&text, "        && return 0\n", "        '*:argument:{:}' \\\n        && return 0\n");
    let servers = format!(
        "_connect-cache_servers() {{\n    local -a servers=(${{(f)\"$(_connect-cache_saved)\"}})\n    \
         compadd -a servers\n}}\n\n_connect-cache_saved() {{\n    local folder{SAVED_SERVERS}}}\n\n"
    );
    replace(&text, "if [[ $funcstack[1]", &format!("{servers}if [[ $funcstack[1]"))
}

/// Returns the completions for fish, to be installed in one of its directories for completions.
pub fn fish() -> String {
    let text = argh_complete::fish::Fish::generate(PROGRAM, &program());
    // Only fish 4 accepts `-x`, and every version accepts `-o`.
    let text = replace(&text, "commandline -xpc", "commandline -opc");
    // The library offers files after every complete command.
    let text = each_option(&text, FILE, " -f ", " -F ");
    let text = each_option(&text, LANGUAGE, " -r ", &format!(" -r -a '{LANGUAGES}' "));
    let text = each_option(&text, SAVED_SERVER, " -r ", " -r -a '(__fish_connect-cache_saved)' ");
    let saved = SAVED_SERVERS.replace('\\', "\\\\").replace('\'', "\\'");
    format!(
        "function __fish_connect-cache_saved\n    sh -c '{saved}'\nend\n\n{text}complete -c {PROGRAM} -f\n"
    )
}

/// Returns the program with its commands, each with its own options and the common ones.
fn program() -> CommandInfoWithArgs {
    let version = FlagInfo {
        kind: FlagInfoKind::Switch,
        optionality: Optionality::Optional,
        long: "--version",
        short: None,
        description: "show the program's version",
        hidden: false,
    };
    let mut program = options::program();
    program.name = PROGRAM;
    program.flags = with_common([version]);
    for SubCommandInfo { command, .. } in &mut program.commands {
        command.flags = with_common(options::flags(command).map(copy));
        // The only argument is a task ID, which cannot be completed.
        command.positionals = &[];
    }
    program
}

/// Returns these options and the common ones, which live as long as the program.
fn with_common(own: impl IntoIterator<Item = FlagInfo<'static>>) -> &'static [FlagInfo<'static>] {
    let help = FlagInfo {
        kind: FlagInfoKind::Switch,
        optionality: Optionality::Optional,
        long: "--help",
        short: Some('h'),
        description: "show help",
        hidden: false,
    };
    let all = own.into_iter().chain(options::flags(&options::program()).map(copy)).chain([help]);
    all.collect::<Vec<_>>().leak()
}

fn copy(flag: &FlagInfo<'static>) -> FlagInfo<'static> {
    FlagInfo {
        kind: match flag.kind {
            FlagInfoKind::Switch => FlagInfoKind::Switch,
            FlagInfoKind::Option { arg_name } => FlagInfoKind::Option { arg_name },
        },
        // This makes no difference to the completions.
        optionality: Optionality::Optional,
        long: flag.long,
        short: flag.short,
        description: flag.description,
        hidden: flag.hidden,
    }
}

/// Replaces `from` in each line that defines an option with this kind of value.
fn each_option(text: &str, kind: &str, from: &str, to: &str) -> String {
    let program = program();
    let all = program.commands.iter().flat_map(|command| command.command.flags).chain(program.flags);
    let longs: Vec<&str> = all
        .filter(|flag| value_name(flag) == Some(kind))
        .map(|flag| flag.long.trim_start_matches('-'))
        .collect();
    let is_defined_by = |line: &str| {
        // The first two forms are zsh's, without and with a short name, and the last is fish's.
        let defines = |long: &str| {
            [format!("'--{long}["), format!(",--{long}}}"), format!(" -l {long} ")]
                .iter()
                .any(|definition| line.contains(definition))
        };
        longs.iter().any(|long| defines(long))
    };
    let change = |line| if is_defined_by(line) { replace(line, from, to) } else { line.to_owned() };
    text.lines().map(|line| change(line) + "\n").collect()
}

/// Returns the long and short names of these options, once each, separated by spaces.
fn names<'a>(flags: impl IntoIterator<Item = &'a Flag>, is_wanted: impl Fn(&Flag) -> bool) -> String {
    let mut names = Vec::new();
    for flag in flags.into_iter().filter(|flag| is_wanted(flag)) {
        for name in
            [Some(flag.long.to_owned()), flag.short.map(|short| format!("-{short}"))].into_iter().flatten()
        {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.join(" ")
}

/// Replaces `from`. Panics if there is none, since `argh_complete` must then have changed.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "cannot replace {from:?} in the completions: there is none: {text}");
    text.replace(from, to)
}
