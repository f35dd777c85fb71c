//! The address of a Connect server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

use crate::InvalidConfig;

/// A server's address: `http` or `https`, a host, perhaps a port and a path prefix.
///
/// Parsing drops a trailing `/` and a trailing `/__api__`, and refuses user info, a query and a
/// fragment, so that neither a key nor a request ends up where nobody meant it.
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
    /// Whether requests go over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host's name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, 80 or 443 where the address names none.
    pub fn port(&self) -> u16 {
        self.port_or(if self.https { 443 } else { 80 })
    }

    /// Returns the port, or this one if the address names none.
    pub(crate) fn port_or(&self, default: u16) -> u16 {
        self.port.unwrap_or(default)
    }

    /// Whether what is sent there cannot leave this host.
    pub fn is_loopback(&self) -> bool {
        let host = self.host().trim_end_matches('.').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    /// The scheme, host and port alone, as a request in absolute form begins.
    pub(crate) fn origin(&self) -> String {
        let (scheme, host) = (if self.https { "https" } else { "http" }, &self.host);
        match self.port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }

    /// The URL of the endpoint at `path`, relative to the API's base `__api__/`.
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

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let text = text.trim();
        let invalid = |problem: &str| InvalidConfig::new(format!("the server's address {problem}"));
        // An @ tells user info from the host only where an authority is all that is before it; elsewhere,
        // what is before it may be a password, and no address is offered.
        let authority = text.split_once("://").map_or(text, |(_, rest)| rest).split(['/', '?', '#']).next();
        let clear = match text.matches('@').count() {
            0 => true,
            ats => ats == 1 && authority.is_some_and(|authority| authority.contains('@')),
        };
        let meant = |problem: &str, address: &str| match clear {
            true => invalid(&format!("{problem}; use {address}")),
            false => invalid(problem),
        };

        let Some((scheme, rest)) = text.split_once("://") else {
            // User info may be a password; what follows it is the address meant.
            let address = without_user_info(text.split(['?', '#']).next().unwrap_or_default());
            // A colon or a slash may be all that its scheme lacks.
            let slip = ["https", "http"].iter().find_map(|scheme| {
                address.strip_prefix(scheme).filter(|rest| rest.starts_with([':', '/']) && rest.contains('/'))
            });
            let address = slip.unwrap_or(address).trim_start_matches([':', '/']);
            if address.is_empty() {
                return Err(invalid("is empty"));
            }
            return Err(meant("has no scheme", &format!("https://{address}")));
        };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => {
                let address = without_user_info(rest.split(['?', '#']).next().unwrap_or_default());
                return Err(meant("has another scheme than http or https", &format!("https://{address}")));
            }
        };
        let scheme = if https { "https://" } else { "http://" };

        let (plain, has_tail) = match rest.find(['?', '#']) {
            Some(at) => (&rest[..at], true),
            None => (rest, false),
        };
        let address = without_user_info(plain);
        if address.len() != plain.len() {
            return Err(meant(
                "has user info in it, which Connect does not use",
                &format!("{scheme}{address}"),
            ));
        }
        if has_tail {
            let address = address.trim_end_matches('/');
            return Err(meant("has a query or a fragment", &format!("{scheme}{address}")));
        }

        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let path = path.trim_end_matches('/');
        let prefix = path.strip_suffix("/__api__").unwrap_or(path).trim_end_matches('/');
        // Behind the brackets of an IPv6 address, if any: the colons in them part no port.
        let (host, port) = match authority[authority.find(']').unwrap_or(0)..].rfind(':') {
            Some(_) => authority.rsplit_once(':').unwrap_or((authority, "")),
            None => (authority, ""),
        };
        let port = match port {
            "" if authority.ends_with(':') => return Err(invalid("has an empty port")),
            "" => None,
            port => match port.parse::<u16>() {
                Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Some(number),
                _ => return Err(invalid("has a port that is not a number from 1 to 65535")),
            },
        };
        let server = Self { https, host: host.to_ascii_lowercase(), port, prefix: prefix.to_owned() };
        if host.is_empty() {
            return Err(invalid("names no host"));
        }
        if host.contains([':', '[', ']']) && server.host().parse::<std::net::Ipv6Addr>().is_err() {
            return Err(invalid("has a host that is no name and no IP address"));
        }
        // The characters that a host and a path may have are the http crate's to judge.
        if server.endpoint("").parse::<Uri>().is_err()
            || server.prefix.len() > 1024
            || !server.prefix.is_ascii()
        {
            return Err(invalid("has characters that a URL cannot have; percent-encode them"));
        }
        Ok(server)
    }
}

/// `address` (host, port, path) without the `user:password@` in front of its host.
fn without_user_info(address: &str) -> &str {
    let authority = address.find('/').unwrap_or(address.len());
    match address[..authority].rfind('@') {
        Some(at) => &address[at + 1..],
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use super::ServerUrl;

    #[test]
    fn accepts_what_administrators_paste() {
        for (text, address) in [
            ("https://connect.example.com", "https://connect.example.com"),
            ("https://connect.example.com/", "https://connect.example.com"),
            (" HTTPS://Connect.Example.com/__api__ ", "https://connect.example.com"),
            ("http://localhost:3939/__api__/", "http://localhost:3939"),
            ("https://example.com/rsc//", "https://example.com/rsc"),
            ("https://example.com/Rsc/__api__", "https://example.com/Rsc"),
            ("http://[::1]:3939", "http://[::1]:3939"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), address);
        }
    }

    #[test]
    fn refuses_what_is_not_an_address_and_shows_the_one_meant() {
        for (text, says) in [
            ("connect.example.com", "no scheme; use https://connect.example.com"),
            ("localhost:3939/x", "no scheme; use https://localhost:3939/x"),
            ("admin:pw@host", "no scheme; use https://host"),
            ("https:/host/x", "no scheme; use https://host/x"),
            ("https//host", "no scheme; use https://host"),
            ("https.example.com/x", "no scheme; use https://https.example.com/x"),
            ("me:p/pw@host", "has no scheme"),
            ("https://me:p?pw@host", "has a query or a fragment"),
            ("ftp://host/x", "another scheme than http or https; use https://host/x"),
            ("https://me:pw@host/x", "user info in it, which Connect does not use; use https://host/x"),
            ("https://me:pw@host/x?q", "user info in it, which Connect does not use; use https://host/x"),
            ("https://host/connect/#/content", "a query or a fragment; use https://host/connect"),
            ("https://host?next=@x", "a query or a fragment"),
            ("https://me:pw?x@host", "a query or a fragment"),
            ("me:pw#x@host", "has no scheme"),
            ("ftp://me:pw?x@host", "another scheme than http or https"),
            ("https://", "names no host"),
            ("https://:80", "names no host"),
            ("https://host:", "empty port"),
            ("https://host:0", "from 1 to 65535"),
            ("https://host:99999", "from 1 to 65535"),
            ("https://host:+80", "from 1 to 65535"),
            ("https://::1", "no name and no IP address"),
            ("https://ho st", "characters"),
            ("https://host/a b", "characters"),
            ("https://h\u{f6}st", "characters"),
            ("https://host/\r\nx: y", "characters"),
            ("", "is empty"),
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(error.contains(says), "{text:?}: {error}");
            assert!(!error.contains("pw"), "{text:?}: {error}");
        }
    }

    #[test]
    fn knows_what_stays_on_this_host() {
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
