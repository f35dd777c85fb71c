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
use std::time::Instant;

use incident::{Asked, Incident, Placed};
use run::{Ran, run};
use world::World;

/// What became of the runs.
#[derive(Default)]
struct Totals {
    runs: usize,
    void: usize,
    requests: usize,
    by_world: BTreeMap<String, Counts>,
    by_incident: BTreeMap<String, Counts>,
    statuses: BTreeMap<&'static str, usize>,
    /// By the rule that was broken: how often, and the first run.
    failures: BTreeMap<String, (usize, String)>,
}

#[derive(Default)]
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
        self.runs += 1;
        self.requests += ran.asked().len();
        for status in &ran.statuses {
            *self.statuses.entry(status).or_default() += 1;
        }
        if let Some(violation) = ran.violations.first() {
            let rule = violation.lines().next().unwrap_or_default();
            let rule = rule.split_once(": ").map_or(rule, |(_, rule)| rule);
            self.failures.entry(rule.to_owned()).or_insert_with(|| (0, ran.describe())).0 += 1;
        }
        let count = |counts: &mut BTreeMap<String, Counts>, name: String| {
            let counts = counts.entry(name).or_default();
            counts.runs += 1;
            counts.claims += ran.statuses.len();
            counts.violations += usize::from(!ran.violations.is_empty());
        };
        count(&mut self.by_world, world.to_string());
        for placed in incidents {
            count(&mut self.by_incident, placed.incident.to_string());
        }
    }

    fn report(&self, started_at: Instant) {
        for (title, counts) in [("world", &self.by_world), ("incident", &self.by_incident)] {
            println!("{:>9} {:>9} {:>10}  {title}", "runs", "claims", "violations");
            for (name, Counts { runs, claims, violations }) in counts {
                println!("{runs:>9} {claims:>9} {violations:>10}  {name}");
            }
        }
        println!("statuses: {:?}", self.statuses);
        println!(
            "{} runs, {} void, {} requests, {} failed, {:.1} s",
            self.runs,
            self.void,
            self.requests,
            self.failures.values().map(|(count, _)| count).sum::<usize>(),
            started_at.elapsed().as_secs_f64()
        );
        for (rule, (count, first)) in &self.failures {
            println!("{count} times: {rule}; first in this run:\n{first}");
        }
        assert!(self.failures.is_empty());
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
