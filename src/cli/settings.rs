//! Settings: options, environment and saved servers become a [`Config`].

use std::env::{self, VarError};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use connect_cache::{ApiKey, Config, Header, InvalidConfig, Proxy, ServerUrl, Trust};

use super::files;
use super::misconfigured::Misconfigured;
use super::options::{Command, Options};
use super::output::Output;
use super::saved_servers::{self, SavedServer};
use super::values::{Secret, boolean, is_key, seconds};

/// How long to follow tasks by default: a day.
const TASK_TIMEOUT: Duration = Duration::from_secs(86_400);
/// How long a poll may be held while a person is watching.
const WATCHED_WAIT: Duration = Duration::from_secs(1);

type Result<T, E = Misconfigured> = std::result::Result<T, E>;

/// The settings of a run.
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Which server is used, if nothing named it.
    pub(crate) note: Option<String>,
    /// What a person should know about these settings, each with its consequence.
    pub(crate) warnings: Vec<String>,
}

/// Returns the settings of a run.
pub(crate) fn from_options(options: &Options, output: &Output) -> Result<Settings> {
    let source = Source::of(options)?;
    let server: ServerUrl = source.url().parse()?;
    let (given_key, key_file) = key(options, &source)?.unzip();
    let at_url = match source {
        Source::Options(_) if given_key.is_none() => saved_servers::at(&server)?,
        _ => None,
    };
    let saved = at_url.as_ref().or(source.saved_server());
    let mut config = Config::without_key(server);
    config.headers = headers(options)?;
    let sets_authorization = config.headers.iter().any(|header| header.name() == "authorization");
    config.key = match (given_key, saved.map(SavedServer::key)) {
        (Some(key), _) => Some(key),
        (None, Some(Ok(key))) => Some(key.parse()?),
        // A key is not needed, but used if there is one: `Authorization` may be for a gateway.
        (None, _) if sets_authorization => None,
        (None, Some(Err(problem))) => return Err(problem),
        (None, None) => {
            return Err(Misconfigured::Usage(
                "no API key specified; use --api-key-file FILE, or set CONNECT_API_KEY",
            ));
        }
    };
    config.trust = trust(options, &source, saved)?;
    let var = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    config.proxy = Proxy::for_server(&config.server, &var)?;
    config.timeout = time(options.timeout, "CONNECT_TASK_TIMEOUT")?.or(Some(TASK_TIMEOUT));
    if let Some(limit) = time(options.request_timeout, "CONNECT_REQUEST_TIMEOUT")? {
        config.request_timeout = Some(limit).filter(|limit| !limit.is_zero());
    }
    config.interval = options.interval.unwrap_or(config.interval);
    config.retries = options.retries;
    config.max_wait = output.interactive().then_some(WATCHED_WAIT);

    let default = source.saved_server().filter(|_| options.name.is_none());
    let server = &config.server;
    let note =
        default.map(|saved| format!("using the saved server {} ({server}), rsconnect's default", saved.name));
    let warnings = warnings(&config, key_file.flatten(), options);
    Ok(Settings { config, note, warnings })
}

/// Returns what a person should know about these settings, each with its consequence.
fn warnings(config: &Config, key_file: Option<String>, options: &Options) -> Vec<String> {
    let key_file = key_file.iter().map(|path| ("key", path.as_str()));
    let header_files = options.header.iter().filter_map(header_file).map(|path| ("header", path));
    let exposed = key_file.chain(header_files).filter(|(_, path)| is_exposed(Path::new(path)));
    let mut warnings: Vec<String> = exposed
        .map(|(kind, path)| {
            format!("all users of this host can read the {kind} file; run: chmod 600 {}", quoted(path))
        })
        .collect();
    if matches!(config.trust, Trust::Insecure) {
        warnings
            .push("the server's certificate is not verified; an impostor can read the API key".to_owned());
    }
    let server = &config.server;
    if !server.is_https() && !server.is_loopback() {
        warnings.push(format!("{server} uses plain http; the API key is sent unencrypted"));
    }
    warnings
}

/// What names the server. It also supplies what no option sets.
enum Source {
    /// `--server`, with a URL. Variables supply the rest; if they contain no key, a server saved with this URL does.
    Options(String),
    /// `CONNECT_SERVER`, with a URL. Variables supply the rest.
    Environment(String),
    /// `--name`, or rsconnect's default server if nothing else names one. Variables are ignored, so that no server gets
    /// the key of another.
    SavedServer(SavedServer),
}

impl Source {
    fn of(options: &Options) -> Result<Self> {
        match (&options.name, &options.server) {
            (Some(_), Some(_)) => Err(Misconfigured::Usage(
                "--name cannot be combined with --server: a saved server has its own URL",
            )),
            (Some(name), None) => Ok(Self::SavedServer(saved_servers::find(name)?)),
            (None, Some(url)) => Ok(Self::Options(url.clone())),
            (None, None) => match variable("CONNECT_SERVER")? {
                Some(url) => Ok(Self::Environment(url)),
                None => saved_servers::default()?.map(Self::SavedServer).ok_or(Misconfigured::Usage(
                    "no server specified; use --server URL or --name NAME, or set CONNECT_SERVER",
                )),
            },
        }
    }

    fn url(&self) -> &str {
        match self {
            Self::Options(url) | Self::Environment(url) => url,
            Self::SavedServer(saved) => &saved.url,
        }
    }

