//! The simulation: the real client and the real deletions, over a server in memory and a clock that does not wait.
//!
//! An enumeration, not chance, places each incident at each request of a run, in each world. The oracle compares each
//! claim with what is true of the server at that moment. `make test` runs all worlds with each incident alone,
//! `make simulate` with all pairs of incidents. `SIMULATE='world|incidents'` repeats one run, as a failure prints it.

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
use std::ops::AddAssign;
use std::time::Instant;

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
    by_status: BTreeMap<&'static str, usize>,
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
            *self.by_status.entry(status).or_default() += 1;
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

/// Runs a world without incidents, then with each one alone.
fn run_with_each_incident(world: &World, totals: &mut Totals) {
    let ran = run(world, &[]);
    totals.add(&ran, world, &[]);
    for (at, asked) in ran.asked().into_iter().enumerate() {
        for incident in Incident::at(asked, world) {
            let incidents = [Placed { at, incident }];
            totals.add(&run(world, &incidents), world, &incidents);
        }
    }
}

#[test]
fn claims_only_what_is_true() {
    let started_at = Instant::now();
    let mut totals = Totals::default();
    if let Ok(spelled) = std::env::var("SIMULATE") {
        repeat(&spelled);
        return;
    }
    for world in World::all() {
        run_with_each_incident(&world, &mut totals);
    }
    totals.report(started_at);
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
