//! One run of the program's library in a world, with its incidents.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use crate::api::RuntimeCache;
use crate::client::{Client, Clock};
use crate::config::Config;
use crate::deletion::simulation::incident::{Asked, Placed};
use crate::deletion::simulation::oracle::{self, Claim, Says};
use crate::deletion::simulation::server::{Entry, Seen, Server};
use crate::deletion::simulation::world::{LONG, Todo, World};
use crate::deletion::{AfterFailure, Deletion, Known, Mode, Outcome, Progress, Proof, Selection, Status};
use crate::http::{Broken, Exchange, Outgoing, Receive, Reply};

/// A run that has ended.
pub(super) struct Ran {
    world: World,
    incidents: Vec<Placed>,
    pub(super) statuses: Vec<Status>,
    pub(super) violations: Vec<Violation>,
    log: Vec<Entry>,
    /// Whether each incident changed anything.
    pub(super) all_happened: bool,
    sentences: Vec<String>,
}

/// A rule that a run has broken.
pub(super) struct Violation {
    pub(super) rule: String,
    /// The cache or the request, and what was true.
    details: String,
}

/// The only way to the server, which is also the clock.
#[derive(Clone)]
struct Line {
    server: Arc<Mutex<Server>>,
    started_at: Instant,
}

impl Line {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap()
    }
}

impl Exchange for Line {
    fn exchange(&self, outgoing: &Outgoing<'_>, _: Option<Receive<'_>>) -> Result<Reply, Broken> {
        self.server().exchange(outgoing)
    }
}

impl Clock for Line {
    fn now(&self) -> Instant {
        self.started_at + self.server().now()
    }

    fn sleep(&self, time: Duration) {
        self.server().sleep(time);
    }

    fn jitter(&self) -> u8 {
        0
    }
}

/// Runs the library in a world.
pub(super) fn run(world: &World, incidents: &[Placed]) -> Ran {
    let line =
        Line { server: Arc::new(Mutex::new(Server::new(world, incidents))), started_at: Instant::now() };
    let mut config = config();
    (config.timeout, config.retries) = (world.course.timeout, world.course.retries);
    if world.is_purge() && world.course == LONG {
        // Its polls are not held: one each second would only repeat the same incidents.
        config.interval = Duration::from_secs(5);
    }
    let client = Client::with_parts(config, Box::new(line.clone()), Box::new(line.clone()));
    let mut ran = Ran {
        world: *world,
        incidents: incidents.to_vec(),
        statuses: Vec::new(),
        violations: Vec::new(),
        log: Vec::new(),
        all_happened: true,
        sentences: Vec::new(),
    };
    let named = world.named();
    if world.is_purge() {
        // A purge that cannot read the list ends with that failure, and claims nothing.
        if let Ok(listed) = client.runtime_caches() {
            let is_selected = |cache: &&RuntimeCache| world.todo == Todo::PurgeFrom || listed.contains(cache);
            let caches: Vec<RuntimeCache> = named.iter().filter(is_selected).cloned().collect();
            let deletions = client.delete_all(&Selection::new(&caches, &listed), |_, progress| {
                if let Progress::Ended(deletion) = progress {
                    ran.judge(deletion, &line);
                }
            });
            if deletions.len() != caches.len() {
                let rule = "not every cache has an outcome".to_owned();
                ran.violations.push(Violation { rule, details: String::new() });
            }
        }
    } else {
        let mode = match world.todo {
            Todo::DryRun => Mode::DryRun,
            Todo::NoWait => Mode::NoWait,
            _ => Mode::Wait,
        };
        let deletion = client.delete(&named[0], mode, |_| {});
        ran.judge(&deletion, &line);
    }
    let Seen { log, all_happened, broken } = line.server().seen();
    ran.violations.extend(
        broken.into_iter().map(|(request, rule)| Violation {
            rule: rule.to_owned(),
            details: format!("request {request}"),
        }),
    );
    (ran.log, ran.all_happened) = (log, all_happened);
    ran
}

fn config() -> Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let parsed = || Config::new("http://connect.test".parse().unwrap(), "key".parse().unwrap());
    CONFIG.get_or_init(parsed).clone()
}

impl Ran {
    /// Compares a claim with what is true at this moment.
    fn judge(&mut self, deletion: &Deletion, line: &Line) {
        let truth = line.server().truth(&deletion.cache);
        let status = deletion.outcome.status();
        let claim = Claim { status: &status.to_string(), exit: None, says: says(&deletion.outcome) };
        if let Err(problem) = oracle::check(&claim, &truth) {
            self.violations
                .push(Violation { rule: problem, details: format!("{}: {truth:#?}", deletion.cache) });
        }
        self.statuses.push(status);
        self.sentences.push(deletion.to_string());
    }

    /// Returns what each request asked for.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.log.iter().map(|entry| entry.asked).collect()
    }

    /// Describes the run: its world, its requests and replies, and how to repeat it.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for violation in &self.violations {
            writeln!(text, "violation: {}\n{}", violation.rule, violation.details).unwrap();
        }
        writeln!(text, "world: {}\nstored: {:?}", self.world, self.world.scene.stored).unwrap();
        for (number, entry) in self.log.iter().enumerate() {
            writeln!(text, "{number:4} {entry}").unwrap();
        }
        for sentence in &self.sentences {
            writeln!(text, "outcome: {sentence}").unwrap();
        }
        let incidents: Vec<String> = self.incidents.iter().map(ToString::to_string).collect();
        let (world, incidents) = (self.world, incidents.join(","));
        writeln!(text, "repeat: SIMULATE='{world}|{incidents}' cargo test --lib simulation -- --nocapture")
            .unwrap();
        text
    }
}

/// Returns what the final sentence says.
fn says(outcome: &Outcome) -> Says {
    let (still_there, nothing_started) = match *outcome {
        Outcome::Failed(_, after) => (after != AfterFailure::NotKnown, false),
        Outcome::Unknown(_, known) => (known == Known::StillThere, known == Known::NotStarted),
        Outcome::Refused(_) | Outcome::NotStarted(_) => (false, true),
        _ => (false, false),
    };
    let reply_lost = matches!(
        outcome,
        Outcome::Deleted(Proof::GoneAfterLostReply) | Outcome::Failed(_, AfterFailure::InDoubt)
    );
    Says { still_there, reply_lost, nothing_started }
}
