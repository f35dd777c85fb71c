//! The server in memory: its caches, its tasks, and its clock.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::api::RuntimeCache;
use crate::deletion::simulation::incident::{Act, Asked, Fate, Incident, Odd, Oddity, Placed};
use crate::deletion::simulation::oracle::{Shown, Truth};
use crate::deletion::simulation::reply::{self, Content};
use crate::deletion::simulation::witness::{Change, Concern, Witness};
use crate::deletion::simulation::world::{Kind, List, Missing, World, cache};
use crate::http::{Broken, Outgoing, Reply};

/// How long an exchange takes.
const EXCHANGE: Duration = Duration::from_millis(1);

/// How much longer a slow task takes.
const SLOW: Duration = Duration::from_secs(30);

/// The server of one run.
pub(super) struct Server {
    world: World,
    incidents: Vec<Placed>,
    /// Whether each incident has changed anything.
    happened: Vec<bool>,
    /// The time since the start of the run.
    now: Duration,
    /// The caches, their images by the literal name.
    stored: Vec<RuntimeCache>,
    /// The list at the start.
    first_list: Vec<RuntimeCache>,
    tasks: Vec<Task>,
    /// The caches that the run names.
    named: Vec<RuntimeCache>,
    witness: Witness,
    log: Vec<Entry>,
}

/// A deletion.
struct Task {
    /// The number of the named cache that the DELETE was for.
    named: Option<usize>,
    /// What it deletes, if that existed at the start.
    target: Option<RuntimeCache>,
    ends_at: Duration,
    fate: Fate,
    /// Its code and error, once it has finished.
    end: Option<(i64, &'static str)>,
}

/// A request, as the server reads it.
struct Request {
    concern: Concern,
    /// What it asks for in detail.
    details: Details,
    limit: Duration,
}

enum Details {
    List,
    Settings,
    /// A DELETE or a dry run of this cache.
    Cache(RuntimeCache),
    Poll {
        task: usize,
        first: usize,
        wait: Duration,
    },
}

/// The body of a DELETE or a dry run.
#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    cache: RuntimeCache,
    #[serde(default)]
    dry_run: bool,
}

/// A request and its reply.
pub(super) struct Entry {
    at: Duration,
    pub(super) asked: Asked,
    about: String,
    odd: Option<Odd>,
    /// Status and body; `None` if none arrived.
    reply: Option<(u16, Vec<u8>)>,
}

/// A run as the server saw it.
pub(super) struct Seen {
    pub(super) log: Vec<Entry>,
    /// Whether every incident has changed anything.
    pub(super) all_happened: bool,
    /// The numbers of requests, and the rules that they broke.
    pub(super) broken: Vec<(usize, &'static str)>,
}

/// Returns the name of an image as the list spells it.
fn sanitized(image: &str) -> String {
    image.replace(['/', '_', '.'], "-")
}

fn row(cache: &RuntimeCache) -> RuntimeCache {
    RuntimeCache::new(&cache.language, &cache.version, sanitized(&cache.image_name))
}

impl Server {
    pub(super) fn new(world: &World, incidents: &[Placed]) -> Self {
        let named = world.named();
        let mut server = Self {
            world: *world,
            incidents: incidents.to_vec(),
            happened: vec![false; incidents.len()],
            now: Duration::ZERO,
            stored: world.scene.stored.iter().map(|words| cache(words)).collect(),
            first_list: Vec::new(),
            tasks: Vec::new(),
            witness: Witness::new(world, named.len()),
            named,
            log: Vec::new(),
        };
        server.first_list = server.rows();
        if world.scene.list == List::Stale {
            (0..server.named.len()).for_each(|named| server.witness.was_there(named));
            server.witness.disturbed();
        }
        server.observe();
        server
    }

    /// Returns the time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// Lets time pass, in steps that swallow the jitter of backoffs, so that a run can be repeated.
    pub(super) fn sleep(&mut self, time: Duration) {
        const STEP: u64 = 1_250_000_000;
        let end = (self.now + time).as_nanos() as u64;
        self.now = Duration::from_nanos(end.div_ceil(STEP) * STEP);
    }

    /// Returns what is true now of a cache that the run names.
    pub(super) fn truth(&mut self, named: &RuntimeCache) -> Truth {
        self.finish_tasks();
        let at = self.named.iter().position(|other| other == named).unwrap();
        self.witness.truth(at, self.is_over())
    }

    /// Ends the watch of a run.
    pub(super) fn seen(&mut self) -> Seen {
        Seen {
            log: std::mem::take(&mut self.log),
            all_happened: self.happened.iter().all(|&happened| happened),
            broken: std::mem::take(&mut self.witness.broken),
        }
    }

