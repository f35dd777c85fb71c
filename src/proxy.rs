//! Proxies, selected from the environment by the same rules as curl's.
//!
//! ureq's own selection ignores the server's scheme, silently skips an address that it cannot use, and does not match
//! subdomains of the names in `NO_PROXY`.

use std::fmt;
use std::net::IpAddr;

use crate::{InvalidConfig, ServerUrl};

/// An HTTP or SOCKS5 proxy. `Debug` and `Display` show no credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    scheme: &'static str,
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
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
    /// [`InvalidConfig`] if the variable's value is not the address of an HTTP or SOCKS5 proxy: a direct
    /// connection never replaces a proxy that is configured.
    pub fn for_server(
        server: &ServerUrl,
        var: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, InvalidConfig> {
        let set =
            |name: &&str| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let excepted = || ["no_proxy", "NO_PROXY"].iter().find_map(set);
        if server.is_loopback() || excepted().is_some_and(|list| is_excepted(server, &list)) {
            return Ok(None);
        }
        let names = match server.is_https() {
            true => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            false => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        };
        let Some((name, value)) = names.iter().find_map(|name| Some((*name, set(name)?))) else {
            return Ok(None);
        };
        match Self::parse(&value) {
            Ok(proxy) => Ok(Some(proxy)),
            Err(problem) => Err(InvalidConfig::new(format!(
                "the proxy in {name} {problem}; correct it, or bypass it with NO_PROXY"
            ))),
        }
    }

    /// Reads `[SCHEME://][user[:password]@]host[:port][/]`. The scheme is `http` by default; that of SOCKS
    /// says where the server's name is resolved: on this host (`socks5`) or by the proxy (`socks5h`).
    fn parse(text: &str) -> Result<Self, &'static str> {
        const NO_ADDRESS: &str = "has an invalid URL";
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => ("http", 80),
            "socks5" | "socks" => ("socks5", 1080),
            "socks5h" => ("socks5h", 1080),
            _ => return Err("has a scheme other than http://, socks5:// and socks5h://"),
        };
        let (user_info, address) = match rest.rsplit_once('@') {
            Some((user_info, address)) => (Some(user_info), address),
            None => (None, rest),
        };
        // The rules for a host and a port are the same as a server's.
        let server: ServerUrl =
            format!("http://{}", address.trim_end_matches('/')).parse().map_err(|_| NO_ADDRESS)?;
        if server.to_string() != server.origin() {
            return Err(NO_ADDRESS);
        }
        let credentials = match user_info {
            None | Some("") => None,
            Some(user_info) => {
                let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
                Some((percent_decode(user).ok_or(NO_ADDRESS)?, percent_decode(password).ok_or(NO_ADDRESS)?))
            }
        };
        // SOCKS5 sends the length of each in one byte.
        let is_long = |(user, password): &(String, String)| user.len().max(password.len()) > 255;
        if scheme != "http" && credentials.as_ref().is_some_and(is_long) {
            return Err(NO_ADDRESS);
        }
        Ok(Self { scheme, host: server.host().to_owned(), port: server.port_or(default_port), credentials })
    }

    pub(crate) fn is_socks(&self) -> bool {
        self.scheme != "http"
    }

    /// Reports whether the proxy, and not this host, resolves the server's name.
    pub(crate) fn resolves(&self) -> bool {
        self.scheme != "socks5"
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the user name and the password.
    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// Returns the value of the `Proxy-Authorization` header, if there are credentials.
    pub(crate) fn authorization(&self) -> Option<String> {
        let (user, password) = self.credentials()?;
        Some(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = if self.credentials.is_some() { "***@" } else { "" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{masked}{open}{}{close}:{}", self.scheme, self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Reports whether `list`, the value of `NO_PROXY`, names `server`.
fn is_excepted(server: &ServerUrl, list: &str) -> bool {
    let host = server.host().trim_end_matches('.');
    let address = host.parse::<IpAddr>();
    list.split([',', ' ', '\t', '\n']).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        // An IPv6 address has a port only after brackets.
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) if name.ends_with(']') || !name.contains(':') => (name, Some(port)),
            _ => (entry, None),
        };
        if port.is_some_and(|port| port.parse() != Ok(server.port())) {
            return false;
        }
        let name = name.replace(['[', ']'], "");
        if let Ok(address) = address {
            return is_in(address, &name).unwrap_or(false);
        }
        let name = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
        let Some(subdomain) = host.strip_suffix(name.as_str()) else { return false };
        !name.is_empty() && (subdomain.is_empty() || subdomain.ends_with('.'))
    })
}

