//! A scenario: a server, what happens to its connections and processes, and the arguments of the program.

use std::time::Duration;

use connect_test_server::{
    Action, Cache, Cluster, Config, Echo, Effect, Endpoint, Fault, Images, List, LostLookup, MissingCache,
    Plan, Polls, RateLimit, Replies, Role, Sanitizer, Server, User,
};

use crate::random::Random;

/// The API key, which must not appear in any output.
pub const KEY: &str = "Zq7SecretOfTheSoak";

#[derive(Debug)]
pub struct Scenario {
    config: Config,
    pub missing_cache: MissingCache,
    sanitizer: Sanitizer,
    pub faults: Vec<Fault>,
    /// The node that restarts, and after how many requests.
    pub restart: Option<(usize, usize)>,
    /// Whether the rate of requests is limited.
    pub is_limited: bool,
    pub signal: Option<Signal>,
    /// A header's value, which may be a word of Connect's replies.
    pub word: Option<&'static str>,
    /// How many processes run at once.
    pub processes: usize,
    /// The arguments.
    pub words: Vec<String>,
    pub command: Command,
    pub ignores_missing: bool,
    pub has_timeout: bool,
    /// The caches that the command names or selects, if the list shows them.
    pub targets: Vec<Cache>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Delete,
    DryRun,
    NoWait,
    Purge,
    PurgeDryRun,
}

/// A signal to the program, after this number of requests.
#[derive(Clone, Copy, Debug)]
pub struct Signal {
    pub after: usize,
    /// As `kill` spells it. `STOP` is followed by `CONT`.
    pub name: &'static str,
    pub number: i32,
}

impl Scenario {
    pub fn random(random: &mut Random) -> Scenario {
        let missing_cache = random.pick(&MissingCache::ALL);
        let mut caches = all_caches();
        while caches.len() > 2 && random.chance(70) {
            caches.swap_remove(random.below(caches.len()));
        }
        let plans: Vec<_> = caches.iter().map(|cache| (cache, plan(random))).collect();
        let nodes = random.pick(&[1, 1, 3]);
        let sanitizer = random.pick(&[Sanitizer::Collapse, Sanitizer::KeepCase, Sanitizer::Underscores]);
        let is_limited = random.chance(20);
        let mut config = Config::default()
            .caches(&caches)
            .missing_cache(missing_cache)
            .images(Images { sanitizer, echo: Echo::default() })
            .list(List { rows_twice: random.chance(10), ..List::default() })
            .plan(plan(random))
            .plans(plans)
            .polls(Polls {
                ignore_wait: random.chance(10),
                lost_lookup: random.pick(&[LostLookup::Code141, LostLookup::Code4]),
            })
            .replies(Replies { close_connections: random.chance(10), ..Replies::default() })
            .users([User::new(KEY, "admin", Role::Administrator)])
            .cluster(Cluster { nodes, balancer: nodes > 1 });
        if is_limited {
            let limit = random.pick(&[RateLimit::gateway(3.0), RateLimit::connect(3.0)]);
            config = config.rate_limit(limit.burst(random.pick(&[0, 3])));
        }
        let faults: Vec<Fault> = match random.below(10) {
            0..=4 => Vec::new(),
            number => (0..number / 4).map(|_| fault(random)).collect(),
        };
        let restart = random.chance(15).then(|| (random.below(nodes), 1 + random.below(8)));
        let signal = random.chance(20).then(|| {
            let (name, number) =
                random.pick(&[("INT", 2), ("TERM", 15), ("KILL", 9), ("STOP", 19), ("STOP", 19)]);
            Signal { after: 1 + random.below(6), name, number }
        });

        let is_purge = random.chance(50);
        let command = match (is_purge, random.below(10)) {
            (true, 0) => Command::PurgeDryRun,
            (true, _) => Command::Purge,
            (false, 0) => Command::NoWait,
            (false, 1) => Command::DryRun,
            (false, _) => Command::Delete,
        };
        let ignores_missing = !is_purge && random.chance(20);
        let (mut words, targets) = if is_purge {
            let is_all = random.chance(50);
            let filter = if is_all { "--all" } else { "-l R" };
            caches.retain(|cache| is_all || cache.language == "R");
            (format!("purge -y {filter} --max-running {}", 1 + random.below(5)), caches)
        } else {
            // One in three deletions names a cache that may not exist.
            let from = if random.chance(66) { &caches } else { &all_caches() };
            let cache = random.pick(from);
            let Cache { language, version, image_name } = &cache;
            (format!("delete -l {language} -V {version} -I {image_name}"), vec![cache])
        };
        words += match command {
            Command::DryRun | Command::PurgeDryRun => " -d",
            Command::NoWait => " --no-wait",
            Command::Delete | Command::Purge => "",
        };
        if ignores_missing {
            words += " --ignore-not-found";
        }
        let has_timeout = random.chance(15);
        if has_timeout {
            words += random.pick(&[" --timeout 0", " --timeout 0.4", " --timeout 2"]);
        }
        // Six retries of a request that always fails take half a minute, and each deletion makes several requests.
        if faults.iter().any(|fault| fault.times > 2) {
            words += random.pick(&[" --retries 0", " --retries 1"]);
        }
        // A stalled request ends soon; any other may wait for a busy machine.
        let is_stalled = faults.iter().any(|fault| matches!(fault.action, Action::Stall | Action::Delay(_)));
        words += if is_stalled { " --request-timeout 1" } else { " --request-timeout 20" };
        words += " --json --interval 0.1";
        words += random.pick(&["", " -q", " -v", " -vv"]);
        Scenario {
            config,
            missing_cache,
            sanitizer,
            faults,
            restart,
            is_limited,
            signal,
            word: random.chance(30).then(|| random.pick(&WORDS)),
            processes: if random.chance(20) { 2 } else { 1 },
            words: words.split(' ').map(str::to_owned).collect(),
            command,
            ignores_missing,
            has_timeout,
            targets,
        }
    }

