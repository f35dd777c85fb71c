//! Completions for the shells.
//!
//! The texts for zsh and fish are `argh_complete`'s, corrected by [`replace`], which panics if a text to be
//! replaced is no longer there. Its text for bash takes an option's value for a command, and cannot be corrected.

use crate::options;
use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, SubCommandInfo};
use argh_complete::Generator;

const PROGRAM: &str = "connect-cache";

/// How [`options`] names the kinds of values that can be completed without a request.
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

/// To be sourced, or put into a folder in which bash-completion looks for a program's name.
pub fn bash() -> String {
    let program = program();
    let commands: Vec<&str> = program.commands.iter().map(|command| command.name).collect();
    let mut by_command = format!("        '') options='{}' ;;\n", names(program.flags, |_| true));
    let mut flags: Vec<&FlagInfo> = program.flags.iter().collect();
    for SubCommandInfo { name, command } in &program.commands {
        by_command += &format!("        {name}) options='{}' ;;\n", names(command.flags, |_| true));
        flags.extend(command.flags);
    }
    let of_kind = |kind| names(flags.iter().copied(), |flag| value(flag) == Some(kind)).replace(' ', " | ");
    let template = include_str!("../connect-cache.bash.in");
    [
        ("COMMANDS", commands.join(" ").as_str()),
        ("LANGUAGES", LANGUAGES),
        ("LANGUAGE_OPTIONS", &of_kind(LANGUAGE)),
        ("SERVER_OPTIONS", &of_kind(SAVED_SERVER)),
        ("FILE_OPTIONS", &of_kind(FILE)),
        ("VALUE_OPTIONS", &names(flags.iter().copied(), |flag| value(flag).is_some()).replace(' ', " | ")),
        ("OPTIONS_BY_COMMAND", by_command.trim_end()),
        ("SAVED_SERVERS", SAVED_SERVERS.trim_matches('\n')),
    ]
    .iter()
    .fold(template.to_owned(), |text, (mark, with)| replace(&text, &format!("@{mark}@"), with))
}

/// To be put on zsh's `fpath` as `_connect-cache`.
pub fn zsh() -> String {
    let text = argh_complete::zsh::Zsh::generate(PROGRAM, &program());
    // The library's argument completes to nothing.
    let text = each_option(&text, FILE, "': :'", "':file:_files'");
    let text = each_option(&text, LANGUAGE, "': :'", &format!("':language:({LANGUAGES})'"));
    let text = each_option(&text, SAVED_SERVER, "': :'", "':server:_connect-cache_servers'");
    // Without the equals sign `--option=value` is not understood.
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
    // Options are offered only after a hyphen if there is an argument to complete, here to nothing.
    let text = replace(&text, "        && return 0\n", "        '*:argument:{:}' \\\n        && return 0\n");
    let servers = format!(
        "_connect-cache_servers() {{\n    local -a servers=(${{(f)\"$(_connect-cache_saved)\"}})\n    \
         compadd -a servers\n}}\n\n_connect-cache_saved() {{\n    local folder{SAVED_SERVERS}}}\n\n"
    );
    replace(&text, "if [[ $funcstack[1]", &format!("{servers}if [[ $funcstack[1]"))
}

/// To be put into one of fish's folders for completions.
pub fn fish() -> String {
    let text = argh_complete::fish::Fish::generate(PROGRAM, &program());
    // `-x` came with fish 4; `-o` is understood by every version.
    let text = replace(&text, "commandline -xpc", "commandline -opc");
    // The library offers files wherever a command is complete.
    let text = each_option(&text, FILE, " -f ", " -F ");
    let text = each_option(&text, LANGUAGE, " -r ", &format!(" -r -a '{LANGUAGES}' "));
    let text = each_option(&text, SAVED_SERVER, " -r ", " -r -a '(__fish_connect-cache_saved)' ");
    let saved = SAVED_SERVERS.replace('\\', "\\\\").replace('\'', "\\'");
    format!(
        "function __fish_connect-cache_saved\n    sh -c '{saved}'\nend\n\n{text}complete -c {PROGRAM} -f\n"
    )
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

/// The text in which `from` is replaced in the lines that define the options with this kind of value.
fn each_option(text: &str, kind: &str, from: &str, to: &str) -> String {
    let program = program();
    let all = program.commands.iter().flat_map(|command| command.command.flags).chain(program.flags);
    let longs: Vec<&str> =
        all.filter(|flag| value(flag) == Some(kind)).map(|flag| flag.long.trim_start_matches('-')).collect();
    let is_defined_by = |line: &str| {
        // By zsh's text without and with a short name, and by fish's.
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

/// The kind of the option's value, if it has one.
fn value<'a>(flag: &FlagInfo<'a>) -> Option<&'a str> {
    match flag.kind {
        FlagInfoKind::Option { arg_name } => Some(arg_name),
        FlagInfoKind::Switch => None,
    }
}

/// The long and short names of these options, once each, separated by spaces.
fn names<'a>(
    flags: impl IntoIterator<Item = &'a FlagInfo<'a>>,
    is_wanted: impl Fn(&FlagInfo) -> bool,
) -> String {
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

/// The text with `from` replaced. If there is no `from`, `argh_complete` has changed, and a person has to decide.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "cannot replace {from:?} in the completions: there is none: {text}");
    text.replace(from, to)
}
