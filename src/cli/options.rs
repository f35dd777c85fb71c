//! The commands and their options. Help, the forms of arguments that are understood, completions and
//! the man page are all made from these definitions.

// The comments on the options are their help, in which a variable stands in brackets.
#![allow(rustdoc::broken_intra_doc_links)]

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FromArgs};

/// Delete Posit Connect runtime caches, follow the task to its end, and exit with the truth.
#[derive(FromArgs, ArgsInfo, Debug, Default)]
pub struct Common {
    /// the server's address; a path prefix, a trailing / and a trailing /__api__ are all accepted
    /// [CONNECT_SERVER]
    #[argh(option, short = 's', arg_name = "URL")]
    pub server: Option<String>,

    /// the API key; other users of this host can read it on a command line, so better use a key file
    /// or the variable [CONNECT_API_KEY]
    #[argh(option, short = 'k', arg_name = "KEY")]
    pub api_key: Option<Secret>,

    /// a file that holds the API key, - for standard input [CONNECT_API_KEY_FILE]
    #[argh(option, arg_name = "FILE")]
    pub api_key_file: Option<String>,

    /// a server saved by `rsconnect add`: its address, key, CA and insecure flag together
    #[argh(option, short = 'n', arg_name = "NAME")]
    pub name: Option<String>,

    /// trust only the CA certificates in this PEM file [CONNECT_CA_CERTIFICATE]
    #[argh(option, short = 'c', arg_name = "FILE")]
    pub cacert: Option<String>,

    /// do not verify the server's certificate [CONNECT_INSECURE]
    #[argh(switch, short = 'i')]
    pub insecure: bool,

    /// client certificate (PEM), for servers and gateways that require one [CONNECT_CLIENT_CERTIFICATE]
    #[argh(option, arg_name = "FILE")]
    pub client_cert: Option<String>,

    /// its private key (PEM); may be in the same file [CONNECT_CLIENT_KEY]
    #[argh(option, arg_name = "FILE")]
    pub client_key: Option<String>,

    /// header to send with every request, as NAME: VALUE; repeatable; @FILE holds one per line
    #[argh(option, short = 'H', arg_name = "HEADER")]
    pub header: Vec<Secret>,

    /// the least time from the start of one look at a task to the start of the next (default 1)
    #[argh(option, arg_name = "SECONDS")]
    pub interval: Option<String>,

    /// how long to follow tasks, from the start of the run; 0 looks once (default 86400)
    /// [CONNECT_TASK_TIMEOUT]
    #[argh(option, arg_name = "SECONDS")]
    pub timeout: Option<String>,

    /// how long one request may take beyond what it asks the server to hold; 0 for any time
    /// (default 30) [CONNECT_REQUEST_TIMEOUT]
    #[argh(option, arg_name = "SECONDS")]
    pub request_timeout: Option<String>,

    /// consecutive failures of a request that are tried again; 0 for none (default 6, and 2 until
    /// the server has answered once)
    #[argh(option, arg_name = "N")]
    pub retries: Option<String>,

    /// nothing on standard error but errors
    #[argh(switch, short = 'q')]
    pub quiet: bool,

    /// each request and reply on standard error, never the key; twice for more
    #[argh(switch, short = 'v')]
    pub verbose: u8,
}

/// List the runtime caches, sorted by language, version and image.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "list",
    example = "connect-cache list\nconnect-cache list -l python -V '3.8.*' --json"
)]
pub struct List {
    /// only this language: R or Python, in any case
    #[argh(option, short = 'l', arg_name = "LANG")]
    pub language: Option<String>,

    /// only these versions; * stands for any text, ? for any character
    #[argh(option, short = 'V', arg_name = "GLOB")]
    pub version: Option<String>,

    /// only these images, * and ? as above
    #[argh(option, short = 'I', arg_name = "GLOB")]
    pub image_name: Option<String>,

    /// only caches of a version that the server no longer offers; image names are not compared, -I with a
    /// glob selects the caches of an image
    #[argh(switch)]
    pub orphaned: bool,

    /// only caches of a version that no content item uses, in any image
    #[argh(switch)]
    pub unused: bool,

    /// show how many content items use the version of each cache
    #[argh(switch)]
    pub usage: bool,

    /// print one JSON object
    #[argh(switch)]
    pub json: bool,
}

