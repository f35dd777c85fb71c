//! The `connect-cache` program. Everything it does, the library `connect_cache` offers to other programs too.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os().skip(1)).into()
}