    /// Answers a request.
    pub(super) fn exchange(&mut self, outgoing: &Outgoing<'_>) -> Result<Reply, Broken> {
        let request = self.read(outgoing);
        let concern = request.concern;
        self.let_others_act(concern.number);
        self.now += EXCHANGE;
        self.finish_tasks();
        self.witness.requested(&concern, self.is_over());
        self.observe();
        let oddity = self.oddity(concern);
        if let (Asked::Delete, Some(named)) = (concern.asked, concern.named) {
            let is_sent = oddity.is_none_or(|oddity| !matches!(oddity.odd, Odd::NotSent | Odd::Closed));
            self.witness.deletes(named, is_sent, &self.named);
        }
        let result = match oddity {
            None => {
                let content = self.answer(&request, None);
                self.witness.answered(&concern, self.shown(&request));
                Ok(reply::framed(content))
            }
            Some(oddity) => self.answer_oddly(&request, oddity),
        };
        self.observe();
        self.log.push(Entry {
            at: self.now,
            asked: concern.asked,
            about: request.details.to_string(),
            odd: oddity.map(|oddity| oddity.odd),
            reply: result.as_ref().ok().map(|reply| (reply.status, reply.body.clone())),
        });
        result
    }

    fn read(&self, outgoing: &Outgoing<'_>) -> Request {
        let (asked, named, details) = if let Some(body) = outgoing.body {
            let Body { cache, dry_run } = serde_json::from_slice(body).unwrap();
            let named = self.named.iter().position(|named| *named == cache);
            (if dry_run { Asked::DryRun } else { Asked::Delete }, named, Details::Cache(cache))
        } else if let Some((_, poll)) = outgoing.url.split_once("/v1/tasks/task-") {
            // `0?first=1&wait=16`
            let mut numbers =
                poll.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
            let mut next = || -> usize { numbers.next().unwrap() };
            let (task, first, wait) = (next(), next(), Duration::from_secs(next() as u64));
            (Asked::Poll, self.tasks[task].named, Details::Poll { task, first, wait })
        } else if outgoing.url.ends_with("/server_settings") {
            (Asked::Settings, None, Details::Settings)
        } else {
            (Asked::List, None, Details::List)
        };
        let concern = Concern { number: self.log.len(), asked, named };
        Request { concern, details, limit: outgoing.limits.whole.unwrap_or_default() }
    }

    /// Returns the odd reply to a request, if an incident causes one.
    fn oddity(&mut self, Concern { number, asked, named }: Concern) -> Option<Oddity> {
        for (n, &Placed { at, incident }) in self.incidents.iter().enumerate() {
            let first = self.log.get(at).map_or(asked, |first| first.asked);
            let Some(oddity) = incident.oddity([at, number], [first, asked]) else { continue };
            let is_there = named.is_some_and(|named| self.resolve(&self.named[named]).is_some());
            if oddity.odd != Odd::Started || !self.world.kind.tells || is_there {
                self.happened[n] = true;
                return Some(oddity);
            }
        }
        None
    }

    /// Reports whether a good reply follows if the request is sent again: not to a key that is refused twice. Retries
    /// never pass the timeout, and a run may have none.
    fn helps_to_ask_again(&self, request: &Request, Oddity { odd, is_lasting, .. }: Oddity) -> bool {
        // Another deletion may have sent one in between, and a refused dry run leads to a look at the settings.
        let about = request.details.to_string();
        let is_odd = |entry: &Entry| entry.odd.is_some();
        let is_same = |entry: &Entry| entry.asked == request.concern.asked && entry.about == about;
        let is_second = self.log.last().is_some_and(is_odd)
            || self.log.iter().any(|entry| is_same(entry) && is_odd(entry));
        let is_final = is_lasting || odd.denies() && is_second;
        let course = self.world.course;
        !is_final && course.timeout.is_none() && course.retries.is_none()
    }

    /// Lets other clients act, and the server restart, before a request.
    fn let_others_act(&mut self, number: usize) {
        for n in 0..self.incidents.len() {
            let Placed { at, incident } = self.incidents[n];
            if at == number {
                self.happened[n] |= match incident {
                    Incident::Client(act) => self.act(act),
                    Incident::Restart => self.restart(),
                    _ => false,
                };
            }
        }
    }

