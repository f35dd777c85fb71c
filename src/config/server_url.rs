//! The address of a Connect server.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ureq::http::uri::{Authority, PathAndQuery};

use super::invalid::InvalidConfig;

/// Limit for the path prefix, in bytes, so that a request's first line fits in ureq's buffer.
const MAX_PREFIX: usize = 1024;

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
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    https: bool,
    /// As written, an IPv6 address in its brackets.
    host: String,
    port: Option<u16>,
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
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Returns the port: 80 or 443 if the address names none.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// Reports whether the host, as written, is this host's loopback, so that requests do not leave it.
    pub fn is_loopback(&self) -> bool {
        let host = self.host().trim_end_matches('.').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// Returns the scheme, host and port, with which the target of a request in absolute form begins.
    pub(crate) fn origin(&self) -> String {
        let (scheme, host) = (if self.https { "https" } else { "http" }, &self.host);
        match self.port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }

    /// Returns the URL of the endpoint at `path`, which is relative to the API's base `__api__/`.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{self}/__api__/{path}")
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())?;
        f.write_str(&self.prefix)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerUrl({self})")
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidConfig;

    /// Parses an address, after dropping blanks and line ends around it.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        Self::read(text.trim()).map_err(|Misread { problem, intended }| {
            // A single @ in the authority ends the user info. The text before any other @ may be part of a
            // password, so no address is suggested.
            let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
            let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
            let is_clear = match text.matches('@').count() {
                0 => true,
                ats => ats == 1 && authority.contains('@'),
            };
            InvalidConfig::ServerUrl { problem, intended: intended.filter(|_| is_clear) }
        })
    }
}

/// Why a text is not an address, and the address that was probably intended, if it is known.
struct Misread {
    problem: &'static str,
    intended: Option<String>,
}

impl From<&'static str> for Misread {
    fn from(problem: &'static str) -> Self {
        Self { problem, intended: None }
    }
}

/// Returns the problem and the intended address: `text`, in which there may be more to correct.
fn meant(problem: &'static str, text: &str) -> Misread {
    let intended = match ServerUrl::read(text) {
        Ok(server) => Some(server.to_string()),
        Err(misread) => misread.intended,
    };
    Misread { problem, intended }
}

impl ServerUrl {
    fn read(text: &str) -> Result<Self, Misread> {
        // Each call to `meant` removes the problem that it names, so the recursion ends.
        if text.is_empty() {
            return Err("is empty".into());
        }
        if text.contains(['"', '\'', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']) {
            return Err("contains quotes; remove them".into());
        }
        if text.contains('\\') {
            return Err("contains backslashes instead of slashes".into());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            // User info may be a password; the intended address follows it.
            let address = without_user_info(text);
            // Its scheme may only lack a colon or a slash.
            let slip = ["https", "http"].iter().find_map(|scheme| {
                address.strip_prefix(scheme).filter(|rest| rest.starts_with([':', '/']) && rest.contains('/'))
            });
            let address = slip.unwrap_or(address).trim_start_matches([':', '/']);
            return Err(meant("has no scheme", &format!("https://{address}")));
        };
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(meant("has a scheme other than http or https", &format!("https://{rest}")));
        }
        let address = without_user_info(rest);
        if address.len() != rest.len() {
            let address = format!("{scheme}://{address}");
            return Err(meant("contains user info, which Connect does not use", &address));
        }
        if let Some(at) = rest.find(['?', '#']) {
            let (address, tail) = rest.split_at(at);
            let address = address.trim_end_matches('/');
            // The dashboard's pages are fragments under /connect/.
            let server = address.strip_suffix("/connect").filter(|_| tail.starts_with('#'));
            let address = format!("{scheme}://{}", server.unwrap_or(address));
            return Err(meant("has a query or a fragment", &address));
        }
        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let (host, port) = host_and_port(authority)?;
        Ok(Self { https, host, port, prefix: prefix(path)? })
    }
}

/// Reads `host[:port]`, and returns the host in lower case.
fn host_and_port(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    if !authority.is_ascii() {
        return Err("has a host name that is not ASCII; write it in its ASCII form, xn--\u{2026}");
    }
    if authority.contains(char::is_whitespace) {
        return Err("has whitespace in its host name");
    }
    if authority.is_empty() {
        return Err("has no host");
    }
    const INVALID_HOST: &str = "has an invalid host";
    // The http crate decides which characters a host may have.
    let authority: Authority = authority.parse().map_err(|_| INVALID_HOST)?;
    let host = authority.host();
    if host.is_empty() {
        return Err("has no host");
    }
    if host.contains(['[', ']']) && host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_err() {
        return Err(INVALID_HOST);
    }
    let after_host = &authority.as_str()[host.len()..];
    let port = if after_host.is_empty() {
        None
    } else {
        let port = after_host.strip_prefix(':').ok_or(INVALID_HOST)?;
        // A number may have a sign.
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|&port| port > 0 && is_number);
        Some(port.ok_or("has a port that is not a number from 1 to 65535")?)
    };
    Ok((host.to_ascii_lowercase(), port))
}

/// Returns the part of a path before `/__api__`, without slashes at its end.
fn prefix(path: &str) -> Result<String, &'static str> {
    let api = path.match_indices("/__api__").find(|(at, api)| {
        let rest = &path[at + api.len()..];
        rest.is_empty() || rest.starts_with('/')
    });
    let prefix = api.map_or(path, |(at, _)| &path[..at]).trim_end_matches('/');
    // The http crate decides which characters a path may have, and accepts some that are not ASCII.
    let is_path = prefix.is_empty() || prefix.is_ascii() && prefix.parse::<PathAndQuery>().is_ok();
    if !is_path || prefix.len() > MAX_PREFIX {
        return Err("contains invalid characters; percent-encode them");
    }
    Ok(prefix.to_owned())
}

/// Returns `address` (host, port, path) without a `user:password@` before its host.
fn without_user_info(address: &str) -> &str {
    let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
    match address[..authority].rfind('@') {
        Some(at) => &address[at + 1..],
        None => address,
    }
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
            ("https://[::1]80", "an invalid host"),
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
