//! The list of servers that are reached without a proxy.

use std::net::IpAddr;

use crate::config::server_url::ServerUrl;

/// Reports whether `list`, the value of `NO_PROXY`, names `server`.
pub(crate) fn is_excepted(server: &ServerUrl, list: &str) -> bool {
    // Some env files keep quotes around a value.
    list.split([',', ' ', '\t', '\n', '"', '\'']).any(|entry| is_named(server, entry))
}

fn is_named(server: &ServerUrl, entry: &str) -> bool {
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
    let host = server.host().trim_end_matches('.');
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_in(address, &name).unwrap_or(false);
    }
    let name = name.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
    let subdomain = host.strip_suffix(name.as_str()).filter(|_| !name.is_empty());
    subdomain.is_some_and(|subdomain| subdomain.is_empty() || subdomain.ends_with('.'))
}

/// Reports whether `address` is the address `block`, or in it if it ends in `/` and the length of its prefix;
/// `None` if it is neither.
fn is_in(address: IpAddr, block: &str) -> Option<bool> {
    let Some((network, prefix)) = block.split_once('/') else {
        return Some(address == block.parse::<IpAddr>().ok()?);
    };
    let equal_bits = match (address, network.parse().ok()?) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return None,
    };
    Some(prefix.parse::<u32>().ok()? <= equal_bits)
}

#[cfg(test)]
mod tests {
    use super::is_excepted;

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
            ("http://host", "\"host\"", true),
            ("http://host", "'a,host'", true),
            ("http://host", " , .,", false),
        ] {
            assert_eq!(is_excepted(&server.parse().unwrap(), list), direct, "{server} with {list}");
        }
    }
}