    fn saved_server(&self) -> Option<&SavedServer> {
        match self {
            Self::SavedServer(saved) => Some(saved),
            _ => None,
        }
    }

    /// Returns a variable's value if this source uses variables.
    fn variable(&self, name: &'static str) -> Result<Option<String>> {
        if self.saved_server().is_some() { Ok(None) } else { variable(name) }
    }
}

/// Returns the key that an option or a variable sets, itself or by the name of its file, with that name.
fn key(options: &Options, source: &Source) -> Result<Option<(ApiKey, Option<String>)>> {
    let (mut key, mut file) = (options.api_key.clone(), options.api_key_file.clone());
    if key.is_none() && file.is_none() {
        key = source.variable("CONNECT_API_KEY")?.map(Secret::from);
        file = source.variable("CONNECT_API_KEY_FILE")?;
    }
    let reads_caches =
        matches!(&options.command, Command::Purge(purge) if purge.from.as_deref() == Some("-"));
    let headers = options.header.iter().filter_map(header_file);
    let files = headers.chain(file.as_deref().filter(|_| key.is_none()));
    if files.filter(|file| *file == "-").count() + usize::from(reads_caches) > 1 {
        return Err(Misconfigured::Usage("only one option can read standard input"));
    }
    match (key, file) {
        (Some(key), _) => Ok(Some((key.reveal().parse()?, None))),
        (None, Some(path)) => Ok(Some((secret_file("key", &path, str::parse)?, Some(path)))),
        (None, None) => Ok(None),
    }
}

fn headers(options: &Options) -> Result<Vec<Header>> {
    let mut headers = Vec::new();
    for header in &options.header {
        match header_file(header) {
            None => headers.push(header.reveal().parse()?),
            Some(path) => headers.extend(secret_file("header", path, |text| {
                let lines = text.lines().filter(|line| !line.trim().is_empty());
                lines.map(str::parse).collect::<Result<Vec<Header>, _>>()
            })?),
        }
    }
    Ok(headers)
}

/// Returns the path of the file of headers that an option names.
fn header_file(header: &Secret) -> Option<&str> {
    header.reveal().strip_prefix('@')
}

/// Reads a file that contains a secret.
fn secret_file<T>(kind: &str, path: &str, parse: impl FnOnce(&str) -> Result<T, InvalidConfig>) -> Result<T> {
    let file = match path {
        "-" => format!("the {kind} from standard input"),
        // Whoever specifies a key instead of a file should not find it in a log.
        _ if is_key(path) => format!("the {kind} file ***, whose name may be a secret"),
        _ => format!("the {kind} file {path}"),
    };
    match files::read(path).map(Secret::from) {
        Ok(text) => parse(text.reveal()).map_err(|source| Misconfigured::InvalidIn { place: file, source }),
        Err(error) => Err(InvalidConfig::Unreadable { file, error }.into()),
    }
}

/// Reports whether all users of this host can read the file. Container runtimes mount secrets like this in
/// `/run/secrets`, where only the container sees them.
fn is_exposed(path: &Path) -> bool {
    let is_open = path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0);
    is_open && !path.canonicalize().is_ok_and(|path| path.starts_with("/run/secrets"))
}

/// Returns the trust that options set, else variables, else the saved server.
fn trust(options: &Options, source: &Source, saved: Option<&SavedServer>) -> Result<Trust> {
    // A file that an option names must be valid even if it is not used.
    let file = options.cacert.as_ref().map(Trust::file).transpose()?;
    if options.insecure {
        Ok(Trust::Insecure)
    } else if let Some(file) = file {
        Ok(file)
    } else if source.saved_server().is_none() && parsed("CONNECT_INSECURE", boolean)? == Some(true) {
        Ok(Trust::Insecure)
    } else if let Some(path) = source.variable("CONNECT_CA_CERTIFICATE")? {
        Ok(Trust::file(path)?)
    } else {
        saved.map_or(Ok(Trust::Store), SavedServer::trust)
    }
}

/// Returns the options that a printed command repeats, each after a space, to reach the same server. Secrets are
/// left out.
pub(crate) fn repeated(options: &Options) -> String {
    let values = [
        ("-s", &options.server),
        ("-n", &options.name),
        ("-c", &options.cacert),
        ("--api-key-file", &options.api_key_file),
    ];
    let values = values.into_iter().filter_map(|(option, value)| Some((option, value.as_deref()?)));
    let headers = options.header.iter().filter(|header| header_file(header).is_some());
    let all = values.chain(headers.map(|header| ("-H", header.reveal())));
    let text: String = all.map(|(option, value)| format!(" {option} {}", quoted(value))).collect();
    if options.insecure { text + " -i" } else { text }
}

/// Returns a word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Returns the time that an option or its variable sets.
fn time(option: Option<Duration>, name: &'static str) -> Result<Option<Duration>> {
    if option.is_some() { Ok(option) } else { parsed(name, seconds) }
}

/// Returns a variable's value if it is set.
fn parsed<T>(name: &'static str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>> {
    let Some(value) = variable(name)? else { return Ok(None) };
    parse(&value).map(Some).map_err(|problem| Misconfigured::Unfit { variable: name, value, problem })
}

/// Returns a variable's value without blanks and line ends around it, which env files leave. An empty one counts as
/// unset.
fn variable(name: &'static str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Misconfigured::NotUtf8 { variable: name }),
    }
}