/// Reports whether `address` is the address `block`, or in it if it ends in `/` and the length of its prefix;
/// `None` if it is neither.
fn is_in(address: IpAddr, block: &str) -> Option<bool> {
    // The bits from the left, and how many there are.
    let bits = |address| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let (network, prefix) = block.split_once('/').unwrap_or((block, ""));
    let ((address, width), (network, network_width)) = (bits(address), bits(network.parse().ok()?));
    let prefix = if prefix.is_empty() { width } else { prefix.parse().ok()? };
    let rest = 128u32.checked_sub(prefix)?;
    // An empty prefix shifts by all bits.
    let differs = (address ^ network).checked_shr(rest).unwrap_or(0) != 0;
    Some(width == network_width && prefix <= width && !differs)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    // A line break would end the header.
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, i| bits << 8 | u32::from(group.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            match i <= group.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * i) & 63) as usize])),
                false => text.push('='),
            }
        }
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
    fn limits_credentials_for_socks_to_255_bytes() {
        let accepts = |scheme: &str, user: usize, password: usize| {
            Proxy::parse(&format!("{scheme}://{}:{}@p", "u".repeat(user), "p".repeat(password))).is_ok()
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
            ("http://u:secret%0d%0ax@p:1", "an invalid URL"),
            ("http://u:secret%zz@p:1", "an invalid URL"),
        ] {
            let error = chosen("https://host", &[("ALL_PROXY", value)]).unwrap_err();
            assert!(error.contains(says) && error.contains("ALL_PROXY"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn matches_hosts_domains_addresses_and_ports_in_no_proxy() {
        for (server, list, direct) in [
            ("http://connect.example.com:3939", "example.com", true),
            ("http://connect.example.com:3939", ".example.com", true),
            ("http://example.com", ".example.com", true),
            ("http://connect.example.com", "*.example.com", true),
            ("http://badexample.com", "example.com", false),
            ("http://example.com.evil.org", "example.com", false),
            ("http://CONNECT.example.com", "a, connect.EXAMPLE.com ,b", true),
            ("http://connect.example.com:3939", "connect.example.com:3939", true),
            ("http://connect.example.com:3939", "connect.example.com:80", false),
            ("https://connect.example.com", "connect.example.com:443", true),
            ("http://10.1.2.3", "10.1.2.3", true),
            ("http://10.1.2.3", "10.1.2,1.2.3,.2.3,*.2.3", false),
            ("http://10.1.2.3", "a b\t10.1.2.3", true),
            ("http://10.1.2.3", "10.0.0.0/8", true),
            ("http://10.1.2.3", "10.1.2.0/30", true),
            ("http://10.1.2.3", "10.1.2.0/31,11.0.0.0/8,::/0", false),
            ("http://10.1.2.3", "0.0.0.0/0", true),
            ("http://10.1.2.3", "10.1.2.3/32:80", true),
            ("http://10.1.2.3", "10.0.0.0/33,10.0.0.0/x,10.0.0.0/129,10.0.0.0/-1,x/8", false),
            ("http://host", "0.0.0.0/0,::/0,/0", false),
            ("http://[fd00::7]:3939", "fd00:0::7", true),
            ("http://[fd00::7]:3939", "[fd00::7]:3939", true),
            ("http://[fd00::7]:3939", "[fd00::7]:80,00::7", false),
            ("http://[fd00::7]:3939", "fd00::/8", true),
            ("http://[fd00::7]:3939", "[fd00::]/125", true),
            ("http://[fd00::8]:3939", "fd00::/125,0.0.0.0/0", false),
            ("http://host", "*", true),
            ("http://host", " , .,", false),
        ] {
            let vars = [("http_proxy", "p:1"), ("https_proxy", "p:1"), ("NO_PROXY", list)];
            assert_eq!(chosen(server, &vars).unwrap().is_none(), direct, "{server} with {list}");
        }
    }

    #[test]
    fn sends_decoded_credentials_as_basic() {
        let sent = |url: &str| Proxy::parse(url).unwrap().authorization();
        assert_eq!(
            sent("http://Aladdin:open%20sesame@p").as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(sent("http://user@p").as_deref(), Some("Basic dXNlcjo="));
        assert_eq!(sent("http://p"), None);
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
