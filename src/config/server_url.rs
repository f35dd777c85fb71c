//! The address of a Connect server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ureq::http::Uri;

use super::invalid::InvalidConfig;

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

    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        Self::read(text.trim()).map_err(|Misread { problem, instead }| {
            // A single @ in the authority ends the user info. The text before any other @ may be part of a
            // password, so no address is suggested.
            let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
            let authority = authority.split(['/', '?', '#', '\\']).next();
            let is_clear = match text.matches('@').count() {
                0 => true,
                ats => ats == 1 && authority.is_some_and(|authority| authority.contains('@')),
            };
            let intended = Some(instead).filter(|instead| is_clear && !instead.is_empty());
            InvalidConfig::ServerUrl { problem, intended }
        })
    }
}

/// Why a text is not an address, and the intended address, which is empty if it is not known.
struct Misread {
    problem: &'static str,
    instead: String,
}

fn invalid(problem: &'static str) -> Misread {
    Misread { problem, instead: String::new() }
}

/// Returns the problem and the intended address: `text`, in which there may be more to correct.
fn meant(problem: &'static str, text: &str) -> Misread {
    let instead = match ServerUrl::read(text) {
        Ok(server) => server.to_string(),
        Err(misread) => misread.instead,
    };
    Misread { problem, instead }
}

impl ServerUrl {
    fn read(text: &str) -> Result<Self, Misread> {
        // Each call to `meant` removes the problem that it names, so the recursion ends.
        const QUOTES: [char; 6] = ['"', '\'', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}'];
        if text.starts_with(QUOTES) || text.ends_with(QUOTES) {
            return Err(meant("has quotes around it", text.trim_matches(QUOTES).trim()));
        }
        if text.contains('\\') {
            return Err(meant("contains backslashes", &text.replace('\\', "/")));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            // User info may be a password; the intended address follows it.
            let address = without_user_info(text);
            // Its scheme may only lack a colon or a slash.
            let slip = ["https", "http"].iter().find_map(|scheme| {
                address.strip_prefix(scheme).filter(|rest| rest.starts_with([':', '/']) && rest.contains('/'))
            });
            let address = slip.unwrap_or(address).trim_start_matches([':', '/']);
            if address.is_empty() {
                return Err(invalid("is empty"));
            }
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
        if authority.contains(char::is_whitespace) {
            return Err(invalid("has whitespace in its host name"));
        }
        let path = path.trim_end_matches('/');
        let api = path.match_indices("/__api__").find(|(at, api)| {
            let rest = &path[at + api.len()..];
            rest.is_empty() || rest.starts_with('/')
        });
        let prefix = api.map_or(path, |(at, _)| &path[..at]).trim_end_matches('/');
        // The port comes after the brackets of an IPv6 address, if any, since that contains colons too.
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
        if !host.is_ascii() {
            const PROBLEM: &str = "has an international host name";
            let ascii = host.split('.').map(ascii_label).collect::<Vec<_>>().join(".");
            // A label that is too long stays as it is.
            if !ascii.is_ascii() {
                return Err(invalid(PROBLEM));
            }
            let address = format!("{scheme}://{ascii}{}{path}", &authority[host.len()..]);
            return Err(meant(PROBLEM, &address));
        }
        let server = Self { https, host: host.to_ascii_lowercase(), port, prefix: prefix.to_owned() };
        if host.is_empty() {
            return Err(invalid("has no host"));
        }
        if host.contains([':', '[', ']']) && server.host().parse::<std::net::Ipv6Addr>().is_err() {
            return Err(invalid("has an invalid host"));
        }
        // The http crate decides which characters a host and a path may have.
        if server.endpoint("").parse::<Uri>().is_err()
            || server.prefix.len() > 1024
            || !server.prefix.is_ascii()
        {
            return Err(invalid("contains invalid characters; percent-encode them"));
        }
        Ok(server)
    }
}

/// Returns `address` (host, port, path) without a `user:password@` before its host.
fn without_user_info(address: &str) -> &str {
    let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
    match address[..authority].rfind('@') {
        Some(at) => &address[at + 1..],
        None => address,
    }
}

/// Returns a label of a host name as DNS has it: in Punycode (RFC 3492, section 6.3) if it is not ASCII.
fn ascii_label(label: &str) -> String {
    let chars = || label.chars().map(u32::from);
    let total = chars().count() as u32;
    // No label of more than 63 bytes exists.
    if label.is_ascii() || total > 63 {
        return label.to_owned();
    }
    let mut ascii: String = label.chars().filter(char::is_ascii).collect();
    let basic = ascii.len() as u32;
    if basic > 0 {
        ascii.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (128, 0, 72, basic);
    while handled < total {
        let next = chars().filter(|&c| c >= n).min().unwrap_or(n);
        delta += (next - n) * (handled + 1);
        n = next;
        for c in chars() {
            delta += u32::from(c < n);
            if c != n {
                continue;
            }
            let (mut rest, mut k) = (delta, 36_u32);
            loop {
                let threshold = k.saturating_sub(bias).clamp(1, 26);
                if rest < threshold {
                    break;
                }
                rest -= threshold;
                ascii.push(punycode_digit(threshold + rest % (36 - threshold)));
                rest /= 36 - threshold;
                k += 36;
            }
            ascii.push(punycode_digit(rest));
            delta /= if handled == basic { 700 } else { 2 };
            handled += 1;
            delta += delta / handled;
            bias = 0;
            while delta > 455 {
                delta /= 35;
                bias += 36;
            }
            bias += 36 * delta / (delta + 38);
            delta = 0;
        }
        delta += 1;
        n += 1;
    }
    format!("xn--{ascii}")
}

fn punycode_digit(digit: u32) -> char {
    char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[digit as usize % 36])
}

#[cfg(test)]
mod tests {
    use super::ServerUrl;

