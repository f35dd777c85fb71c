//! The client and the output of a command.

use connect_cache::{Client, Error, ExitStatus, ServerUrl};

use super::advice::explained;
use super::misconfigured::Misconfigured;
use super::options::Options;
use super::output::Output;
use super::settings;

/// The client and the output of one run.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) output: Output,
    /// The options that a printed command repeats.
    repeated: String,
}

impl Session {
    /// Opens a session as the options, the environment and the saved servers say.
    pub(crate) fn open(options: &Options) -> Result<Self, Misconfigured> {
        let output = Output::new(options.quiet, options.verbose);
        let settings = settings::from_options(options, output.interactive())?;
        if let Some(note) = &settings.note {
            output.note(note);
        }
        for warning in &settings.warnings {
            output.warn(warning);
        }
        let mut client = Client::new(settings.config)?;
        let observer = output.clone();
        client.observe(move |event| observer.event(&event));
        Ok(Self { client, output, repeated: settings::repeated(options) })
    }

    pub(crate) fn server(&self) -> &ServerUrl {
        &self.client.config().server
    }

    /// Returns a command to print: it works as printed, apart from a key that was given as an option.
    pub(crate) fn command(&self, words: &str) -> String {
        format!("connect-cache {words}{}", self.repeated)
    }

    /// Restarts the clocks after a prompt, since the time that a person took to answer does not count.
    pub(crate) fn restart_clocks(&self) {
        self.client.restart_clock();
        self.output.restart_clock();
    }

    /// Returns an error and the next step, on one line.
    pub(crate) fn explained(&self, error: &Error) -> String {
        explained(error, self.server(), &|words| self.command(words))
    }

    /// Prints a failed request with the next step, and returns its exit status.
    pub(crate) fn fail(&self, error: &Error) -> ExitStatus {
        self.output.error(&self.explained(error));
        error.exit_status()
    }

    /// Prints a usage error, and returns its exit status.
    pub(crate) fn misused(&self, problem: &str) -> ExitStatus {
        self.output.error(problem);
        ExitStatus::Usage
    }
}
