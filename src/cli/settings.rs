//! Settings: options and environment become a [`Config`].

use std::env::{self, VarError};
use std::path::Path;
use std::time::Duration;

use connect_cache::{ApiKey, Config, Header, InvalidConfig, Proxy, ServerUrl, Trust};

use super::files::{read_file, read_stdin, text};
use super::options::Common;
use super::saved_servers::{self, SavedServer};

/// A year: the longest time that a user can set.
const MAX_SECONDS: Duration = Duration::from_secs(31_536_000);
const MAX_RETRIES: u32 = 100;
/// How long to follow tasks by default: a day.
const TASK_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The settings of a run, from the common options and the environment.
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Which server is used, if nothing named it.
    pub(crate) note: Option<String>,
    pub(crate) warnings: Vec<String>,
}

/// How often the live line shows the time to a person.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Returns the settings. The error is for people.
pub(crate) fn from_options(common: &Common, interactive: bool) -> Result<Settings, String> {
    let mut warnings = Vec::new();
    let address = match &common.server {
        None if common.name.is_none() => variable("CONNECT_SERVER")?,
        address => address.clone(),
    };
    let mut saved = match (&common.name, &address) {
        (Some(_), Some(_)) => {
            return Err("--name cannot be combined with --server: a saved server has its own URL".to_owned());
        }
        (Some(name), None) => Some(saved_servers::find(name)?),
        (None, Some(_)) => None,
        (None, None) => Some(
            saved_servers::default()?
                .ok_or("no server specified; use --server URL or --name NAME, or set CONNECT_SERVER")?,
        ),
    };
    let address = saved.as_ref().map(|saved| saved.url.clone()).or(address).unwrap_or_default();
    let server: ServerUrl = address.parse().map_err(String::from)?;
    let note = match &saved {
        Some(SavedServer { name, .. }) if common.name.is_none() => {
            Some(format!("using the saved server {name} ({server}), rsconnect's default"))
        }
        _ => None,
    };
    // Variables are ignored with a saved server, so that no server gets the key of another.
    let variables = saved.is_none();
    let key = match key(common, variables, &mut warnings)? {
        Some(key) => key,
        None => {
            if common.server.is_some() {
                saved = saved_servers::at(&server)?;
            }
            let no_key = "no API key specified; use --api-key-file FILE, or set CONNECT_API_KEY";
            saved.as_ref().ok_or(no_key)?.key()?
        }
    };
    let headers = headers(common, &mut warnings)?;
    let trust = trust(common, variables, saved.as_ref())?;
    let proxy =
        Proxy::for_server(&server, &|name| env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
            .map_err(String::from)?;

    if matches!(trust, Trust::Insecure) {
        warnings
            .push("the server's certificate is not verified; an impostor can read the API key".to_owned());
    }
    if !server.is_https() && !server.is_loopback() {
        warnings.push(format!("{server} uses plain http; the API key is sent unencrypted"));
    }

    let interval = seconds("--interval", common.interval.as_deref(), None)?;
    let timeout = seconds("--timeout", common.timeout.as_deref(), Some("CONNECT_TASK_TIMEOUT"))?;
    let request_timeout =
        seconds("--request-timeout", common.request_timeout.as_deref(), Some("CONNECT_REQUEST_TIMEOUT"))?;
    let mut config = Config::new(server, key);
    config.trust = trust;
    config.proxy = proxy;
    config.headers = headers;
    config.timeout = Some(timeout.unwrap_or(TASK_TIMEOUT));
    config.interval = interval.unwrap_or(config.interval);
    config.request_timeout = match request_timeout {
        Some(limit) => Some(limit).filter(|limit| !limit.is_zero()),
        None => config.request_timeout,
    };
    config.retries = match &common.retries {
        Some(text) => Some(count("--retries", text, 0, MAX_RETRIES)?),
        None => None,
    };
    config.heartbeat = interactive.then_some(HEARTBEAT);
    Ok(Settings { config, note, warnings })
}

/// Returns the options that a printed command repeats, each after a space, to reach the same server. Secrets are
/// left out.
pub(crate) fn repeated(common: &Common) -> String {
    let mut text = String::new();
    for (option, value) in [
        ("-s", &common.server),
        ("-n", &common.name),
        ("-c", &common.cacert),
        ("--api-key-file", &common.api_key_file),
    ] {
        if let Some(value) = value {
            text.push_str(&format!(" {option} {}", quoted(value)));
        }
    }
    if common.insecure {
        text.push_str(" -i");
    }
    text
}

/// Returns a word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Returns the key that a flag or, if they count, a variable gives.
fn key(common: &Common, variables: bool, warnings: &mut Vec<String>) -> Result<Option<ApiKey>, String> {
    let file = |path: &str, warnings: &mut Vec<String>| {
        let text = secret_file("key", path, warnings)?;
        text.trim().parse().map(Some).map_err(|e: InvalidConfig| format!("key file {path}: {e}"))
    };
    if let Some(key) = &common.api_key {
        return key.reveal().parse().map(Some).map_err(String::from);
    }
    if let Some(path) = &common.api_key_file {
        return file(path, warnings);
    }
    if !variables {
        return Ok(None);
    }
    if let Some(key) = variable("CONNECT_API_KEY")? {
        return key.parse().map(Some).map_err(String::from);
    }
    match variable("CONNECT_API_KEY_FILE")? {
        Some(path) => file(&path, warnings),
        None => Ok(None),
    }
}

fn headers(common: &Common, warnings: &mut Vec<String>) -> Result<Vec<Header>, String> {
    let mut headers = Vec::new();
    for header in &common.header {
        let text = header.reveal();
        match text.strip_prefix('@') {
            Some(path) => {
                let lines = secret_file("header", path, warnings)?;
                for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                    headers
                        .push(line.parse().map_err(|e: InvalidConfig| format!("header file {path}: {e}"))?);
                }
            }
            None => headers.push(text.parse().map_err(String::from)?),
        }
    }
    Ok(headers)
}