    #[test]
    fn accepts_pasted_addresses() {
        for (text, address) in [
            ("https://connect.example.com", "https://connect.example.com"),
            ("https://connect.example.com/", "https://connect.example.com"),
            (" HTTPS://Connect.Example.com/__api__ ", "https://connect.example.com"),
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
    fn suggests_no_label_that_is_too_long() {
        for length in [64, 100, 10_000] {
            let error = format!("https://{}/", "\u{f6}".repeat(length)).parse::<ServerUrl>().unwrap_err();
            assert_eq!(error.to_string(), "the server URL has an international host name", "{length}");
        }
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
            ("\"https://host:3939\"", "has quotes around it; use https://host:3939"),
            ("'host/connect/#/x'", "has quotes around it; use https://host"),
            ("\u{201c}https://me:pw@host\u{201d}", "has quotes around it; use https://host"),
            ("https://host\"", "has quotes around it; use https://host"),
            ("'https://host", "has quotes around it; use https://host"),
            ("\"", "has quotes around it"),
            ("https:\\\\host\\x", "contains backslashes; use https://host/x"),
            ("https://me:1\\pw@host", "contains backslashes"),
            ("https://host\\", "contains backslashes; use https://host"),
            ("https://host?next=@x", "a query or a fragment"),
            ("https://me:pw?x@host", "a query or a fragment"),
            ("me:pw#x@host", "has no scheme"),
            ("ftp://me:pw?x@host", "a scheme other than http or https"),
            ("https://", "has no host"),
            ("https://:80", "has no host"),
            ("https://host:3939 https://host", "has whitespace in its host name"),
            ("https://me:pw x@host", "contains user info, which Connect does not use; use https://host"),
            ("https://host:", "empty port"),
            ("https://host:0", "from 1 to 65535"),
            ("https://host:99999", "from 1 to 65535"),
            ("https://host:+80", "from 1 to 65535"),
            ("https://::1", "an invalid host"),
            ("https://ho st", "has whitespace in its host name"),
            ("https://host/a b", "characters"),
            ("https://h\u{f6}st:3939/x", "an international host name; use https://xn--hst-sna:3939/x"),
            ("https://b\u{fc}cher.example", "an international host name; use https://xn--bcher-kva.example"),
            (
                "https://\u{bb34}\u{ae08}\u{c0bc}.\u{4e2d}\u{56fd}",
                "an international host name; use https://xn--jj0bu3woje.xn--fiqs8s",
            ),
            // A digit of it equals its threshold.
            ("https://\u{f4}yr\u{3c8}", "an international host name; use https://xn--yr-7ja210a"),
            // Its fourth character brings the delta of Punycode to the threshold at which the bias grows.
            (
                "https://\u{447}\u{e4}\u{3b3}\u{e3}\u{3c4}\u{446}\u{fb}",
                "an international host name; use https://xn--3cab4e19lqcu2bc",
            ),
            ("https://me:pw@h\u{f6}st", "user info, which Connect does not use; use https://xn--hst-sna"),
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
