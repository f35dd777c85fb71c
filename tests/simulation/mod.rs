//! The simulation: the real client and the real deletions, over a server in memory and a clock that does not wait.
//!
//! An enumeration, not chance, places each incident at each request of a run, in each world. The oracle compares each
//! claim with what is true of the server at that moment. `make test` runs all worlds with each incident alone,
//! `make simulate` with all pairs of incidents; `SIMULATE` is then a part of the names of some worlds.
//! `SIMULATE='world|incidents'` repeats one run, as a failure prints it.

// Only functions marked as tests may do these by the configuration of clippy.
#![allow(clippy::print_stdout)]

mod incident;
#[path = "../oracle/mod.rs"]
mod oracle;
mod reply;
mod run;
mod server;
mod witness;
mod world;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::AddAssign;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::deletion::Status;
use incident::{Asked, Incident, Placed};
use run::{Ran, run};
use world::World;

/// The counts of many runs.
#[derive(Default)]
struct Totals {
    all: Counts,
    /// Runs that are like another one, because an incident changed nothing.
    void: usize,
    requests: usize,
    by_scene: BTreeMap<String, Counts>,
    by_server: BTreeMap<String, Counts>,
    by_course: BTreeMap<String, Counts>,
    by_incident: BTreeMap<String, Counts>,
    by_status: BTreeMap<Status, usize>,
    /// For each rule that was broken: how often, and the first run.
    violations: BTreeMap<String, (usize, String)>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    runs: usize,
    claims: usize,
    violations: usize,
}

impl Totals {
    fn add(&mut self, ran: &Ran, world: &World, incidents: &[Placed]) {
        if !ran.all_happened {
            self.void += 1;
            return;
        }
        self.requests += ran.asked().len();
        for status in &ran.statuses {
            *self.by_status.entry(*status).or_default() += 1;
        }
        for violation in &ran.violations {
            let first = self.violations.entry(violation.rule.clone()).or_insert_with(|| (0, ran.describe()));
            first.0 += 1;
        }
        let counts = Counts { runs: 1, claims: ran.statuses.len(), violations: ran.violations.len() };
        self.all += counts;
        *self.by_scene.entry(format!("{:?} {}", world.todo, world.scene.name)).or_default() += counts;
        *self.by_server.entry(world.kind.to_string()).or_default() += counts;
        *self.by_course.entry(world.course.to_string()).or_default() += counts;
        for placed in incidents {
            *self.by_incident.entry(placed.incident.to_string()).or_default() += counts;
        }
    }

    fn merge(&mut self, other: Self) {
        self.all += other.all;
        self.void += other.void;
        self.requests += other.requests;
        for (status, count) in other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
        for (rule, (count, first)) in other.violations {
            self.violations.entry(rule).or_insert((0, first)).0 += count;
        }
        for (ours, theirs) in [
            (&mut self.by_scene, other.by_scene),
            (&mut self.by_server, other.by_server),
            (&mut self.by_course, other.by_course),
            (&mut self.by_incident, other.by_incident),
        ] {
            for (name, counts) in theirs {
                *ours.entry(name).or_default() += counts;
            }
        }
    }

    /// Prints the counts and the first run of each violation, and fails if there is any.
    fn report(&self, started_at: Instant) {
        for (title, counts) in [
            ("scene", &self.by_scene),
            ("server", &self.by_server),
            ("course", &self.by_course),
            ("incident", &self.by_incident),
        ] {
            println!("{:>9} {:>9} {:>10}  {title}", "runs", "claims", "violations");
            for (name, Counts { runs, claims, violations }) in counts {
                println!("{runs:>9} {claims:>9} {violations:>10}  {name}");
            }
        }
        let Self { all: Counts { runs, claims, violations }, void, requests, by_status, .. } = self;
        println!("claims: {by_status:?}");
        println!(
            "simulation: {runs} runs ({void} void), {requests} requests, {claims} claims, {violations} violations, {:.1} s",
            started_at.elapsed().as_secs_f64()
        );
        for (rule, (count, first)) in &self.violations {
            println!("{count} times: {rule}; the first run:\n{first}");
        }
        assert_eq!(*violations, 0);
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.claims += other.claims;
        self.violations += other.violations;
    }
}

