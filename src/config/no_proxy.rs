//! The list of servers that are reached without a proxy.

use std::net::IpAddr;

use super::server_url::ServerUrl;

/// Reports whether `list`, the value of `NO_PROXY`, names `server`.
pub(crate) fn is_excepted(server: &ServerUrl, list: &str) -> bool {
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
            ("http://host", " , .,", false),
        ] {
            assert_eq!(is_excepted(&server.parse().unwrap(), list), direct, "{server} with {list}");
        }
    }
}
