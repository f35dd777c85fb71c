//! A scenario: a server, its faults, and the arguments of the program.

use std::time::Duration;

use connect_test_server::{
    Action, Cache, Cluster, Config, Echo, Effect, Endpoint, Fault, Images, List, LostLookup, MissingCache,
    Plan, Polls, Replies, Role, Sanitizer, Server, User,
};

use crate::random::Random;

/// The API key, which must not appear in any output.
pub const KEY: &str = "Zq7SecretOfTheSoak";

#[derive(Debug)]
pub struct Scenario {
    pub config: Config,
    pub missing_cache: MissingCache,
    pub images: Images,
    pub replies: Replies,
    pub faults: Vec<Fault>,
    /// The node that restarts, and after how many requests.
    pub restart: Option<(usize, usize)>,
    pub words: Vec<String>,
    pub dry_run: bool,
    pub no_wait: bool,
    pub purge: bool,
    pub timeout: bool,
    /// The caches that the command names or selects, if the list shows them.
    pub targets: Vec<Cache>,
}

impl Scenario {
    pub fn random(random: &mut Random) -> Scenario {
        let missing_cache =
            random.pick(&[MissingCache::NOT_FOUND, MissingCache::TASK_FAILS, MissingCache::TASK_SUCCEEDS]);
        let mut caches = all_caches();
        while caches.len() > 2 && random.chance(70) {
            caches.swap_remove(random.below(caches.len()));
        }
        // Only servers with conclusive dry runs may leave a cache out of the list.
        let hides = missing_cache.dry_run_tells() && random.chance(15);
        let unlisted = if hides { vec![caches[0].clone()] } else { Vec::new() };
        let plans: Vec<_> = caches.iter().map(|cache| (cache, plan(random))).collect();
        let nodes = random.pick(&[1, 1, 3]);
        let sanitizer = random.pick(&[Sanitizer::Collapse, Sanitizer::KeepCase, Sanitizer::Underscores]);
        let images = Images { sanitizer, echo: Echo::default() };
        let polls = Polls {
            ignore_wait: random.chance(10),
            lost_lookup: random.pick(&[LostLookup::Code141, LostLookup::Code4]),
        };
        let replies = Replies {
            minimal_delete: random.chance(10),
            close_connections: random.chance(10),
            ..Replies::default()
        };
        let config = Config::default()
            .caches(&caches)
            .unlisted(&unlisted)
            .missing_cache(missing_cache)
            .images(images)
            .list(List { rows_twice: random.chance(10), ..List::default() })
            .plan(plan(random))
            .plans(plans)
            .polls(polls)
            .replies(replies.clone())
            .users([User::new(KEY, "admin", Role::Administrator)])
            .cluster(Cluster { nodes, balancer: nodes > 1 });
        let faults = match random.below(10) {
            0 | 1 => Vec::new(),
            number => (0..number.div_ceil(3)).map(|_| fault(random)).collect(),
        };
        let restart = random.chance(15).then(|| (random.below(nodes), 1 + random.below(8)));

        let (purge, dry_run) = (random.chance(50), random.chance(20));
        let no_wait = !purge && !dry_run && random.chance(10);
        let mut words = String::new();
        let targets = match purge {
            true => {
                let all = random.chance(50);
                words += if all { "purge -y --all" } else { "purge -y -l R" };
                words += &format!(" --max-running {}", 1 + random.below(5));
                caches.retain(|cache| (all || cache.language == "R") && !unlisted.contains(cache));
                caches
            }
            false => {
                // One in three deletions names a cache that may not exist.
                let from = if random.chance(66) { &caches } else { &all_caches() };
                let Cache { language, version, image_name } = random.pick(from);
                words += &format!("delete -l {language} -V {version} -I {image_name}");
                if random.chance(20) {
                    words += " --ignore-not-found";
                }
                vec![Cache { language, version, image_name }]
            }
        };
        if dry_run {
            words += " -d";
        }
        if no_wait {
            words += " --no-wait";
        }
        let timeout = random.chance(25);
        if timeout {
            words += random.pick(&[" --timeout 0", " --timeout 0.4", " --timeout 2"]);
        }
        // Six retries of a request that always fails take half a minute, and each deletion makes several requests.
        let always_fails = faults.iter().any(|fault| fault.times > 2);
        let limits = ["", "", " --retries 0", " --retries 1", " --retries 3"];
        words += random.pick(if always_fails { &limits[2..4] } else { &limits });
        words += " --json --interval 0.1 --request-timeout 1";
        words += random.pick(&["", " -q", " -v", " -vv"]);
        let words = words.split(' ').map(str::to_owned).collect();
        Scenario {
            config,
            missing_cache,
            images,
            replies,
            faults,
            restart,
            words,
            dry_run,
            no_wait,
            purge,
            timeout,
            targets,
        }
    }

    pub fn start(&self) -> Server {
        let server = Server::start(self.config.clone());
        self.faults.iter().for_each(|fault| server.fault(fault.clone()));
        server
    }

    /// Returns the plan for the deletion of a cache.
    pub fn plan(&self, cache: &Cache) -> &Plan {
        self.config.plan_of(cache)
    }
}

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
    let effect = random.pick(&effects);
    Plan { duration, code, error: error.into(), effect, vanishes: random.chance(5), ..Plan::default() }
}

fn fault(random: &mut Random) -> Fault {
    let retry_after = vec![("Retry-After".to_owned(), "1".to_owned())];
    let on = random.pick(&[
        Endpoint::Delete,
        Endpoint::Delete,
        Endpoint::Delete,
        Endpoint::DryRun,
        Endpoint::DryRun,
        Endpoint::List,
        Endpoint::List,
        Endpoint::Task,
        Endpoint::Task,
        Endpoint::Task,
    ]);
    let mut actions = vec![
        Action::ResetBeforeReply,
        Action::CloseBeforeReply,
        Action::ResetInReply,
        Action::CloseInReply,
        Action::CutChunked,
        Action::CutUnframed,
        Action::CutJson,
        Action::html(408),
        Action::Reply { status: 429, headers: retry_after, body: String::new() },
        Action::error(500, 1, "An internal failure occurred."),
        Action::html(502),
        Action::html(503),
        Action::html(504),
        Action::html(200),
        Action::Stall,
        Action::Delay(Duration::from_millis(700)),
        Action::Delay(Duration::from_millis(1300)),
    ];
    let effect = random.chance(50);
    if !effect {
        // A refusal proves that nothing was started.
        actions.extend([
            Action::html(403),
            Action::error(400, 25, "The parameter is invalid."),
            Action::html(501),
        ]);
        actions.push(Action::error(403, 22, "You don't have permission to perform this operation."));
    }
    let times = random.pick(&[1, 1, 1, 2, 4, usize::MAX]);
    Fault { on, skip: random.below(3), times, effect, action: random.pick(&actions) }
}