    /// Lets another client act, and reports whether that changed anything.
    fn act(&mut self, act: Act) -> bool {
        let (Act::Delete(at)
        | Act::Create(at)
        | Act::DeleteNamesake(at)
        | Act::CreateNamesake(at)
        | Act::CreateEqualRow(at)) = act;
        let (named, own) = (&self.named[at], self.resolve(&self.named[at]));
        let image = |name: &str| Some(RuntimeCache::new(&named.language, &named.version, name));
        let mut change = Change::default();
        match act {
            Act::Delete(_) => change.deleted = own.clone(),
            Act::Create(_) if own.is_none() => change.created = Some(named.clone()),
            Act::Create(_) => {}
            Act::DeleteNamesake(_) => {
                let is_namesake = |other: &&RuntimeCache| {
                    other.has_version_of(named) && !other.is_local() && Some(*other) != own.as_ref()
                };
                change.deleted = self.stored.iter().find(is_namesake).cloned();
            }
            Act::CreateNamesake(_) => change.created = image("new"),
            Act::CreateEqualRow(_) => change.created = image(&sanitized(&named.image_name).replace('-', ".")),
        }
        change.created = change.created.filter(|created| !self.stored.contains(created));
        if change.deleted.is_none() && change.created.is_none() {
            return false;
        }
        if let Some(deleted) = &change.deleted {
            // A task may be about to delete the same cache.
            for task in self.tasks.iter().filter(|task| task.target.as_ref() == Some(deleted)) {
                task.named.into_iter().for_each(|named| self.witness.is_gone(named));
            }
        }
        let own: Vec<bool> = self.named.iter().map(|named| self.resolve(named) == change.deleted).collect();
        self.witness.changed(&change, &self.named, &own);
        self.stored.retain(|stored| Some(stored) != change.deleted.as_ref());
        self.stored.extend(change.created);
        true
    }

    /// Ends the tasks that are running, and forgets all of them.
    fn restart(&mut self) -> bool {
        for task in &mut self.tasks {
            task.fate = if task.end.is_some() { Fate::Lost } else { Fate::Dead };
            task.end.get_or_insert_default();
        }
        self.witness.disturbed();
        !self.tasks.is_empty()
    }

    /// Returns the good reply to a request, after its effect. An odd reply may change what it says.
    fn answer(&mut self, request: &Request, odd: Option<Odd>) -> Content {
        let named = match &request.details {
            Details::List => return self.list(request.concern.number),
            Details::Settings => return reply::settings(),
            &Details::Poll { task, first, wait } => return self.poll(task, first, wait),
            Details::Cache(named) => named,
        };
        let found = self.resolve(named);
        let is_dry_run = request.concern.asked == Asked::DryRun;
        let Kind { tells, missing } = self.world.kind;
        let is_refused = if is_dry_run { tells } else { missing == Missing::NotFound };
        if found.is_none() && is_refused {
            return reply::error(404, 4);
        }
        let starts = !is_dry_run || odd == Some(Odd::Started);
        let task = starts.then(|| self.start(request.concern, found.clone()));
        let mut shown = found.as_ref().map_or_else(|| named.clone(), row);
        if odd == Some(Odd::Other) {
            shown.version.push('0');
        }
        reply::accepted(&shown, task.filter(|_| odd != Some(Odd::NoTask)))
    }

    fn answer_oddly(&mut self, request: &Request, oddity: Oddity) -> Result<Reply, Broken> {
        let Oddity { odd, has_effect, .. } = oddity;
        // What a good reply would look like, for those that are cut or mixed up.
        let (_, body) = match &request.details {
            _ if has_effect => self.answer(request, Some(odd)),
            Details::List => reply::list(&self.rows()),
            Details::Settings => reply::settings(),
            &Details::Poll { task, first, wait } => self.poll(task, first, wait),
            Details::Cache(_) => reply::accepted(&RuntimeCache::new("R", "9.9.9", "Local"), None),
        };
        if odd == Odd::Late {
            self.now += request.limit;
            self.finish_tasks();
        }
        let helps = self.helps_to_ask_again(request, oddity);
        self.witness.got_odd(&request.concern, odd, helps);
        reply::odd(odd, request.concern.asked, &body, request.limit)
    }

    fn list(&mut self, number: usize) -> Content {
        let mut rows = self.rows();
        let stale = Placed { at: number, incident: Incident::StaleList };
        if let Some(n) = self.incidents.iter().position(|placed| *placed == stale) {
            self.happened[n] = rows != self.first_list;
            rows.clone_from(&self.first_list);
            self.witness.disturbed();
        }
        self.witness.listed(&rows, &self.named);
        reply::list(&rows)
    }

    /// Returns the rows of the list.
    fn rows(&self) -> Vec<RuntimeCache> {
        let is_named = |cache: &&RuntimeCache| self.named.contains(cache);
        match self.world.scene.list {
            List::Complete => self.stored.iter().map(row).collect(),
            List::WithoutNamed => self.stored.iter().filter(|cache| !is_named(cache)).map(row).collect(),
            List::Stale => self.stored.iter().chain(&self.named).map(row).collect(),
        }
    }

    fn poll(&mut self, task: usize, first: usize, wait: Duration) -> Content {
        if matches!(self.tasks[task].fate, Fate::Lost | Fate::Dead) {
            return reply::error(404, 141);
        }
        self.now = self.now.max(self.tasks[task].ends_at.min(self.now + wait));
        self.finish_tasks();
        reply::task(task, self.tasks[task].end, first)
    }

