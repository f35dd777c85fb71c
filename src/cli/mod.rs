//! The program: arguments and environment in, results and an exit status out.
//!
//! Data flows one way: words become options ([`forms`]), options and environment become a
//! [`Config`](crate::Config), that makes a [`Client`], a command calls it and hands what comes back to
//! the reporter, and the exit status falls out at the end.

mod commands;
pub mod forms;
pub mod help;
mod hints;
pub mod options;
mod report;
mod saved;
mod settings;

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::time::Instant;

use crate::cli::forms::{Asked, Misused};
use crate::cli::options::{Command, Common};
use crate::cli::report::Reporter;
use crate::secrets::Secrets;
use crate::{Client, Error, ExitStatus, ServerUrl};

/// Runs the program with this process's arguments and environment.
pub fn run() -> ExitStatus {
    // No backtrace, which could show what the program holds; and one line, as for every error.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = format!("internal error at {place}; please report it");
        Reporter::new(Instant::now(), false, 0, false).error(&text);
    }));
    let begun = Instant::now();
    let mut plain = Reporter::new(begun, false, 0, false);
    match forms::understand(std::env::args_os().skip(1)) {
        Ok(Asked::Run(common, command)) => run_command(&common, &command, begun),
        Ok(Asked::Help(topic)) => {
            plain.print(&help::help(topic));
            plain.finish(ExitStatus::Success)
        }
        Ok(Asked::Version) => {
            plain.print(concat!("connect-cache ", env!("CARGO_PKG_VERSION"), "\n"));
            plain.finish(ExitStatus::Success)
        }
        Ok(Asked::Nothing) => {
            help::help(None).lines().for_each(|line| plain.note(line));
            ExitStatus::Usage
        }
        Err(Misused { problem, command }) => {
            let command = command.map(|name| [" ", name].concat()).unwrap_or_default();
            plain.error(&[&problem, "; see connect-cache", &command, " --help"].concat());
            ExitStatus::Usage
        }
    }
}

fn run_command(common: &Common, command: &Command, begun: Instant) -> ExitStatus {
    let session = match Session::open(common, begun) {
        Ok(session) => session,
        Err(problem) => {
            Reporter::new(begun, false, 0, false).error(&problem);
            return ExitStatus::Usage;
        }
    };
    let status = match command {
        Command::List(list) => commands::list::run(list, &session),
        Command::Delete(delete) => commands::delete::run(delete, &session),
        Command::Purge(purge) => commands::purge::run(purge, &session),
        Command::Task(task) => commands::task::run(task, &session),
        Command::Check(check) => commands::check::run(check, &session),
    };
    session.out().finish(status)
}

/// What a command works with.
pub(crate) struct Session {
    pub(crate) client: Client,
    reporter: Rc<RefCell<Reporter>>,
}

impl Session {
    fn open(common: &Common, begun: Instant) -> Result<Self, String> {
        let settings = settings::settle(common, begun)?;
        let secrets = Secrets::new(&settings.config.key, settings.config.proxy.as_ref());
        let reporter = Reporter::new(begun, common.quiet, common.verbose, settings.config.watched);
        let reporter = reporter.keeping(secrets);
        let reporter = Rc::new(RefCell::new(reporter));
        for warning in &settings.warnings {
            reporter.borrow_mut().warn(warning);
        }
        let mut client = Client::new(settings.config).map_err(|e| e.to_string())?;
        let observer = reporter.clone();
        client.observe(move |event| observer.borrow_mut().event(&event));
        Ok(Self { client, reporter })
    }

    /// The reporter, for one call: the client reports to it too while it works.
    pub(crate) fn out(&self) -> RefMut<'_, Reporter> {
        self.reporter.borrow_mut()
    }

    pub(crate) fn server(&self) -> &ServerUrl {
        &self.client.config().server
    }

    /// Tells of a failed request; its exit status.
    pub(crate) fn fail(&self, error: &Error) -> ExitStatus {
        self.out().failure(error, self.server());
        error.exit_status()
    }

    /// Tells of wrong usage; its exit status.
    pub(crate) fn misused(&self, problem: &str) -> ExitStatus {
        self.out().error(problem);
        ExitStatus::Usage
    }
}
