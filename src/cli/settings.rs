//! Settings: options, environment and saved servers become a [`Config`].

use std::env::{self, VarError};
use std::io::ErrorKind::NotFound;
use std::path::Path;
use std::time::Duration;

use connect_cache::{ApiKey, CaCertificates, Config, Header, Proxy, ServerUrl, Trust};

use super::files;
use super::misconfigured::Misconfigured;
use super::options::Options;
use super::saved_servers::{self, SavedServer};
use super::values::{Secret, boolean, seconds};

/// How long to follow tasks by default: a day.
const TASK_TIMEOUT: Duration = Duration::from_secs(86_400);
/// How long a poll may be held while a person is watching.
const WATCHED_WAIT: Duration = Duration::from_secs(1);

type Result<T> = std::result::Result<T, Misconfigured>;

/// The settings of a run.
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Which server is used, if nothing named it.
    pub(crate) note: Option<String>,
    pub(crate) warnings: Vec<String>,
}

/// Returns the settings of a run.
pub(crate) fn from_options(options: &Options, interactive: bool) -> Result<Settings> {
    let source = Source::of(options)?;
    let server: ServerUrl = source.url().parse()?;
    let note = source.note(options, &server);
    let place = KeyPlace::find(options, &source)?;
    let saved = match source {
        Source::Options(_) if place.is_none() => saved_servers::at(&server)?,
        _ => None,
    };
    let saved = saved.as_ref().or(source.saved_server());
    let headers = headers(options)?;
    let key = match (&place, saved) {
        (Some(place), _) => Some(place.read()?),
        // A key is not needed, but used if there is one: `Authorization` may be for a gateway.
        (None, None) if sets_authorization(&headers) => None,
        (None, Some(saved)) if sets_authorization(&headers) && saved.key().is_err() => None,
        (None, Some(saved)) => Some(saved.key()?.parse()?),
        (None, None) => return Err(Misconfigured::NoKey),
    };
    let trust = trust(options, &source, saved)?;
    let var = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let proxy = Proxy::for_server(&server, &var)?;
    let timeout = time(options.timeout, "CONNECT_TASK_TIMEOUT")?;
    let request_timeout = time(options.request_timeout, "CONNECT_REQUEST_TIMEOUT")?;
    let warnings = warnings(options, place.as_ref(), &server, &trust);

    let mut config = Config::without_key(server);
    config.key = key;
    config.trust = trust;
    config.proxy = proxy;
    config.headers = headers;
    config.timeout = Some(timeout.unwrap_or(TASK_TIMEOUT));
    config.interval = options.interval.unwrap_or(config.interval);
    if let Some(limit) = request_timeout {
        config.request_timeout = Some(limit).filter(|limit| !limit.is_zero());
    }
    config.retries = options.retries;
    config.max_wait = interactive.then_some(WATCHED_WAIT);
    Ok(Settings { config, note, warnings })
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
            (Some(_), Some(_)) => Err(Misconfigured::TwoServers),
            (Some(name), None) => Ok(Self::SavedServer(saved_servers::find(name)?)),
            (None, Some(url)) => Ok(Self::Options(url.clone())),
            (None, None) => match variable("CONNECT_SERVER")? {
                Some(url) => Ok(Self::Environment(url)),
                None => saved_servers::default()?.map(Self::SavedServer).ok_or(Misconfigured::NoServer),
            },
        }
    }

    fn url(&self) -> &str {
        match self {
            Self::Options(url) | Self::Environment(url) => url,
            Self::SavedServer(saved) => saved.url(),
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
        match self {
            Self::SavedServer(_) => Ok(None),
            _ => variable(name),
        }
    }

    fn note(&self, options: &Options, server: &ServerUrl) -> Option<String> {
        let saved = self.saved_server().filter(|_| options.name.is_none())?;
        Some(format!("using the saved server {} ({server}), rsconnect's default", saved.name))
    }
}

/// Where an option or a variable says that the key is.
enum KeyPlace {
    /// In the option or the variable itself.
    Text(Secret),
    /// In a file.
    File(String),
}

impl KeyPlace {
    fn find(options: &Options, source: &Source) -> Result<Option<Self>> {
        if let Some(key) = &options.api_key {
            return Ok(Some(Self::Text(key.clone())));
        }
        if let Some(path) = &options.api_key_file {
            return Ok(Some(Self::File(path.clone())));
        }
        if let Some(key) = source.variable("CONNECT_API_KEY")? {
            return Ok(Some(Self::Text(key.into())));
        }
        Ok(source.variable("CONNECT_API_KEY_FILE")?.map(Self::File))
    }

    fn read(&self) -> Result<ApiKey> {
        match self {
            Self::Text(key) => Ok(key.reveal().trim().parse()?),
            Self::File(path) => {
                let in_file = |source| Misconfigured::InvalidIn { place: format!("key file {path}"), source };
                secret_file("key", path)?.reveal().trim().parse().map_err(in_file)
            }
        }
    }
}