    pub fn start(&self) -> Server {
        let server = Server::start(self.config.clone());
        self.faults.iter().for_each(|fault| server.fault(fault.clone()));
        server
    }

    pub fn is_purge(&self) -> bool {
        matches!(self.command, Command::Purge | Command::PurgeDryRun)
    }

    /// Returns the plan for the deletion of a cache.
    pub fn plan(&self, cache: &Cache) -> &Plan {
        self.config.plan_of(cache)
    }

    pub fn is_dry_run(&self) -> bool {
        matches!(self.command, Command::DryRun | Command::PurgeDryRun)
    }

    /// Returns a cache as the command names it: a purge takes the name of its image from the list.
    pub fn named(&self, cache: &Cache) -> Cache {
        let Cache { language, version, image_name } = cache;
        let image = if self.is_purge() { self.sanitizer.sanitize(image_name) } else { image_name.clone() };
        Cache::new(language, version, image)
    }

    /// Reports whether anything can keep a process from the usual outcome, apart from the plans. A limit cannot.
    pub fn is_disturbed(&self) -> bool {
        !self.faults.is_empty()
            || self.restart.is_some()
            || self.signal.is_some()
            || self.has_timeout
            || self.processes > 1
    }
}

/// Words of Connect's replies, as they are and in the length from which values are masked.
const WORDS: [&str; 12] = [
    "finished",
    "task_id",
    "Python",
    "version",
    "caches",
    "language",
    "image_name",
    "Deleting",
    "runtime",
    "false",
    "R",
    "Successfully deleted",
];

fn all_caches() -> Vec<Cache> {
    let images = ["Local", "ghcr.io/Acme/r_base:4.3--x"];
    let versions = [("R", "4.3.0"), ("R", "4.2.1"), ("Python", "3.10.0"), ("Python", "3.7.6")];
    let with = |image| versions.map(|(language, version)| Cache::new(language, version, image));
    images.into_iter().flat_map(with).collect()
}

/// Returns a random plan. No task succeeds without deleting its cache, since no client could detect that.
fn plan(random: &mut Random) -> Plan {
    let duration = Duration::from_millis(random.pick(&[0, 0, 100, 400, 1200]));
    let (code, error) =
        random.pick(&[(0, ""), (0, ""), (0, ""), (0, ""), (1, "disk error"), (0, "disk error")]);
    let effects = match (code, error) {
        (0, "") => [Effect::OnSuccess, Effect::OnSuccess, Effect::AtEnd, Effect::AtStart],
        _ => [Effect::OnSuccess, Effect::Never, Effect::AtEnd, Effect::AtStart],
    };
    Plan { duration, code, error: error.into(), effect: random.pick(&effects), ..Plan::default() }
}

/// Returns a fault of a connection. The simulation has those of the replies.
fn fault(random: &mut Random) -> Fault {
    let on = random.pick(&[Endpoint::Delete, Endpoint::DryRun, Endpoint::List, Endpoint::Task]);
    let action = random.pick(&[
        Action::ResetBeforeReply,
        Action::CloseBeforeReply,
        Action::ResetInReply,
        Action::CloseInReply,
        Action::CutChunked,
        Action::CutUnframed,
        Action::Stall,
        Action::Delay(Duration::from_millis(700)),
        Action::Delay(Duration::from_millis(1300)),
    ]);
    let times = random.pick(&[1, 1, 1, 2, 4, usize::MAX]);
    Fault { on, skip: random.below(3), times, effect: random.chance(50), action }
}
