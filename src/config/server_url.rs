//! The address of a Connect server.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use ureq::http::uri::{Authority, PathAndQuery};

use crate::config::invalid::InvalidConfig;

/// Limit for the path prefix, in bytes, so that a request's first line fits in ureq's buffer.
const MAX_PREFIX: usize = 1024;
/// Schemes without a colon or a slash.
const MISSPELLED_SCHEMES: [&str; 5] = ["https:/", "https//", "http:/", "http//", "//"];

/// A server's address: `http` or `https`, a host, perhaps a port and a path prefix.
///
/// Parsing drops a trailing `/` and everything from `/__api__` on. It rejects user info, a query and a fragment, so
/// that neither the key nor a request goes to another address than intended.
///
/// ```
/// use connect_cache::ServerUrl;
///
/// let server: ServerUrl = "https://example.com/connect/__api__/".parse()?;
/// assert_eq!(server.to_string(), "https://example.com/connect");
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    https: bool,
    /// The host, in lower case, and perhaps a port.
    authority: Authority,
    /// Empty, or `/` and at least one more character, with no `/` at its end.
    prefix: String,
}

impl ServerUrl {
    /// Reports whether requests go over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Returns the host's name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.authority.host().trim_matches(['[', ']'])
    }

    /// Returns the port: 80 or 443 if the address names none.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Reports whether the host, as written, is this host's loopback, so that requests do not leave it.
    pub fn is_loopback(&self) -> bool {
        let host = self.host().trim_end_matches('.');
        match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// Returns the scheme, host and port, with which the target of a request in absolute form begins.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }

    /// Returns the URL of the endpoint at `path`, which is relative to the API's base `__api__/`.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{self}/__api__/{path}")
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.prefix)
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidConfig;

    /// Parses an address, after dropping blanks and line ends around it.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let text = text.trim();
        let invalid = |problem, intended| Err(InvalidConfig::ServerUrl { problem, intended });
        if text.contains(['"', '\'', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']) {
            return invalid("contains quotes; remove them", None);
        }
        if text.contains('\\') {
            return invalid("contains backslashes instead of slashes", None);
        }
        let (scheme, address) = text.split_once("://").unwrap_or_else(|| {
            ("", MISSPELLED_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text))
        });
        let (authority, rest) = address.split_at(address.find(['/', '?', '#']).unwrap_or(address.len()));
        let (user_info, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (path, tail) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        // The dashboard's pages are fragments under /connect/.
        let dashboard = path.trim_end_matches('/').strip_suffix("/connect").filter(|_| tail.starts_with('#'));
        let https = !scheme.eq_ignore_ascii_case("http");
        let server = host_and_port(host)
            .and_then(|authority| Ok(Self { https, authority, prefix: prefix(dashboard.unwrap_or(path))? }));

        let problem = if text.is_empty() {
            "is empty"
        } else if scheme.is_empty() {
            "has no scheme"
        } else if https && !scheme.eq_ignore_ascii_case("https") {
            "has a scheme other than http or https"
        } else if !user_info.is_empty() {
            "contains user info, which Connect does not use"
        } else if !tail.is_empty() {
            "has a query or a fragment"
        } else {
            return server.or_else(|problem| invalid(problem, None));
        };
        // The text before an @ in the path may be part of a password.
        let intended = server.ok().filter(|_| !rest.contains('@'));
        invalid(problem, intended.map(|server| server.to_string()))
    }
}

/// Reads `host[:port]`, and returns it in lower case.
pub(crate) fn host_and_port(text: &str) -> Result<Authority, &'static str> {
    const INVALID_HOST: &str = "has an invalid host";
    if !text.is_ascii() {
        return Err("has a host name that is not ASCII; write it in its ASCII form, xn--\u{2026}");
    }
    if text.contains(char::is_whitespace) {
        return Err("has whitespace in its host name");
    }
    if text.is_empty() || text.rfind(':') == Some(0) {
        return Err("has no host");
    }
    // The http crate decides which characters a host may have.
    let authority: Authority = text.to_ascii_lowercase().parse().map_err(|_| INVALID_HOST)?;
    let host = authority.host();
    if host.contains('[') && host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_err() {
        return Err(INVALID_HOST);
    }
    let port = &authority.as_str()[host.len()..];
    let number = port.strip_prefix(':').filter(|number| !number.starts_with('+'));
    if !port.is_empty() && number.is_none_or(|number| number.parse::<NonZeroU16>().is_err()) {
        return Err("has a port that is not a number from 1 to 65535");
    }
    Ok(authority)
}