/// Reads a file that holds a secret.
fn secret_file(kind: &str, path: &str, warnings: &mut Vec<String>) -> Result<String, String> {
    let content = if path == "-" {
        read_stdin().map_err(|e| format!("cannot read the {kind} from standard input: {e}"))?
    } else {
        if is_readable_by_all(Path::new(path)) {
            let file = quoted(path);
            warnings.push(format!("all users of this host can read the {kind} file; run: chmod 600 {file}"));
        }
        read_file(Path::new(path)).map_err(|e| {
            // Whoever gives a key instead of a file should not find it in a log.
            let name = match path.len() > 16 && path.bytes().all(|b| b.is_ascii_alphanumeric()) {
                true => "***, whose name may be a secret",
                false => path,
            };
            format!("cannot read the {kind} file {name}: {e}")
        })?
    };
    text(content).ok_or_else(|| format!("cannot read the {kind} file {path}: not text"))
}

#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

/// Returns the trust: by flags, else by variables, if they count, else the saved server's. A CA named by a flag is
/// used regardless of the other settings.
fn trust(common: &Common, variables: bool, saved: Option<&SavedServer>) -> Result<Trust, String> {
    // A file that is named must be valid even if it is not used.
    let named = match &common.cacert {
        Some(path) => Some(Trust::file(path).map_err(String::from)?),
        None => None,
    };
    if common.insecure {
        return Ok(Trust::Insecure);
    }
    if let Some(named) = named {
        return Ok(named);
    }
    if variables {
        if insecure_by_environment()? {
            return Ok(Trust::Insecure);
        }
        if let Some(path) = variable("CONNECT_CA_CERTIFICATE")? {
            return Trust::file(&path).map_err(String::from);
        }
    }
    Ok(match saved {
        Some(saved) if saved.insecure => Trust::Insecure,
        Some(saved) if !saved.ca_cert.trim().is_empty() => Trust::Certificates {
            source: "the CA saved with the server".to_owned(),
            pem: saved.ca_cert.as_bytes().to_vec(),
        },
        _ => Trust::Store,
    })
}

fn insecure_by_environment() -> Result<bool, String> {
    match variable("CONNECT_INSECURE")? {
        Some(text) => boolean("CONNECT_INSECURE", &text),
        None => Ok(false),
    }
}

/// Returns a variable's value; an empty one counts as unset.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("invalid {name}: not UTF-8")),
    }
}

fn boolean(name: &str, text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("invalid {name} '{text}': expected 1, true, yes, on, 0, false, no or off")),
    }
}

/// Returns the time given by an option or its variable.
fn seconds(option: &str, flag: Option<&str>, var: Option<&str>) -> Result<Option<Duration>, String> {
    let (name, text) = match (flag, var) {
        (Some(text), _) => (option, text.to_owned()),
        (None, Some(name)) => match variable(name)? {
            Some(text) => (name, text),
            None => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    match time(text.trim()) {
        Some(time) if time <= MAX_SECONDS => Ok(Some(time)),
        _ => Err(format!("invalid {name} '{text}': expected seconds from 0 to {}", MAX_SECONDS.as_secs())),
    }
}

/// Parses a time with its unit: seconds, unless it ends in `m` or `h`.
fn time(text: &str) -> Option<Duration> {
    let number = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    decimal(number)?.checked_mul(unit)
}

/// Parses seconds with decimals, of which nine count.
///
/// The standard library's floating point numbers would accept infinities too, and cost 20 KB.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() + part.len() == 0 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanos = part
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
    Some(Duration::new(whole, nanos))
}

/// Parses the count given by an option.
pub(crate) fn count(option: &str, text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("invalid {option} '{text}': expected a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_seconds_that_are_infinite_or_over_a_year() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("1.5", Some(1.5)),
            (".25", Some(0.25)),
            ("7.", Some(7.0)),
            ("30s", Some(30.0)),
            ("1.5m", Some(90.0)),
            ("2h", Some(7200.0)),
            ("8760h", Some(31_536_000.0)),
            ("8761h", None),
            ("9999999999999999999h", None),
            ("ms", None),
            ("1d", None),
            ("1hm", None),
            ("m1", None),
            ("0.1234567891", Some(0.123_456_789)),
            ("31536000", Some(31_536_000.0)),
            ("31536001", None),
            ("-1", None),
            ("nan", None),
            ("inf", None),
            ("1e3", None),
            ("+1", None),
            (".", None),
            ("1.2.3", None),
            ("99999999999999999999", None),
            ("", None),
            ("ten", None),
        ] {
            let parsed = seconds("--x", Some(text), None).ok().flatten();
            assert_eq!(parsed, expected.map(Duration::from_secs_f64), "{text}");
        }
    }

    #[test]
    fn rejects_counts_and_booleans_out_of_range() {
        assert_eq!(count("--x", "4", 1, 9), Ok(4));
        for text in ["0", "10", "-1", "4.0", "99999999999", ""] {
            assert!(count("--x", text, 1, 9).is_err(), "{text}");
        }
        assert_eq!(boolean("X", "YES"), Ok(true));
        assert_eq!(boolean("X", "Off"), Ok(false));
        assert!(boolean("X", "maybe").is_err());
    }
}
