//! Proxies, selected from the environment by the same rules as curl's.
//!
//! ureq's own selection ignores the server's scheme, silently skips an address that it cannot use, and does not match
//! subdomains of the names in `NO_PROXY`.

use std::fmt;
use std::iter;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ureq::ProxyProtocol;
use ureq::http::HeaderValue;

use crate::config::invalid::InvalidConfig;
use crate::config::no_proxy::is_excepted;
use crate::config::server_url::{ServerUrl, host_and_port};

/// The lengths of a user name and of a password that SOCKS5 can send (RFC 1929).
const SOCKS_LENGTHS: RangeInclusive<usize> = 1..=255;

/// An HTTP or SOCKS5 proxy. `Debug` and `Display` show no credentials.
///
/// ```
/// use connect_cache::Proxy;
///
/// let proxy: Proxy = "socks5h://user:a-secret@gateway.example.com".parse()?;
/// assert_eq!(proxy.to_string(), "socks5h://***@gateway.example.com:1080");
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    pub(crate) ureq: ureq::Proxy,
    /// The value of the `Proxy-Authorization` header, if there are credentials.
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Returns the proxy that the environment names for `server`, if any.
    ///
    /// `var` returns the value of a variable. The proxy of an `https` server is the first of `https_proxy`,
    /// `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY` that is not empty, that of an `http` server the first of
    /// `http_proxy`, `HTTP_PROXY`, `all_proxy` and `ALL_PROXY`. There is no proxy if `no_proxy` or `NO_PROXY` names
    /// the server, or if it is on loopback: a proxy would connect to its own host, and see the key.
    ///
    /// # Errors
    /// [`InvalidConfig::Proxy`] if the variable's value is not the address of an HTTP or SOCKS5 proxy: a direct
    /// connection never replaces a proxy that is configured.
    ///
    /// ```
    /// use connect_cache::Proxy;
    ///
    /// let server = "https://connect.example.com".parse()?;
    /// let var = |name: &str| (name == "HTTPS_PROXY").then(|| "gateway:3128".to_owned());
    /// assert_eq!(Proxy::for_server(&server, &var)?, Some("http://gateway:3128".parse()?));
    /// # Ok::<(), connect_cache::InvalidConfig>(())
    /// ```
    pub fn for_server(
        server: &ServerUrl,
        var: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, InvalidConfig> {
        let first_set = |names: &[&'static str]| {
            let mut values = names.iter().filter_map(|name| Some((*name, var(name)?.trim().to_owned())));
            values.find(|(_, value)| !value.is_empty())
        };
        let exceptions = first_set(&["no_proxy", "NO_PROXY"]);
        if server.is_loopback() || exceptions.is_some_and(|(_, list)| is_excepted(server, &list)) {
            return Ok(None);
        }
        let chosen = if server.is_https() {
            first_set(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
        } else {
            first_set(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
        };
        let Some((name, value)) = chosen else { return Ok(None) };
        let invalid = |problem| InvalidConfig::Proxy { variable: Some(name), problem };
        Self::read(&value).map(Some).map_err(invalid)
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        const INVALID: &str = "has an invalid URL";
        if text.starts_with(['"', '\'']) {
            return Err("is in quotes");
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "socks", "socks5", "socks5h"].contains(&scheme.as_str()) {
            return Err("has a scheme other than http://, socks5:// and socks5h://");
        }
        let (user_info, address) = rest.split_at(rest.rfind('@').map_or(0, |at| at + 1));
        let user_info = percent_encoded(user_info).ok_or(INVALID)?;
        // The rules for a host and a port are the same as a server's.
        let address = host_and_port(address.trim_end_matches('/')).map_err(|_| INVALID)?;
        let (host, default_port) = (address.host(), if scheme.starts_with("socks") { 1080 } else { 80 });
        let port = address.port_u16().unwrap_or(default_port);
        let ureq = ureq::Proxy::new(&format!("{scheme}://{user_info}{host}:{port}"));
        let mut proxy = Self { ureq: ureq.map_err(|_| INVALID)?, authorization: None };
        let is_sendable = |text: &str| !proxy.is_socks() || SOCKS_LENGTHS.contains(&text.len());
        proxy.authorization = match proxy.credentials() {
            // A proxy would refuse it, and refused credentials lock accounts.
            Some((_, "")) => return Err("has no password"),
            Some((user, password)) if !is_sendable(user) || !is_sendable(password) => return Err(INVALID),
            Some((user, password)) => Some(basic(user, password).ok_or(INVALID)?),
            None => None,
        };
        Ok(proxy)
    }

    /// Reports whether this host resolves the server's name for the proxy, as for `socks5://`.
    pub fn resolves_here(&self) -> bool {
        self.ureq.protocol() == ProxyProtocol::Socks5
    }

    pub(crate) fn is_socks(&self) -> bool {
        self.ureq.protocol() != ProxyProtocol::Http
    }

    /// Returns the host's name or address, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        self.ureq.host().trim_matches(['[', ']'])
    }

    /// Returns the user name and the password.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.ureq.username().map(|user| (user, self.ureq.password().unwrap_or_default()))
    }

    /// Returns the value of the `Proxy-Authorization` header, if there are credentials.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

impl FromStr for Proxy {
    type Err = InvalidConfig;

    /// Parses `[SCHEME://][user:password@]host[:port][/]`. The scheme is `http`, which is the default, `socks5` or
    /// `socks5h`. That of SOCKS says where the server's name is resolved: on this host (`socks5`) or by the proxy
    /// (`socks5h`). A `%` in the user name or the password, and a `:` in the user name, must be percent-encoded.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        Self::read(text.trim()).map_err(|problem| InvalidConfig::Proxy { variable: None, problem })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.ureq.protocol().to_string().to_ascii_lowercase();
        let masked = if self.credentials().is_some() { "***@" } else { "" };
        write!(f, "{scheme}://{masked}{}:{}", self.ureq.host(), self.ureq.port())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Returns user info in which only letters, digits and `:%@` are left as they are. People often forget to encode the
/// rest, which a URI could not contain. `None` if a `%` is not followed by two hexadecimal digits.
fn percent_encoded(user_info: &str) -> Option<String> {
    let encoded = user_info.bytes().map(|byte| match byte {
        b':' | b'%' | b'@' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    let encoded: String = encoded.collect();
    let is_hex = |digits: &str| u8::from_str_radix(digits, 16).is_ok();
    let is_valid = encoded.split('%').skip(1).all(|rest| rest.get(..2).is_some_and(is_hex));
    is_valid.then_some(encoded)
}

/// Returns credentials as a header sends them.
fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let basic = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    let mut value = HeaderValue::try_from(basic).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bits);
        text.extend((0..=group.len()).map(|i| char::from(DIGITS[(bits >> (18 - 6 * i) & 63) as usize])));
        text.extend(iter::repeat_n('=', 3 - group.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(server: &str, vars: &[(&str, &str)]) -> Result<Option<String>, String> {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let proxy = Proxy::for_server(&server.parse().unwrap(), &var);
        proxy.map(|p| p.map(|p| p.to_string())).map_err(|e| e.to_string())
    }

    #[test]
    fn selects_by_scheme_and_prefers_lower_case_variables() {
        let all = [
            ("HTTP_PROXY", "up-http"),
            ("http_proxy", "low-http:3128"),
            ("HTTPS_PROXY", "http://up-https:1"),
            ("ALL_PROXY", "http://all:2/"),
        ];
        for (server, vars, expected) in [
            ("http://host", &all[..], Some("http://low-http:3128")),
            ("https://host", &all[..], Some("http://up-https:1")),
            ("https://host", &all[3..], Some("http://all:2")),
            ("https://host", &all[..2], None),
            ("http://host", &[("http_proxy", " "), ("HTTP_PROXY", "p")], Some("http://p:80")),
            ("http://host", &[("http_proxy", "http://u:p%40ss@p:1")], Some("http://***@p:1")),
            ("http://host", &[("http_proxy", "[::1]:3128")], Some("http://[::1]:3128")),
            ("http://host", &[("http_proxy", "socks5h://p:80")], Some("socks5h://p:80")),
            ("https://host", &[("ALL_PROXY", "SOCKS5://u:secret@[::1]")], Some("socks5://***@[::1]:1080")),
            ("https://host", &[("ALL_PROXY", "socks://p/")], Some("socks5://p:1080")),
            ("https://localhost", &all[..], None),
            ("http://127.1.2.3:3939", &all[..], None),
            ("http://[::1]:3939", &all[..], None),
        ] {
            assert_eq!(chosen(server, vars).unwrap().as_deref(), expected, "{server} {vars:?}");
        }
    }

    #[test]
    fn names_the_default_port_to_the_resolver() {
        for (url, port) in
            [("p", 80), ("socks5://p/", 1080), ("socks5h://u:secret@[::1]", 1080), ("p:81", 81)]
        {
            let proxy = url.parse::<Proxy>().unwrap().ureq;
            assert_eq!(proxy.uri().port_u16(), Some(port), "{url}");
        }
    }

    #[test]
    fn limits_credentials_for_socks_to_255_bytes() {
        let accepts = |scheme: &str, user: usize, password: usize| {
            format!("{scheme}://{}:{}@p", "u".repeat(user), "p".repeat(password)).parse::<Proxy>().is_ok()
        };
        assert!(accepts("socks5", 255, 255));
        assert!(!accepts("socks5", 256, 1) && !accepts("socks5h", 1, 256));
        assert!(accepts("http", 256, 256));
    }

    #[test]
    fn names_the_variable_of_an_unusable_proxy() {
        for (value, says) in [
            ("socks4://p:1080", "a scheme other than http://, socks5:// and socks5h://"),
            ("https://p:443", "a scheme other than"),
            ("socks5://p:1/secret", "an invalid URL"),
            (&format!("socks5://u:{}secret@p", "x".repeat(250)), "an invalid URL"),
            ("http://user:secret@", "an invalid URL"),
            ("http://secret@p:99999", "an invalid URL"),
            ("http://p:1/secret", "an invalid URL"),
            ("http://u:secret%zz@p:1", "an invalid URL"),
            ("http://u:secret%f@p:1", "an invalid URL"),
            ("socks5://:secret@p:1", "an invalid URL"),
            ("http://user@p:1", "has no password"),
            ("http://user:@p:1", "has no password"),
            ("socks5h://user:@p", "has no password"),
            ("@p", "has no password"),
        ] {
            let error = chosen("https://host", &[("ALL_PROXY", value)]).unwrap_err();
            assert!(error.contains(says) && error.contains("ALL_PROXY"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn sends_decoded_credentials_as_basic() {
        let value = |url: &str| url.parse::<Proxy>().unwrap().authorization().cloned();
        let sent = |url: &str| value(url).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            sent("http://Aladdin:open%20sesame@p").as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(sent("http://p"), None);
        assert!(value("http://u:secret@p").unwrap().is_sensitive());
        assert_eq!(sent("http://u:a%2fb@p"), sent("http://u:a/b@p"));
        assert_eq!(sent("http://u:a@b#c?d\u{e9}@p"), sent("http://u:a%40b%23c%3Fd%c3%A9@p/"));
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