    /// Returns the state of the task that a poll shows.
    fn shown(&self, request: &Request) -> Option<Shown> {
        let Details::Poll { task, .. } = request.details else { return None };
        let Task { fate, end, .. } = &self.tasks[task];
        match (fate, end) {
            (Fate::Lost | Fate::Dead, _) => None,
            (_, None) => Some(Shown::Running),
            (_, Some((0, ""))) => Some(Shown::Succeeded),
            (_, Some(_)) => Some(Shown::Failed),
        }
    }

    /// Starts a task for a DELETE, and returns its number.
    fn start(&mut self, Concern { number, named, .. }: Concern, target: Option<RuntimeCache>) -> usize {
        let mut fate = Fate::Ordinary;
        for (n, placed) in self.incidents.iter().enumerate() {
            if let (true, Incident::Task(other)) = (placed.at == number, placed.incident) {
                fate = other;
                self.happened[n] = true;
                self.witness.disturbed();
            }
        }
        let takes = match fate {
            Fate::FailsEarly => Duration::ZERO,
            Fate::Slow => self.world.course.takes + SLOW,
            _ => self.world.course.takes,
        };
        self.tasks.push(Task { named, target, ends_at: self.now + takes, fate, end: None });
        if let Some(named) = named {
            self.witness.started(named);
        }
        let task = self.tasks.len() - 1;
        if fate == Fate::DeletesEarly && !self.delete(task) {
            self.tasks[task].fate = Fate::Ordinary;
        }
        self.finish_tasks();
        task
    }

    /// Finishes the tasks that are due, in the order of their ends.
    fn finish_tasks(&mut self) {
        let due = |task: &&Task, now| task.end.is_none() && task.ends_at <= now;
        while let Some(ends_at) =
            self.tasks.iter().filter(|task| due(task, self.now)).map(|task| task.ends_at).min()
        {
            let is_next = |task: &Task| task.end.is_none() && task.ends_at == ends_at;
            let task = self.tasks.iter().position(is_next).unwrap();
            let deletes = matches!(
                self.tasks[task].fate,
                Fate::Ordinary | Fate::Slow | Fate::Lost | Fate::FailsLate | Fate::ErrorLate
            );
            let is_done = deletes && self.delete(task);
            self.tasks[task].end = Some(match self.tasks[task].fate {
                Fate::FailsEarly | Fate::FailsLate => (1, "disk on fire"),
                Fate::Error | Fate::ErrorLate => (0, "disk on fire"),
                Fate::DeletesEarly => (0, ""),
                Fate::Ordinary | Fate::Slow | Fate::Lost | Fate::Dead => {
                    let succeeds = is_done || self.world.kind.missing == Missing::TaskSucceeds;
                    if succeeds { (0, "") } else { (1, "Cache does not exist") }
                }
            });
        }
        self.observe();
    }

    /// Deletes the cache of a task, and reports whether it was there.
    fn delete(&mut self, task: usize) -> bool {
        let Task { named, target, .. } = &self.tasks[task];
        let Some(at) = self.stored.iter().position(|stored| Some(stored) == target.as_ref()) else {
            return false;
        };
        named.iter().for_each(|&named| self.witness.took_effect(named));
        self.stored.remove(at);
        true
    }

    /// Returns the cache that a name means: its image by the literal name, else as the list spells it.
    fn resolve(&self, named: &RuntimeCache) -> Option<RuntimeCache> {
        let is_literal = |stored: &&RuntimeCache| stored.is_row_of(named);
        let is_listed = |stored: &&RuntimeCache| row(stored).is_row_of(named);
        self.stored.iter().find(is_literal).or_else(|| self.stored.iter().find(is_listed)).cloned()
    }

    /// Shows the witness the caches as they are now.
    fn observe(&mut self) {
        for (at, named) in self.named.iter().enumerate() {
            let is_there = self.resolve(named).is_some();
            self.witness.observe(at, is_there);
        }
    }

    fn is_over(&self) -> bool {
        self.world.course.timeout.is_some_and(|timeout| self.now >= timeout)
    }
}

impl fmt::Display for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List | Self::Settings => Ok(()),
            Self::Cache(cache) => cache.fmt(f),
            Self::Poll { task, .. } => write!(f, "task-{task}"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, asked, about, odd, reply } = self;
        write!(f, "{:7.3} s  {asked:?} {about}: ", at.as_secs_f64())?;
        if let Some(odd) = odd {
            write!(f, "[{odd:?}] ")?;
        }
        match reply {
            Some((status, body)) => write!(f, "{status} {}", String::from_utf8_lossy(body)),
            None => f.write_str("no reply"),
        }
    }
}