/// Runs a world without incidents, and with each one alone. Calls `then` with each of these and its kinds of requests.
fn run_each(world: &World, totals: &mut Totals, mut then: impl FnMut(Placed, &[Asked], &mut Totals)) {
    let ran = run(world, &[]);
    totals.add(&ran, world, &[]);
    for (at, asked) in ran.asked().into_iter().enumerate() {
        for incident in Incident::at(asked, world) {
            let placed = Placed { at, incident };
            let ran = run(world, &[placed]);
            totals.add(&ran, world, &[placed]);
            then(placed, &ran.asked(), totals);
        }
    }
}

/// Runs a world with a second incident at each request from the first one's on.
fn run_each_second(world: &World, first: Placed, asked: &[Asked], totals: &mut Totals) {
    for (at, &asked) in asked.iter().enumerate().skip(first.at) {
        for incident in Incident::at(asked, world) {
            let second = Placed { at, incident };
            // At the same request, the order matters only among other clients.
            if at > first.at || first.incident != incident {
                let incidents = [first, second];
                totals.add(&run(world, &incidents), world, &incidents);
            }
        }
    }
}

/// Runs these worlds with each incident alone, unless `SIMULATE` names another run.
fn test(is_meant: impl Fn(&World) -> bool) {
    let started_at = Instant::now();
    if let Ok(spelled) = std::env::var("SIMULATE") {
        return repeat(&spelled);
    }
    let mut totals = Totals::default();
    for world in World::all().iter().filter(|world| is_meant(world)) {
        run_each(world, &mut totals, |_, _, _| {});
    }
    totals.report(started_at);
}

#[test]
fn claims_only_what_is_true_of_one_cache() {
    test(|world| !world.is_purge());
}

#[test]
fn claims_only_what_is_true_of_two_caches() {
    test(World::is_purge);
}

#[test]
#[ignore = "runs all pairs of incidents; see make simulate"]
fn claims_only_what_is_true_after_two_incidents() {
    let started_at = Instant::now();
    let part = std::env::var("SIMULATE").unwrap_or_default();
    // The purges, which take longest, come first.
    let worlds: Vec<World> =
        World::all().into_iter().rev().filter(|world| world.to_string().contains(&part)).collect();
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Totals::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut totals = Totals::default();
                    run_each(world, &mut totals, |first, asked, totals| {
                        run_each_second(world, first, asked, totals);
                    });
                    println!("{world}: {} runs, {} violations", totals.all.runs, totals.all.violations);
                    all.lock().unwrap().merge(totals);
                }
            });
        }
    });
    all.into_inner().unwrap().report(started_at);
}

/// Repeats a run that a failure has printed.
fn repeat(spelled: &str) {
    let (name, placed) = spelled.split_once('|').unwrap_or((spelled, ""));
    let world = World::all().into_iter().find(|world| world.to_string() == name).unwrap();
    let known: Vec<Incident> = [Asked::List, Asked::Delete, Asked::DryRun, Asked::Poll]
        .into_iter()
        .flat_map(|asked| Incident::at(asked, &world))
        .collect();
    let read = |text: &str| {
        let (at, name) = text.split_once(':').unwrap();
        let incident = known.iter().copied().find(|incident| incident.to_string() == name).unwrap();
        Placed { at: at.parse().unwrap(), incident }
    };
    let incidents: Vec<Placed> = placed.split(',').filter(|text| !text.is_empty()).map(read).collect();
    let ran = run(&world, &incidents);
    println!("{}", ran.describe());
    assert!(ran.violations.is_empty());
}
