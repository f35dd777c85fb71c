//! Runs the program repeatedly against servers that fail at random, and compares each of its claims with the state of
//! the server. `make soak SECONDS=60 SEED=1` runs it; a seed repeats the same choices.

// .clippy.toml allows these in tests, but not in the functions that tests share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod claims;
mod random;
mod scenario;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use claims::Ran;
use random::Random;
use scenario::Scenario;

/// Most runs wait for a backoff or a task, so there are more of them than cores.
const AT_ONCE: usize = 24;
/// A run that takes longer hangs: its tasks take at most 1.2 s, its timeout for a request is 1 s.
const LONGEST_RUN: Duration = Duration::from_secs(120);
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
    statuses: Vec<(String, usize)>,
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
    let (ran, peak, restarted) = run(&scenario, &server);
    let found = claims::check(&scenario, &server, &before, &ran);

    let mut totals = totals.lock().unwrap();
    totals.runs += 1;
    totals.faults += scenario.faults.len();
    totals.restarts += usize::from(restarted);
    totals.requests += server.requests().len();
    totals.claims += found.claims;
    totals.peak_memory = totals.peak_memory.max(peak);
    for status in found.statuses {
        match totals.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => totals.statuses.push((status, 1)),
        }
    }
    let here = &mut totals.server[usize::from(second_half)];
    *here = (here.0.max(memory(&PathBuf::from("/proc/self"), "VmRSS:")), here.1.max(open_files()));
    for mismatch in found.mismatches {
        println!("MISMATCH in run {number}: {mismatch}\n{scenario:#?}\n{ran:#?}");
        totals.mismatches.push(format!("run {number}: {mismatch}"));
    }
}

/// Runs the program, and restarts a node if the scenario says so. Returns the output, the peak memory in KiB, and
/// whether the node was restarted.
fn run(scenario: &Scenario, server: &connect_test_server::Server) -> (Ran, u64, bool) {
    let binary = std::env::var("CONNECT_CACHE_BIN");
    let mut child = Command::new(binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_connect-cache").to_owned()))
        .args(&scenario.words)
        .env_clear()
        .env("CONNECT_SERVER", server.url())
        .env("CONNECT_API_KEY", scenario::KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let started = Instant::now();
    let (mut peak, mut restarted) = (0, false);
    let (process, this) = (PathBuf::from(format!("/proc/{}", child.id())), std::env::current_exe().unwrap());
    let status = loop {
        // The memory of a process cannot be read once it has ended. Until it runs the program, it shares that of this one.
        if fs::read_link(process.join("exe")).is_ok_and(|program| program != this) {
            peak = peak.max(memory(&process, "VmHWM:"));
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if let Some((node, after)) = scenario.restart.filter(|_| !restarted) {
            if server.requests().len() >= after {
                server.restart_node(node);
                restarted = true;
            }
        }
        if started.elapsed() > LONGEST_RUN {
            end(&mut child);
            break None;
        }
        thread::sleep(Duration::from_millis(4));
    };
    (Ran { stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), status }, peak, restarted)
}

fn end(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Reads a stream to its end while the program runs, so that a full pipe does not stop it.
fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        stream.unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

/// Returns a line of a process's status in KiB; 0 if the process has ended.
fn memory(process: &std::path::Path, line: &str) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

fn report(totals: &mut Totals, seed: u64, open_files_at_end: usize, only_one: bool) {
    totals.statuses.sort();
    let statuses: Vec<String> =
        totals.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let Totals { runs, faults, restarts, requests, claims, peak_memory, mismatches, server, .. } = totals;
    println!(
        "soak: {runs} runs, {faults} faults ordered, {restarts} restarts, {requests} requests, {claims} claims \
         checked, {} mismatches, seed {seed}\n\
         soak: {}\n\
         soak: peak memory of the program {peak_memory} KiB; server {} KiB and {} open files in the first half, \
         {} KiB and {} in the second, {open_files_at_end} at the end",
        mismatches.len(),
        statuses.join(", "),
        server[0].0,
        server[0].1,
        server[1].0,
        server[1].1,
    );
    assert!(mismatches.is_empty(), "seed {seed}: {mismatches:#?}");
    assert!(*peak_memory < PEAK_MEMORY, "the program needed {peak_memory} KiB");
    if !only_one {
        assert!(server[1].0 < server[0].0 + SERVER_GROWTH, "memory grows: {server:?} KiB");
        // All servers have closed their files, so only those of the test itself are open.
        assert!(open_files_at_end < 16, "{open_files_at_end} files are open at the end");
    }
}
