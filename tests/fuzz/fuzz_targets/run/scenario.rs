//! A run of the program: its arguments, the server, and the faults.

use arbitrary::Arbitrary;
use connect_cache_fuzz::{Change, Framing, one_of};

/// The secrets, which no output may contain.
pub const KEY: &str = "kB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3";
pub const HEADER: &str = "g4teW4y-53cr3t";

/// A cache: language, version and image.
pub type Cache = [&'static str; 3];

/// The caches that a server may have, and that a run may name.
pub const CACHES: [Cache; 4] = [
    ["R", "4.3.0", "Local"],
    ["Python", "3.7.6", "Local"],
    ["Python", "3.10.1", "ghcr-io-example-py-jammy"],
    ["Python", "3.7.6", "Other"],
];

#[derive(Arbitrary, Debug)]
pub struct Scenario {
    pub command: Command,
    options: Options,
    pub world: World,
    /// Mostly one, and never more than three.
    pub faults: (Fault, Option<Fault>, Option<Fault>),
}

#[derive(Arbitrary, Debug)]
pub enum Command {
    List { orphaned: bool, unused: bool, usage: bool, json: bool },
    Delete { cache: u8, dry_run: bool, no_wait: bool, ignore_not_found: bool, json: bool },
    Purge { filter: u8, dry_run: bool, usage: bool, max_running: u8, json: bool },
    Task { wait: bool, json: bool },
    Check { json: bool },
}

#[derive(Arbitrary, Debug)]
struct Options {
    verbose: u8,
    quiet: bool,
    retries: Option<u8>,
    timeout: Option<u8>,
    interval: Option<u8>,
}

/// A server without faults of its own.
#[derive(Arbitrary, Debug)]
pub struct World {
    /// The caches that exist, one bit for each.
    pub caches: u8,
    /// The caches that the list leaves out.
    pub unlisted: u8,
    pub missing: Missing,
    /// The number of polls for which a task is running, and of its lines.
    pub polls: u8,
    pub lines: u8,
    pub code: u8,
    pub error: bool,
    pub effect: Effect,
    pub cookie: bool,
    pub framing: Framing,
}

/// The reply to the deletion of a cache that does not exist.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Missing {
    NotFound,
    TaskFails,
    TaskSucceeds,
}

/// When a task removes its cache.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    OnSuccess,
    AtStart,
    Never,
}

/// The fault of a request and of those after it.
#[derive(Arbitrary, Debug)]
pub struct Fault {
    pub at: u8,
    pub times: u8,
    /// Whether a DELETE deletes nevertheless.
    pub effect: bool,
    pub kind: Kind,
}

#[derive(Arbitrary, Debug)]
pub enum Kind {
    /// The connection ends without a reply.
    Close,
    /// The reply ends early.
    Cut(u16),
    /// A reply of something in front of Connect.
    Page(u8),
    /// Connect's error object.
    Error(u8),
    /// A redirect.
    Redirect(u8),
    /// Another header.
    Header(u8),
    /// Another way to show the end of the body.
    Framed(Framing),
    /// The body says something else.
    Body(Change),
    /// The reply is changed, its head included.
    Reply(Change),
    /// The body repeats the secrets.
    Echo(u8),
    /// Other bytes.
    Garbage(Vec<u8>),
}

impl Fault {
    /// Reports whether it applies to the request of this number.
    pub fn is_due(&self, number: usize) -> bool {
        let first = usize::from(self.at % 16);
        (first..=first + usize::from(self.times)).contains(&number)
    }
}

impl Kind {
    /// Reports whether the reply may say what is not true.
    pub fn may_lie(&self) -> bool {
        !matches!(self, Self::Close | Self::Cut(_) | Self::Page(_) | Self::Header(_) | Self::Framed(_))
    }