fn headers(options: &Options) -> Result<Vec<Header>> {
    let mut headers = Vec::new();
    for header in &options.header {
        match file_of(header) {
            Some(path) => {
                let text = secret_file("header", path)?;
                for line in text.reveal().lines().filter(|line| !line.trim().is_empty()) {
                    let in_file =
                        |source| Misconfigured::InvalidIn { place: format!("header file {path}"), source };
                    headers.push(line.parse().map_err(in_file)?);
                }
            }
            None => headers.push(header.reveal().parse()?),
        }
    }
    Ok(headers)
}

/// Returns the path of the file that contains headers.
fn file_of(header: &Secret) -> Option<&str> {
    header.reveal().strip_prefix('@')
}

fn sets_authorization(headers: &[Header]) -> bool {
    headers.iter().any(|header| header.name() == "authorization")
}

/// Reads a file that contains a secret.
fn secret_file(kind: &str, path: &str) -> Result<Secret> {
    files::read(path).map(Secret::from).map_err(|source| {
        // Whoever specifies a key instead of a file should not find it in a log.
        let may_be_key = path.len() > 16 && path.bytes().all(|b| b.is_ascii_alphanumeric());
        let file = match path {
            "-" => format!("the {kind} from standard input"),
            _ if may_be_key => format!("the {kind} file ***, whose name may be a secret"),
            _ => format!("the {kind} file {path}"),
        };
        let is_quoted =
            path.len() > 1 && ['"', '\''].iter().any(|&q| path.starts_with(q) && path.ends_with(q));
        if is_quoted && source.kind() == NotFound {
            Misconfigured::QuotedPath { file }
        } else {
            Misconfigured::Unreadable { file, source }
        }
    })
}

/// Returns the trust that options set, else variables, else the saved server.
fn trust(options: &Options, source: &Source, saved: Option<&SavedServer>) -> Result<Trust> {
    // A file that an option names must be valid even if it is not used.
    let file = options.cacert.as_ref().map(Trust::file).transpose()?;
    if options.insecure {
        return Ok(Trust::Insecure);
    }
    if let Some(file) = file {
        return Ok(file);
    }
    if parse("CONNECT_INSECURE", source.variable("CONNECT_INSECURE")?, boolean)? == Some(true) {
        return Ok(Trust::Insecure);
    }
    if let Some(path) = source.variable("CONNECT_CA_CERTIFICATE")? {
        return Ok(Trust::file(path)?);
    }
    match saved {
        Some(saved) if saved.is_insecure() => Ok(Trust::Insecure),
        Some(saved) => match saved.ca() {
            Some(pem) => {
                let certificates = CaCertificates::from_pem("the CA saved with the server", pem)?;
                Ok(Trust::Certificates(certificates))
            }
            None => Ok(Trust::Store),
        },
        None => Ok(Trust::Store),
    }
}

/// Returns what a person should know about these settings, each with its consequence.
fn warnings(options: &Options, key: Option<&KeyPlace>, server: &ServerUrl, trust: &Trust) -> Vec<String> {
    let key_file = match key {
        Some(KeyPlace::File(path)) => Some(("key", path.as_str())),
        _ => None,
    };
    let header_files = options.header.iter().filter_map(file_of).map(|path| ("header", path));
    let exposed = key_file.into_iter().chain(header_files).filter(|(_, path)| is_exposed(Path::new(path)));
    let mut warnings: Vec<String> = exposed
        .map(|(kind, path)| {
            format!("all users of this host can read the {kind} file; run: chmod 600 {}", quoted(path))
        })
        .collect();
    if matches!(trust, Trust::Insecure) {
        warnings
            .push("the server's certificate is not verified; an impostor can read the API key".to_owned());
    }
    if !server.is_https() && !server.is_loopback() {
        warnings.push(format!("{server} uses plain http; the API key is sent unencrypted"));
    }
    warnings
}

/// Reports whether all users of this host can read the file. Container runtimes mount secrets like this in
/// `/run/secrets`, where only the container sees them.
#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let is_open = path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0);
    is_open && !path.canonicalize().is_ok_and(|path| path.starts_with("/run/secrets"))
}

#[cfg(not(unix))]
fn is_exposed(_: &Path) -> bool {
    false
}

/// Returns the options that a printed command repeats, each after a space, to reach the same server. Secrets are
/// left out.
pub(crate) fn repeated(options: &Options) -> String {
    let headers = options.header.iter().filter(|header| file_of(header).is_some());
    let values = [
        ("-s", &options.server),
        ("-n", &options.name),
        ("-c", &options.cacert),
        ("--api-key-file", &options.api_key_file),
    ];
    let mut text = String::new();
    for (option, value) in values {
        if let Some(value) = value {
            text.push_str(&format!(" {option} {}", quoted(value)));
        }
    }
    for header in headers {
        text.push_str(&format!(" -H {}", quoted(header.reveal())));
    }
    if options.insecure {
        text.push_str(" -i");
    }
    text
}

/// Returns a word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Returns the time that an option or its variable sets.
fn time(option: Option<Duration>, name: &'static str) -> Result<Option<Duration>> {
    match option {
        Some(time) => Ok(Some(time)),
        None => parse(name, variable(name)?, seconds),
    }
}

/// Parses the value of a variable.
fn parse<T>(
    variable: &'static str,
    value: Option<String>,
    parse: fn(&str) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let unfit =
        |value: String| parse(&value).map_err(|problem| Misconfigured::Unfit { variable, value, problem });
    value.map(unfit).transpose()
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
