//! Runs the program repeatedly against servers with faulty connections, limits and restarts, interrupts it, and compares
//! each of its claims with the state of the server. `make soak SECONDS=60 SEED=1` runs it; a seed repeats the same choices.
//! The simulation covers what needs no sockets, signals and processes.

// .clippy.toml allows these in tests, but not in the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod claims;
#[path = "../oracle/mod.rs"]
mod oracle;
mod program;
mod random;
mod scenario;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use connect_test_server::{Cache, Request, Server};

use claims::{Found, Run};
use program::{Process, Ran, memory, resume};
use random::Random;
use scenario::Scenario;

/// Most runs wait for a backoff or a task, so there are more of them than cores.
const AT_ONCE: usize = 24;
/// The limit for the program's peak memory, in KiB. A debug build needs less than half of it.
const PEAK_MEMORY: u64 = 24 * 1024;
/// The limit for the growth of the test servers' memory after the first half, in KiB.
const SERVER_GROWTH: u64 = 32 * 1024;

#[derive(Default)]
struct Totals {
    runs: usize,
    faults: usize,
    restarts: usize,
    requests: usize,
    claims: usize,
    limits: usize,
    words: usize,
    interrupted: usize,
    resumed: usize,
    statuses: BTreeMap<String, usize>,
    peak_memory: u64,
    mismatches: Vec<String>,
    /// The memory and the open files of this process, which is the server, in the first half and after it.
    server: [(u64, usize); 2],
}

#[test]
#[ignore = "runs for SOAK_SECONDS; see make soak"]
fn claims_only_what_is_true_of_the_server() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seconds = variable("SOAK_SECONDS").unwrap_or(60);
    let seed = variable("SOAK_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    let only = variable("SOAK_RUN");
    println!("soak: {seconds} s, seed {seed}");

    let started = Instant::now();
    let total = Duration::from_secs(seconds);
    let next = AtomicU64::new(only.unwrap_or(0));
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..if only.is_some() { 1 } else { AT_ONCE } {
            scope.spawn(|| {
                while started.elapsed() < total {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    run_scenario(seed, number, started.elapsed() > total / 2, &totals);
                    if only.is_some() {
                        return;
                    }
                }
            });
        }
    });
    let open_files_at_end = open_files();
    report(&mut totals.into_inner().unwrap(), seed, open_files_at_end, only.is_some());
}