    /// Reports whether the server closes the connection, although the reply may announce nothing of that.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Close | Self::Cut(_) | Self::Reply(_) | Self::Garbage(_))
    }

    /// Reports whether the request is answered as if nothing were wrong, apart from the form of the reply.
    pub fn keeps_effect(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Framed(_) | Self::Body(_) | Self::Reply(_) | Self::Echo(_))
    }
}

impl Scenario {
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let (first, second, third) = &self.faults;
        [Some(first), second.as_ref(), third.as_ref()].into_iter().flatten()
    }

    /// Returns the arguments. `short` keeps a binary, for which the clock does not move by itself, from waiting long.
    pub fn args(&self, url: &str, short: bool) -> Vec<String> {
        let mut args: Vec<String> = ["-s", url, "-k", KEY, "-H"].map(str::to_owned).into();
        args.push(format!("X-Gate: {HEADER}"));
        let Options { verbose, quiet, retries, timeout, interval } = &self.options;
        args.extend((0..verbose % 3).map(|_| "-v".to_owned()));
        args.extend(quiet.then(|| "-q".to_owned()));
        let timeout = match short {
            true => Some("0.3"),
            false => timeout.map(|timeout| one_of(&["0", "0.3", "4", "60", "86400"], timeout)),
        };
        let retries = retries.map(|retries| one_of(&["0", "1", "2", "6", "9"], retries));
        let interval = interval.map(|interval| one_of(&["0", "0.1", "3", "30"], interval));
        for (name, value) in [("--timeout", timeout), ("--retries", retries), ("--interval", interval)] {
            args.extend(value.map(|value| format!("{name}={value}")));
        }
        args.extend(self.command.words());
        args
    }
}

impl Command {
    fn words(&self) -> Vec<String> {
        let mut words: Vec<&str> = Vec::new();
        let running;
        let mut add = |is_set: &bool, word: &'static str| {
            if *is_set {
                words.push(word);
            }
        };
        match self {
            Self::List { orphaned, unused, usage, json } => {
                add(&true, "list");
                add(orphaned, "--orphaned");
                add(unused, "--unused");
                add(usage, "--usage");
                add(json, "--json");
            }
            Self::Delete { cache, dry_run, no_wait, ignore_not_found, json } => {
                let [language, version, image] = one_of(&CACHES, *cache);
                for word in ["delete", "-l", language, "-V", version, "-I", image] {
                    add(&true, word);
                }
                add(dry_run, "-d");
                add(no_wait, "--no-wait");
                add(ignore_not_found, "--ignore-not-found");
                add(json, "--json");
            }
            Self::Purge { filter, dry_run, usage, max_running, json } => {
                add(&true, "purge");
                let filter =
                    one_of(&["--all", "-lpython", "-V3.*", "-I*", "--unused", "--orphaned"], *filter);
                add(&true, filter);
                add(&true, "-y");
                add(dry_run, "-d");
                add(usage, "--usage");
                add(json, "--json");
                running = format!("--max-running={}", 1 + max_running % 5);
                words.push(&running);
            }
            Self::Task { wait, json } => {
                add(&true, "task");
                add(&true, "task-0");
                add(wait, "--wait");
                add(json, "--json");
            }
            Self::Check { json } => {
                add(&true, "check");
                add(json, "--json");
            }
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// Reports whether the run may delete.
    pub fn deletes(&self) -> bool {
        matches!(self, Self::Delete { dry_run: false, .. } | Self::Purge { dry_run: false, .. })
    }

    /// Returns the only cache that the run may delete.
    pub fn cache(&self) -> Option<Cache> {
        match self {
            Self::Delete { cache, .. } => Some(one_of(&CACHES, *cache)),
            _ => None,
        }
    }

    pub fn is_json(&self) -> bool {
        match self {
            Self::List { json, .. }
            | Self::Delete { json, .. }
            | Self::Purge { json, .. }
            | Self::Task { json, .. }
            | Self::Check { json } => *json,
        }
    }
}