/// Returns the part of a path before `/__api__`, without slashes at its end.
fn prefix(path: &str) -> Result<String, &'static str> {
    let segments: Vec<&str> = path.split('/').take_while(|segment| *segment != "__api__").collect();
    let prefix = segments.join("/").trim_end_matches('/').to_owned();
    if prefix.len() > MAX_PREFIX {
        return Err("has a path that is too long");
    }
    // The http crate decides which characters a path may have, and accepts some that are not ASCII.
    if !prefix.is_ascii() || format!("{prefix}/").parse::<PathAndQuery>().is_err() {
        return Err("contains invalid characters; percent-encode them");
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::ServerUrl;

    #[test]
    fn accepts_pasted_addresses() {
        for (text, address) in [
            ("https://connect.example.com", "https://connect.example.com"),
            ("https://connect.example.com/", "https://connect.example.com"),
            (" HTTPS://Connect.Example.com/__api__ \r\n", "https://connect.example.com"),
            ("http://localhost:3939/__api__/", "http://localhost:3939"),
            ("https://example.com/rsc//", "https://example.com/rsc"),
            ("https://example.com/Rsc/__api__", "https://example.com/Rsc"),
            ("http://[::1]:3939", "http://[::1]:3939"),
            ("http://[::1]", "http://[::1]"),
            ("https://host/rsc/__api__/v1/user", "https://host/rsc"),
            ("https://host/__api__x", "https://host/__api__x"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), address);
        }
    }

    #[test]
    fn limits_the_length_of_the_prefix() {
        let with_prefix =
            |length: usize| format!("https://host/{}", "x".repeat(length - 1)).parse::<ServerUrl>();
        assert!(with_prefix(1024).is_ok());
        assert!(with_prefix(1025).is_err() && with_prefix(5000).is_err());
    }

    #[test]
    fn rejects_invalid_addresses_and_suggests_the_intended_ones() {
        for (text, says) in [
            ("connect.example.com", "no scheme; use https://connect.example.com"),
            ("localhost:3939/x", "no scheme; use https://localhost:3939/x"),
            ("admin:pw@host", "no scheme; use https://host"),
            ("https:/host/x", "no scheme; use https://host/x"),
            ("https//host", "no scheme; use https://host"),
            ("https.example.com/x", "no scheme; use https://https.example.com/x"),
            ("me:p/pw@host", "has no scheme"),
            ("https://me:p?pw@host", "has a query or a fragment"),
            ("ftp://host/x", "a scheme other than http or https; use https://host/x"),
            ("https://me:pw@host/x", "user info, which Connect does not use; use https://host/x"),
            ("https://me:pw@host/x?q", "user info, which Connect does not use; use https://host/x"),
            ("https://host/connect/#/content", "a query or a fragment; use https://host"),
            ("https://host/rsc/connect#/x", "a query or a fragment; use https://host/rsc"),
            ("https://host/x/#/connect", "a query or a fragment; use https://host/x"),
            ("https://host/__api__/v1/tasks?first=0", "a query or a fragment; use https://host"),
            ("\"https://host:3939\"", "contains quotes; remove them"),
            ("\u{201c}https://me:pw@host\u{201d}", "contains quotes; remove them"),
            ("'https://host", "contains quotes; remove them"),
            ("https://ho`st", "an invalid host"),
            ("https:\\\\host\\x", "contains backslashes instead of slashes"),
            ("https://me:1\\pw@host", "contains backslashes instead of slashes"),
            ("https://host?next=@x", "a query or a fragment"),
            ("https://me:pw?x@host", "a query or a fragment"),
            ("me:pw#x@host", "has no scheme"),
            ("ftp://me:pw?x@host", "a scheme other than http or https"),
            ("https://", "has no host"),
            ("https://:80", "has no host"),
            ("https://host:3939 https://host", "has whitespace in its host name"),
            ("https://me:pw x@host", "contains user info, which Connect does not use; use https://host"),
            ("https://host:", "from 1 to 65535"),
            ("https://host:0", "from 1 to 65535"),
            ("https://host:99999", "from 1 to 65535"),
            ("https://host:+80", "from 1 to 65535"),
            ("https://::1", "an invalid host"),
            ("https://[host]", "an invalid host"),
            ("https://a[::1]", "an invalid host"),
            ("https://[::1]80", "from 1 to 65535"),
            ("https://[::1", "an invalid host"),
            ("https://[fe80::1%25eth0]", "an invalid host"),
            ("https://a%20b", "an invalid host"),
            ("https://ho st", "has whitespace in its host name"),
            ("https://host/a b", "characters"),
            ("https://h\u{f6}st:3939/x", "not ASCII; write it in its ASCII form, xn--"),
            ("https://me:pw@h\u{f6}st", "user info, which Connect does not use"),
            ("h\u{f6}st", "has no scheme"),
            ("https://host/\u{f6}", "characters"),
            ("https://host/\r\nx: y", "characters"),
            ("", "is empty"),
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
            assert!(!error.contains("pw"), "{text:?}: {error}");
        }
    }

    #[test]
    fn recognizes_loopback_addresses() {
        for (text, loopback) in [
            ("http://localhost:3939", true),
            ("http://connect.localhost", true),
            ("http://127.8.0.1", true),
            ("http://[::1]", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
