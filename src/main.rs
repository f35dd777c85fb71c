//! The `connect-cache` program; see the library for everything it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    connect_cache::cli::run().into()
}