/// Delete one runtime cache and follow the task to its end.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "delete",
    example = "connect-cache delete -l Python -V 3.7.6\nconnect-cache delete -l R -V 4.3.0 -I ghcr.io/example/r:jammy --dry-run"
)]
pub struct Delete {
    /// the cache's language: R or Python
    #[argh(option, short = 'l', arg_name = "LANG")]
    pub language: String,

    /// the cache's version, in three parts
    #[argh(option, short = 'V', arg_name = "VERSION")]
    pub version: String,

    /// the cache's image (default Local)
    #[argh(option, short = 'I', arg_name = "IMAGE")]
    pub image_name: Option<String>,

    /// have the server check, and delete nothing
    #[argh(switch, short = 'd')]
    pub dry_run: bool,

    /// print the task's id once the deletion has started, and leave it to itself
    #[argh(switch)]
    pub no_wait: bool,

    /// a cache that does not exist is a success
    #[argh(switch)]
    pub ignore_not_found: bool,

    /// print one JSON object
    #[argh(switch)]
    pub json: bool,
}

/// Delete every runtime cache that the words select, as `list` with the same words shows them.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "purge",
    example = "connect-cache purge -l R -V '4.1.*'\nconnect-cache purge --orphaned --yes\nconnect-cache purge --all --dry-run\nconnect-cache list | fzf -m | connect-cache purge --from - --yes"
)]
pub struct Purge {
    /// only this language: R or Python, in any case
    #[argh(option, short = 'l', arg_name = "LANG")]
    pub language: Option<String>,

    /// only these versions; * stands for any text, ? for any character
    #[argh(option, short = 'V', arg_name = "GLOB")]
    pub version: Option<String>,

    /// only these images, * and ? as above
    #[argh(option, short = 'I', arg_name = "GLOB")]
    pub image_name: Option<String>,

    /// only caches of a version that the server no longer offers; image names are not compared, -I with a
    /// glob selects the caches of an image
    #[argh(switch)]
    pub orphaned: bool,

    /// only caches of a version that no content item uses, in any image
    #[argh(switch)]
    pub unused: bool,

    /// tell how many content items use the versions of the selected caches
    #[argh(switch)]
    pub usage: bool,

    /// every cache there is
    #[argh(switch)]
    pub all: bool,

    /// only the caches that FILE names, - for standard input: lines as `list` prints them, `list --json`, or one
    /// JSON object per line
    #[argh(option, arg_name = "FILE")]
    pub from: Option<String>,

    /// exit 0 if a cache that --from names does not exist
    #[argh(switch)]
    pub ignore_not_found: bool,

    /// have the server check each, and delete nothing
    #[argh(switch, short = 'd')]
    pub dry_run: bool,

    /// do not ask
    #[argh(switch, short = 'y')]
    pub yes: bool,

    /// how many deletions may run at once (default 4)
    #[argh(option, arg_name = "N")]
    pub max_running: Option<String>,

    /// print one JSON object a line, as each cache ends
    #[argh(switch)]
    pub json: bool,
}

/// Show a task's output so far and its state.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand, name = "task", example = "connect-cache task lFvijYN16kjCoal6 --wait")]
pub struct Task {
    /// the task's id
    #[argh(positional, arg_name = "ID")]
    pub id: String,

    /// follow the task to its end
    #[argh(switch)]
    pub wait: bool,

    /// print one JSON object, with all output
    #[argh(switch)]
    pub json: bool,
}

/// Check the server, the key, its role and cache management; delete nothing.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "check",
    example = "connect-cache check -s https://connect.example.com --api-key-file key"
)]
pub struct Check {
    /// print one JSON object
    #[argh(switch)]
    pub json: bool,
}

/// A secret from the command line. It has no `Display`, and its `Debug` does not show it.
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A command and its options.
#[derive(Debug)]
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

/// The options of every command.
#[inline(never)]
pub fn common() -> CommandInfoWithArgs {
    Common::get_args_info()
}

/// The commands, in the order in which they are shown. Inlined into each caller, the tables would take 3 KB more.
#[inline(never)]
pub fn commands() -> [CommandInfoWithArgs; 5] {
    [
        List::get_args_info(),
        Delete::get_args_info(),
        Purge::get_args_info(),
        Task::get_args_info(),
        Check::get_args_info(),
    ]
}

/// A command's options, without the `--help` that argh adds and that [`forms`](super::forms) finds first.
pub fn flags(command: &CommandInfoWithArgs) -> impl Iterator<Item = &'static FlagInfo<'static>> + use<> {
    command.flags.iter().filter(|flag| flag.long != "--help")
}
