//! What a complete reply means that is not the expected one.

use std::time::Duration;

use crate::api::{ApiError, Unreadable, read};
use crate::client::excerpt::excerpt;
use crate::client::secrets::Secrets;
use crate::config::{Config, ServerUrl};
use crate::error::ErrorKind;
use crate::http::{REQUEST_IDS, Reply, basic_refused, credentials_refused};

/// Explains how a reply without its end was lost.
const CUT: &str = "it ended early";

/// How many characters an error shows of a page that is no refusal.
const TITLE: usize = 60;

/// Explains a reply with any other status than success to a request for `path`.
pub(crate) fn refusal(reply: &Reply, config: &Config, path: &str, secrets: &Secrets) -> ErrorKind {
    let status = reply.status;
    match config.proxy.as_ref().filter(|proxy| !proxy.is_socks()) {
        Some(proxy) if reply.refuses_basic => return basic_refused(proxy),
        Some(proxy) if status == 407 => return credentials_refused(proxy, "HTTP 407"),
        _ => {}
    }
    if let (300..400, Some(location)) = (status, reply.header("location")) {
        let (location, instead) = redirect(&secrets.mask(location), &config.server, path);
        return ErrorKind::Redirect { status, location, instead };
    }
    if let Ok(ApiError { code, error }) = read(&reply.body) {
        return ErrorKind::Api { status, code, message: secrets.mask(&error).into_owned() };
    }
    if let Some(encoded) = encoded(reply, secrets) {
        return encoded;
    }
    ErrorKind::Foreign { status, excerpt: excerpt(&reply.body, secrets) }
}

/// Explains a successful reply that could not be read as `expected`.
pub(crate) fn unreadable(
    reply: &Reply,
    problem: Unreadable,
    expected: &'static str,
    secrets: &Secrets,
) -> ErrorKind {
    let (is_json, problem) = match problem {
        // The head states no length, so that only the JSON shows that the end was lost.
        Unreadable::Cut if !reply.is_framed() => return ErrorKind::Lost(CUT.to_owned()),
        Unreadable::DryRunStarted(task) => {
            return ErrorKind::DryRunStarted { task: secrets.mask(&task).into_owned() };
        }
        Unreadable::Unexpected(problem) => (true, format!("got something else: {}", secrets.mask(&problem))),
        Unreadable::Cut | Unreadable::NotJson => (false, "got no JSON".to_owned()),
    };
    let mut excerpt = excerpt(&reply.body, secrets);
    if excerpt.is_page {
        // This is no refusal, but a login page or the like, whose title says enough.
        excerpt.text = excerpt.text.chars().take(TITLE).collect();
    }
    let malformed = ErrorKind::Malformed { expected, is_json, problem, excerpt };
    encoded(reply, secrets).filter(|_| !is_json).unwrap_or(malformed)
}

/// Explains a reply that cannot be read because its content is encoded.
fn encoded(reply: &Reply, secrets: &Secrets) -> Option<ErrorKind> {
    let encoding = secrets.mask(reply.header("content-encoding")?.trim()).into_owned();
    let is_encoded =
        !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") && !reply.body.is_empty();
    is_encoded.then_some(ErrorKind::Encoded { status: reply.status, encoding })
}

/// Returns the name and the value of the header that leads to this request in the log of Connect, or of the gateway
/// that replied.
pub(crate) fn request_id(reply: &Reply, secrets: &Secrets) -> Option<String> {
    let value = |name: &str| reply.header(&name.to_ascii_lowercase());
    let (name, value) = REQUEST_IDS.into_iter().find_map(|name| Some((name, value(name)?)))?;
    Some(format!("{name}: {}", secrets.mask(value).chars().take(100).collect::<String>()))
}

/// Reads the value of `Retry-After` if it is a number, however large; dates are ignored.
pub(crate) fn retry_after(text: &str) -> Option<Duration> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// Returns the target of a redirect from `path` of `server`, without the query, and if that is the same endpoint
/// elsewhere, the server URL to configure.
fn redirect(location: &str, server: &ServerUrl, path: &str) -> (String, Option<String>) {
    let strip = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    let mut location = strip(location);
    if location.starts_with('/') && !location.starts_with("//") {
        // A location without a scheme and a host leads to the same host.
        location.insert_str(0, &server.origin());
    }
    let endpoint = format!("/__api__/{}", strip(path));
    let same = location.trim_end_matches('/').strip_suffix(&endpoint);
    // Never advise to configure a masked address.
    let is_address = |address: &&str| !address.contains('*') && address.parse::<ServerUrl>().is_ok();
    let instead = same.filter(is_address).map(str::to_owned);
    (location, instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_address_to_configure_only_if_a_redirect_leads_to_the_same_endpoint() {
        let server = "http://host:3939".parse().unwrap();
        for (location, shown, instead) in [
            ("https://host/__api__/v1/user?x=1", "https://host/__api__/v1/user", Some("https://host")),
            ("/rsc/__api__/v1/user", "http://host:3939/rsc/__api__/v1/user", Some("http://host:3939/rsc")),
            ("https://host/__login__?url=/__api__/v1/user", "https://host/__login__", None),
            ("//evil/__api__/v1/user", "//evil/__api__/v1/user", None),
            ("https://me:pw@host/__api__/v1/user", "https://me:pw@host/__api__/v1/user", None),
        ] {
            let (location, found) = redirect(location, &server, "v1/user?a=b");
            assert_eq!((location.as_str(), found.as_deref()), (shown, instead));
        }
        let server = "http://h".parse().unwrap();
        let (location, found) = redirect("/rsc/__api__/v1/user", &server, "v1/user");
        assert_eq!(
            (location.as_str(), found.as_deref()),
            ("http://h/rsc/__api__/v1/user", Some("http://h/rsc"))
        );
    }

    #[test]
    fn reads_retry_after_of_any_length() {
        for (text, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text), expected.map(Duration::from_secs), "{text}");
        }
    }
}
