//! What a command works with.

use std::io::{self, IsTerminal};
use std::time::Instant;

use connect_cache::{Client, Error, ExitStatus, ServerUrl};

use super::advice::explained;
use super::options::Common;
use super::output::Output;
use super::settings;

/// The client and the output of one run.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) output: Output,
}

impl Session {
    /// Opens a session as the common options say. The error is for people.
    pub(crate) fn open(common: &Common) -> Result<Self, String> {
        let started_at = Instant::now();
        let interactive = io::stderr().is_terminal() && !common.quiet;
        let settings = settings::settle(common, interactive)?;
        let output = Output::new(started_at, common.quiet, common.verbose, interactive);
        if let Some(note) = &settings.note {
            output.note(note);
        }
        for warning in &settings.warnings {
            output.warn(warning);
        }
        let mut client = Client::new(settings.config).map_err(String::from)?;
        let observer = output.clone();
        client.observe(move |event| observer.event(&event));
        Ok(Self { client, output })
    }

    pub(crate) fn server(&self) -> &ServerUrl {
        &self.client.config().server
    }

    /// Prints a failed request with the next step, and returns its exit status.
    pub(crate) fn fail(&self, error: &Error) -> ExitStatus {
        self.output.error(&explained(error, self.server()));
        error.exit_status()
    }

    /// Prints a usage error, and returns its exit status.
    pub(crate) fn misused(&self, problem: &str) -> ExitStatus {
        self.output.error(problem);
        ExitStatus::Usage
    }
}
