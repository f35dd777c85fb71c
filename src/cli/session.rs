//! The client and the output of a command.

use connect_cache::{Client, Error, RuntimeCache, ServerUrl};

use super::advice;
use super::exit_status::ExitStatus;
use super::misconfigured::Misconfigured;
use super::options::{Command, Options};
use super::output::Output;
use super::settings;

/// The client and the output of one run.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) output: Output,
    /// The options that a printed command repeats.
    repeated: String,
    /// Whether the command is `check`, which no message of its own advises.
    checks: bool,
}

impl Session {
    /// Opens a session as the options, the environment and the saved servers say.
    pub(crate) fn open(options: &Options, output: &Output) -> Result<Self, Misconfigured> {
        let mut output = output.clone();
        (output.quiet, output.verbose) = (options.quiet, options.verbose);
        let settings = settings::from_options(options, &output)?;
        settings.note.iter().for_each(|note| output.note(note));
        settings.warnings.iter().for_each(|warning| output.warn(warning));
        let mut client = Client::new(settings.config)?;
        let observer = output.clone();
        client.observe(move |event| observer.event(&event));
        let checks = matches!(options.command, Command::Check(_));
        Ok(Self { client, output, repeated: settings::repeated(options), checks })
    }

    pub(crate) fn server(&self) -> &ServerUrl {
        &self.client.config().server
    }

    /// Returns a command to print: it works as printed, apart from a key that was given as an option.
    pub(crate) fn command(&self, words: &str) -> String {
        format!("connect-cache {words}{}", self.repeated)
    }

    /// Prints a line for people to standard output. As in every text that may come from the server, the key is masked.
    pub(crate) fn line(&self, text: &str) {
        self.output.line(&self.client.mask_key(text));
    }

    /// Prints a note unless --quiet is set.
    pub(crate) fn note(&self, text: &str) {
        self.output.note(&self.client.mask_key(text));
    }

    /// Prints text to standard error, even if --quiet is set.
    pub(crate) fn say(&self, text: &str) {
        self.output.say(&self.client.mask_key(text));
    }

    pub(crate) fn error(&self, text: &str) {
        self.output.error(&self.client.mask_key(text));
    }

    /// Returns a cache as it may be shown.
    pub(crate) fn shown(&self, cache: &RuntimeCache) -> RuntimeCache {
        let RuntimeCache { language, version, image_name, .. } = cache;
        let [language, version, image_name] =
            [language, version, image_name].map(|name| self.client.mask_key(name));
        RuntimeCache::new(language, version, image_name)
    }

    /// Returns the next step after an error, if one is known.
    pub(crate) fn next_step(&self, error: &Error) -> Option<String> {
        let check = Some(self.command("check")).filter(|_| !self.checks);
        advice::next_step(error, self.client.config(), check.as_deref())
    }

    /// Returns an error and the next step, on one line.
    pub(crate) fn explained(&self, error: &Error) -> String {
        let next_step = self.next_step(error).map(|step| format!("; {step}")).unwrap_or_default();
        format!("{error}{next_step}")
    }

    /// Prints a failed request with the next step, and returns its exit status.
    pub(crate) fn fail(&self, error: &Error) -> ExitStatus {
        self.error(&self.explained(error));
        ExitStatus::from(error)
    }

    /// Prints a usage error, and returns its exit status.
    pub(crate) fn misused(&self, problem: &str) -> ExitStatus {
        self.error(problem);
        ExitStatus::Usage
    }
}