/// Runs one scenario, and adds its results to the totals.
fn run_scenario(seed: u64, number: u64, second_half: bool, totals: &Mutex<Totals>) {
    let scenario = Scenario::random(&mut Random::new(seed, number));
    let server = scenario.start();
    let before = server.caches();
    let (ended, restarted) = run(&scenario, &server);
    let after = server.caches();

    let mut mismatches = Vec::new();
    let specified = |cache: &&Cache| scenario.targets.contains(cache) && !scenario.is_dry_run();
    if let Some(gone) = before.iter().find(|cache| !after.contains(cache) && !specified(cache)) {
        mismatches.push(format!("{gone} is gone, but must not be deleted"));
    }
    let check = |(ran, requests, _): &(Ran, Vec<Request>, u64)| {
        Run { scenario: &scenario, before: &before, after: &after, requests, ran }.check()
    };
    let found: Vec<Found> = ended.iter().map(check).collect();
    if let [one, other] = &found[..] {
        mismatches.extend(claims::check_both(&scenario, [one, other]));
    }
    let interrupted = ended.iter().map(|(ran, ..)| ran).filter(|ran| ran.signal.is_some());
    let mut resumed = 0;
    for (name, task) in interrupted.flat_map(Ran::tasks) {
        let is_named = |cache: &&Cache| scenario.named(cache).to_string() == name;
        if let Some(cache) = scenario.targets.iter().find(is_named) {
            mismatches.extend(claims::check_resumed(&scenario, &server, cache, &resume(&server, task)));
            resumed += 1;
        }
    }
    mismatches.extend(found.iter().flat_map(|found| found.mismatches.clone()));
    let large = ended.iter().map(|(.., peak)| *peak).filter(|&peak| peak >= PEAK_MEMORY);
    mismatches.extend(large.map(|peak| format!("the program needed {peak} KiB")));

    let mut totals = totals.lock().unwrap();
    totals.runs += ended.len();
    totals.faults += scenario.faults.len();
    totals.restarts += usize::from(restarted);
    totals.limits += usize::from(scenario.is_limited);
    totals.words += usize::from(scenario.word.is_some());
    totals.interrupted += ended.iter().filter(|(ran, ..)| ran.signal.is_some()).count();
    totals.resumed += resumed;
    totals.requests += server.requests().len();
    totals.claims += found.iter().map(|found| found.claims).sum::<usize>();
    totals.peak_memory = ended.iter().map(|(.., peak)| *peak).fold(totals.peak_memory, u64::max);
    for (_, status) in found.into_iter().flat_map(|found| found.statuses) {
        *totals.statuses.entry(status).or_default() += 1;
    }
    let here = &mut totals.server[usize::from(second_half)];
    *here = (here.0.max(memory(Path::new("/proc/self"), "VmRSS:")), here.1.max(open_files()));
    for mismatch in mismatches {
        println!("MISMATCH in run {number}: {mismatch}\n{scenario:#?}\n{ended:#?}");
        totals.mismatches.push(format!("run {number}: {mismatch}"));
    }
}

/// Runs the processes of a scenario, and restarts a node if the scenario says so. Returns each with its requests and its
/// peak memory in KiB, and whether the node was restarted.
fn run(scenario: &Scenario, server: &Server) -> (Vec<(Ran, Vec<Request>, u64)>, bool) {
    let mut processes: Vec<Process> =
        (0..scenario.processes).map(|number| Process::start(scenario, server, number)).collect();
    let mut restarted = false;
    loop {
        let requests = server.requests().len();
        if let Some((node, _)) = scenario.restart.filter(|&(_, after)| !restarted && requests >= after) {
            server.restart_node(node);
            restarted = true;
        }
        let ended =
            processes.iter_mut().filter_map(|process| process.has_ended(requests).then_some(())).count();
        if ended == processes.len() {
            break;
        }
        thread::sleep(Duration::from_millis(4));
    }
    let end = |process: Process| {
        let (requests, peak) = (process.requests(server.requests()), process.peak);
        (process.end(), requests, peak)
    };
    (processes.into_iter().map(end).collect(), restarted)
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

fn report(totals: &mut Totals, seed: u64, open_files_at_end: usize, only_one: bool) {
    let Totals { runs, requests, claims, peak_memory, mismatches, server, .. } = totals;
    println!(
        "soak: {runs} runs, {requests} requests, {claims} claims checked, {} mismatches, seed {seed}\n\
         soak: {} faults ordered, {} restarts, {} limits, {} words as headers, {} runs interrupted, {} tasks resumed\n\
         soak: {:?}\n\
         soak: peak memory of the program {peak_memory} KiB; server {} KiB and {} open files in the first half, \
         {} KiB and {} in the second, {open_files_at_end} at the end",
        mismatches.len(),
        totals.faults,
        totals.restarts,
        totals.limits,
        totals.words,
        totals.interrupted,
        totals.resumed,
        totals.statuses,
        server[0].0,
        server[0].1,
        server[1].0,
        server[1].1,
    );
    assert!(mismatches.is_empty(), "seed {seed}: {mismatches:#?}");
    if !only_one {
        assert!(server[1].0 < server[0].0 + SERVER_GROWTH, "memory grows: {server:?} KiB");
        // All servers have closed their files, so only those of the test itself are open.
        assert!(open_files_at_end < 16, "{open_files_at_end} files are open at the end");
    }
}
