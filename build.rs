//! Sets the version that the program shows: with the commit, if it is built from one.

#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

/// The files that the program is made of.
const SOURCES: [&str; 4] = ["src", "build.rs", "Cargo.toml", "Cargo.lock"];

fn main() {
    let mut version = env!("CARGO_PKG_VERSION").to_owned();
    // Without a repository of its own, an unpacked crate may lie in that of another project.
    let commit = if Path::new(".git").exists() { git(&["rev-parse", "--short=12", "HEAD"]) } else { None };
    if let Some(commit) = commit {
        let status = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat());
        let is_clean = status.is_some_and(|changes| changes.is_empty());
        version = format!("{version} ({commit}{})", if is_clean { "" } else { "-dirty" });
        // It changes with every commit and checkout.
        if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
            println!("cargo:rerun-if-changed={log}");
        }
    }
    SOURCES.iter().for_each(|source| println!("cargo:rerun-if-changed={source}"));
    println!("cargo:rustc-env=CONNECT_CACHE_VERSION={version}");
}

/// Returns the output of a git command that succeeds. It does not write to the repository.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).env("GIT_OPTIONAL_LOCKS", "0").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
