//! The commands and their options. Help, the parsing of arguments, completions and the man page all use these
//! definitions.

// The comments on the options are their help: the first clause, up to a semicolon, is all that `COMMAND -h` shows. A
// variable comes last, in brackets.
#![allow(rustdoc::broken_intra_doc_links)]

use std::time::Duration;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, FromArgs};

use super::values::{Secret, count, language, part, seconds, secret};

/// Delete Posit Connect runtime caches and report what really happened
#[derive(FromArgs, ArgsInfo, Debug)]
pub struct Options {
    /// server URL; a path prefix, a trailing / and a trailing /__api__ are accepted [env: CONNECT_SERVER]
    #[argh(option, short = 's', arg_name = "URL")]
    pub server: Option<String>,

    /// API key; other users of this host can read it, so prefer --api-key-file [env: CONNECT_API_KEY]
    #[argh(option, short = 'k', arg_name = "KEY", from_str_fn(secret))]
    pub api_key: Option<Secret>,

    /// file with the API key, - for standard input [env: CONNECT_API_KEY_FILE]
    #[argh(option, arg_name = "FILE")]
    pub api_key_file: Option<String>,

    /// server saved by `rsconnect add`, with its key, CA and insecure flag
    #[argh(option, short = 'n', arg_name = "NAME")]
    pub name: Option<String>,

    /// trust only the CA certificates in this PEM file [env: CONNECT_CA_CERTIFICATE]
    #[argh(option, short = 'c', arg_name = "FILE")]
    pub cacert: Option<String>,

    /// do not verify the server's certificate [env: CONNECT_INSECURE]
    #[argh(switch, short = 'i')]
    pub insecure: bool,

    /// send this header, as NAME: VALUE, with every request; repeatable; @FILE contains one per line
    #[argh(option, short = 'H', arg_name = "HEADER", from_str_fn(secret))]
    pub header: Vec<Secret>,

    /// minimum time between polls of a task (default 1)
    #[argh(option, arg_name = "SECONDS", from_str_fn(seconds))]
    pub interval: Option<Duration>,

    /// stop following tasks after SECONDS; 0 polls once (default 86400) [env: CONNECT_TASK_TIMEOUT]
    #[argh(option, arg_name = "SECONDS", from_str_fn(seconds))]
    pub timeout: Option<Duration>,

    /// time limit for a request, excluding the time that the server is asked to hold it; 0 for none (default 30)
    /// [env: CONNECT_REQUEST_TIMEOUT]
    #[argh(option, arg_name = "SECONDS", from_str_fn(seconds))]
    pub request_timeout: Option<Duration>,

    /// retry a failed request up to N times in a row (default 6; 2 until the server first answers)
    #[argh(option, arg_name = "N", from_str_fn(count::<0, 100>))]
    pub retries: Option<u32>,

    /// write only errors, and the summary of a failed purge, to standard error
    #[argh(switch, short = 'q')]
    pub quiet: bool,

    /// log each request and reply to standard error, without the key; twice for more
    #[argh(switch, short = 'v')]
    pub verbose: u8,

    #[argh(subcommand)]
    pub command: Command,
}

/// A command and its options.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
pub enum Command {
    /// `list`
    List(List),
    /// `delete`
    Delete(Delete),
    /// `purge`
    Purge(Purge),
    /// `task`
    Task(Task),
    /// `check`
    Check(Check),
}

/// List runtime caches
#[derive(FromArgs, ArgsInfo, Clone, Debug)]
#[argh(
    subcommand,
    name = "list",
    example = "# List all caches of Python 3.8 as JSON\nconnect-cache list -l python -V '3.8.*' --json\n\
        # Count the content items that use each cache\nconnect-cache list --usage"
)]
pub struct List {
    /// select one language, R or Python, in any case
    #[argh(option, short = 'l', arg_name = "LANG", from_str_fn(language))]
    pub language: Option<String>,

    /// select versions by a glob; * matches any text, ? any character
    #[argh(option, short = 'V', arg_name = "GLOB", from_str_fn(part))]
    pub version: Option<String>,

    /// select images by a glob
    #[argh(option, short = 'I', arg_name = "GLOB", from_str_fn(part))]
    pub image_name: Option<String>,

    /// select versions that the server no longer offers; for a retired image, use -I with a glob
    #[argh(switch)]
    pub orphaned: bool,

    /// select versions that no content uses, in any image
    #[argh(switch)]
    pub unused: bool,

    /// show how many content items use each version
    #[argh(switch)]
    pub usage: bool,

    /// print one JSON object
    #[argh(switch)]
    pub json: bool,
}

/// Delete one runtime cache and follow the task
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "delete",
    example = "# Delete the cache of Python 3.7.6\nconnect-cache delete -l Python -V 3.7.6\n\
        # Check the cache of an image without deleting it\n\
        connect-cache delete -l R -V 4.3.0 -I ghcr.io/example/r:jammy --dry-run"
)]
pub struct Delete {
    /// language of the cache, R or Python
    #[argh(option, short = 'l', arg_name = "LANG", from_str_fn(language))]
    pub language: String,

