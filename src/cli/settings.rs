//! Settings: options and environment become a [`Config`].

use std::env::{self, VarError};
use std::path::Path;
use std::time::Duration;

use connect_cache::{ApiKey, ClientCertificate, Config, InvalidConfig, Proxy, ServerUrl, Trust};

use super::files::{read_file, read_stdin};
use super::options::Common;
use super::saved_servers::{self, SavedServer};

/// A year: the longest time that a user can set.
const MAX_SECONDS: Duration = Duration::from_secs(31_536_000);
const MAX_RETRIES: u32 = 100;
/// How long to follow tasks by default: a day.
const TASK_TIMEOUT: Duration = Duration::from_secs(86_400);

/// What the common options and the environment amount to.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) warnings: Vec<String>,
}

/// How often the live line shows the time to a person.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Settles the common options. The error is for people.
pub(crate) fn settle(common: &Common, interactive: bool) -> Result<Settings, String> {
    let mut warnings = Vec::new();
    let saved = match &common.name {
        Some(_) if common.server.is_some() => {
            return Err(
                "--name and --server exclude each other: a saved server has its own address".to_owned()
            );
        }
        Some(name) => Some(saved_servers::find(name, &|name| env::var_os(name))?),
        None => None,
    };

    let server = server(common, saved.as_ref())?;
    let key = key(common, saved.as_ref(), &mut warnings)?;
    let trust = trust(common, saved.as_ref())?;
    let client_certificate = client_certificate(common)?;
    let proxy =
        Proxy::for_server(&server, &|name| env::var_os(name).map(|v| v.to_string_lossy().into_owned()))
            .map_err(String::from)?;

    if matches!(trust, Trust::Insecure) {
        warnings
            .push("the server's certificate is not verified: whoever answers gets the API key".to_owned());
    }
    if !server.is_https() && !server.is_loopback() {
        warnings.push(format!("{server} is plain http: the API key travels unencrypted"));
    }

    let interval = seconds("--interval", common.interval.as_deref(), None)?;
    let timeout = seconds("--timeout", common.timeout.as_deref(), Some("CONNECT_TASK_TIMEOUT"))?;
    let request_timeout =
        seconds("--request-timeout", common.request_timeout.as_deref(), Some("CONNECT_REQUEST_TIMEOUT"))?;
    let mut config = Config::new(server, key);
    config.trust = trust;
    config.client_certificate = client_certificate;
    config.proxy = proxy;
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
    Ok(Settings { config, warnings })
}

fn server(common: &Common, saved: Option<&SavedServer>) -> Result<ServerUrl, String> {
    let address = match (saved, &common.server) {
        (Some(saved), _) => saved.url.clone(),
        (None, Some(address)) => address.clone(),
        (None, None) => variable("CONNECT_SERVER")?
            .ok_or("no server is named; pass --server URL or --name NAME, or set CONNECT_SERVER")?,
    };
    address.parse::<ServerUrl>().map_err(String::from)
}

fn key(common: &Common, saved: Option<&SavedServer>, warnings: &mut Vec<String>) -> Result<ApiKey, String> {
    if let Some(key) = &common.api_key {
        return key.reveal().parse::<ApiKey>().map_err(String::from);
    }
    if let Some(path) = &common.api_key_file {
        return key_file(path, warnings);
    }
    if let Some(saved) = saved {
        let key = saved.api_key.as_deref().filter(|key| !key.is_empty());
        let key =
            key.ok_or("the saved server has no API key; pass one with --api-key-file FILE or --api-key KEY")?;
        return key.parse::<ApiKey>().map_err(String::from);
    }
    if let Some(key) = variable("CONNECT_API_KEY")? {
        return key.parse::<ApiKey>().map_err(String::from);
    }
    match variable("CONNECT_API_KEY_FILE")? {
        Some(path) => key_file(&path, warnings),
        None => Err("there is no API key; pass --api-key-file FILE, or set CONNECT_API_KEY".to_owned()),
    }
}

fn key_file(path: &str, warnings: &mut Vec<String>) -> Result<ApiKey, String> {
    let content = if path == "-" {
        read_stdin().map_err(|e| format!("cannot read the API key from standard input: {e}"))?
    } else {
        if is_readable_by_all(Path::new(path)) {
            warnings
                .push(format!("the key file {path} can be read by every user of this host; chmod 600 it"));
        }
        read_file(Path::new(path)).map_err(|e| format!("cannot read the key file {path}: {e}"))?
    };
    let text = String::from_utf8(content).map_err(|_| format!("the key file {path} is not text"))?;
    text.trim().parse().map_err(|e: InvalidConfig| format!("in the key file {path}, {e}"))
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

/// Returns the trust: by flags, else the saved server alone, else the environment. A CA named by a flag is used
/// whatever the saved server or the environment says.
fn trust(common: &Common, saved: Option<&SavedServer>) -> Result<Trust, String> {
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
    if let Some(saved) = saved {
        return Ok(match saved.ca_cert.as_deref().filter(|pem| !pem.trim().is_empty()) {
            _ if saved.insecure == Some(true) => Trust::Insecure,
            Some(pem) => {
                let source = "the CA saved with the server".to_owned();
                Trust::Certificates { source, pem: pem.as_bytes().to_vec() }
            }
            None => Trust::Store,
        });
    }
    if insecure_by_environment()? {
        return Ok(Trust::Insecure);
    }
    match variable("CONNECT_CA_CERTIFICATE")? {
        Some(path) => Trust::file(&path).map_err(String::from),
        None => Ok(Trust::Store),
    }
}

/// Returns the client certificate: by flags, else by the environment, which a saved server overrides.
fn client_certificate(common: &Common) -> Result<Option<ClientCertificate>, String> {
    let setting = |flag: &Option<String>, name| match flag {
        None if common.name.is_none() => variable(name),
        flag => Ok(flag.clone()),
    };
    let certificate = setting(&common.client_cert, "CONNECT_CLIENT_CERTIFICATE")?;
    let key = setting(&common.client_key, "CONNECT_CLIENT_KEY")?;
    match (certificate, key) {
        (Some(path), key) => {
            let pair = ClientCertificate::files(Path::new(&path), key.as_deref().map(Path::new));
            Ok(Some(pair.map_err(String::from)?))
        }
        (None, Some(_)) => {
            Err("there is a client key and no certificate; pass its file with --client-cert FILE".to_owned())
        }
        (None, None) => Ok(None),
    }
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
        Err(VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
    }
}

fn boolean(name: &str, text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(format!("{name} is neither of 1, true, yes, on and 0, false, no, off")),
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
    match decimal(text.trim()) {
        Some(time) if time <= MAX_SECONDS => Ok(Some(time)),
        _ => Err(format!("{name} is not a number of seconds from 0 to {}", MAX_SECONDS.as_secs())),
    }
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
        _ => Err(format!("{option} is not a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_finite_and_at_most_a_year() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("1.5", Some(1.5)),
            (".25", Some(0.25)),
            ("7.", Some(7.0)),
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
    fn counts_are_bounded_and_booleans_are_words() {
        assert_eq!(count("--x", "4", 1, 9), Ok(4));
        for text in ["0", "10", "-1", "4.0", "99999999999", ""] {
            assert!(count("--x", text, 1, 9).is_err(), "{text}");
        }
        assert_eq!(boolean("X", "YES"), Ok(true));
        assert_eq!(boolean("X", "Off"), Ok(false));
        assert!(boolean("X", "maybe").is_err());
    }
}
