//! The command line: arguments and environment in, results and an exit status out.
//!
//! Data flows one way: `arguments` turns words into options, `settings` turns options and environment into a
//! `Config`, which makes a `Client`; a command calls it and hands the results to `output`; the exit status
//! comes out at the end.

mod advice;
mod arguments;
mod commands;
mod escape;
mod exit_status;
mod files;
mod filters;
mod glob;
mod help;
mod misconfigured;
mod named;
mod options;
mod output;
mod saved_servers;
mod session;
mod settings;
mod spelling;
mod values;

use std::ffi::OsString;

use arguments::Invocation;
use exit_status::ExitStatus;
use misconfigured::Misconfigured;
use options::{Command, Options};
use output::Output;
use session::Session;

/// Runs the program with these arguments and this process's environment.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitStatus {
    let output = Output::new();
    #[cfg(not(silent_panics))]
    report_panics(output.clone());
    let status = match arguments::parse(args) {
        Ok(Invocation::Run(options)) => run_command(&options, &output).map_err(|problem| problem.to_string()),
        Ok(Invocation::Print(text)) => {
            output.print(&text);
            Ok(output.finish(ExitStatus::Success))
        }
        Ok(Invocation::Nothing) => {
            output.to_stderr(&help::brief(None));
            Ok(ExitStatus::Usage)
        }
        Err(problem) => Err(problem),
    };
    status.unwrap_or_else(|problem| {
        output.error(&problem);
        ExitStatus::Usage
    })
}

/// Reports a panic on one line, as every error, and without a backtrace, which could show what the program holds. The
/// static binary has no use for it: there a panic only raises a signal.
#[cfg(not(silent_panics))]
fn report_panics(output: Output) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        output.error(&format!("internal error at {place}; please report it"));
    }));
}

fn run_command(options: &Options, output: &Output) -> Result<ExitStatus, Misconfigured> {
    let session = Session::open(options, output)?;
    let status = match &options.command {
        Command::List(list) => commands::list::run(list, &session),
        Command::Delete(delete) => Ok(commands::delete::run(delete, &session)),
        Command::Purge(purge) => commands::purge::run(purge, &session),
        Command::Task(task) => commands::task::run(task, &session),
        Command::Check(check) => Ok(commands::check::run(check, &session)),
    };
    // The error is the status of a command that ended early.
    let (Ok(status) | Err(status)) = status;
    Ok(session.output.finish(status))
}