    /// version of the cache, in three parts
    #[argh(option, short = 'V', arg_name = "VERSION", from_str_fn(part))]
    pub version: String,

    /// image of the cache (default Local)
    #[argh(option, short = 'I', arg_name = "IMAGE", from_str_fn(part), default = "\"Local\".to_owned()")]
    pub image_name: String,

    /// check with the server without deleting anything
    #[argh(switch, short = 'd')]
    pub dry_run: bool,

    /// print the task ID and exit without waiting
    #[argh(switch)]
    pub no_wait: bool,

    /// exit 0 if the cache does not exist
    #[argh(switch)]
    pub ignore_not_found: bool,

    /// print one JSON object
    #[argh(switch)]
    pub json: bool,
}

/// Delete all runtime caches that match the filters
#[derive(FromArgs, ArgsInfo, Clone, Debug)]
#[argh(
    subcommand,
    name = "purge",
    example = "# Delete all caches of R 4.1 after a prompt\nconnect-cache purge -l R -V '4.1.*'\n\
        # Delete the caches of versions that the server no longer offers\nconnect-cache purge --orphaned --yes\n\
        # Choose the caches to delete\nconnect-cache list >all && fzf -m <all >old && connect-cache purge --from old"
)]
pub struct Purge {
    /// select one language, R or Python, in any case
    #[argh(option, short = 'l', arg_name = "LANG", from_str_fn(language))]
    pub language: Option<String>,

    /// select versions by a glob; * matches any text, ? any character
    #[argh(option, short = 'V', arg_name = "GLOB", from_str_fn(part))]
    pub version: Option<String>,

    /// select images by a glob
    #[argh(option, short = 'I', arg_name = "GLOB", from_str_fn(part))]
    pub image_name: Option<String>,

    /// select versions that the server no longer offers; for a retired image, use -I with a glob
    #[argh(switch)]
    pub orphaned: bool,

    /// select versions that no content uses, in any image
    #[argh(switch)]
    pub unused: bool,

    /// report how many content items use these versions
    #[argh(switch)]
    pub usage: bool,

    /// select all caches
    #[argh(switch)]
    pub all: bool,

    /// select the caches in FILE, - for standard input; lines as printed by `list`, `list --json`, or one JSON object per
    /// line; blank lines and # comments are skipped
    #[argh(option, arg_name = "FILE")]
    pub from: Option<String>,

    /// exit 0 if a cache in FILE does not exist
    #[argh(switch)]
    pub ignore_not_found: bool,

    /// check with the server without deleting anything
    #[argh(switch, short = 'd')]
    pub dry_run: bool,

    /// delete without prompting
    #[argh(switch, short = 'y')]
    pub yes: bool,

    /// run up to N deletions at a time (default 4)
    #[argh(option, arg_name = "N", from_str_fn(count::<1, 100>), default = "4")]
    pub max_running: u32,

    /// print one JSON object per cache as it finishes
    #[argh(switch)]
    pub json: bool,
}

/// Show the state and the output of a task
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "task",
    example = "# Follow a task until it finishes\nconnect-cache task lFvijYN16kjCoal6 --wait"
)]
pub struct Task {
    /// task ID
    #[argh(positional, arg_name = "ID")]
    pub id: String,

    /// follow the task until it finishes
    #[argh(switch)]
    pub wait: bool,

    /// print one JSON object with all output
    #[argh(switch)]
    pub json: bool,
}

/// Check the server, the API key and its permissions
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "check",
    example = "# Check a server with the key in a file\n\
        connect-cache check -s https://connect.example.com --api-key-file key"
)]
pub struct Check {
    /// print one JSON object
    #[argh(switch)]
    pub json: bool,
}

/// The groups of the common options in help and the man page, each with its first option. A group ends with the next.
pub const GROUPS: [(&str, &str); 3] =
    [("Connection options", "--server"), ("Timing options", "--interval"), ("Output options", "--quiet")];

/// The definition of an option.
pub type Flag = FlagInfo<'static>;

/// Returns the program: its summary, the options that every command accepts, and the commands.
pub fn program() -> CommandInfoWithArgs {
    Options::get_args_info()
}

/// Returns the commands, in the order of the help.
pub fn commands() -> Vec<CommandInfoWithArgs> {
    program().commands.into_iter().map(|command| command.command).collect()
}

/// Returns the options of a command or, of the program, those that every command accepts, without the `--help` that argh
/// adds, since it is found before argh parses.
pub fn flags(command: &CommandInfoWithArgs) -> impl Iterator<Item = &'static Flag> + use<> {
    command.flags.iter().filter(|flag| flag.long != "--help")
}

/// Returns the name of the option's value, if it has one.
pub fn value_name(flag: &Flag) -> Option<&'static str> {
    match flag.kind {
        FlagInfoKind::Option { arg_name } => Some(arg_name),
        FlagInfoKind::Switch => None,
    }
}
