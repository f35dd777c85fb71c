//! A header that a gateway in front of Connect requires.

use std::str::FromStr;

use ureq::http::{HeaderName, HeaderValue};

use crate::config::invalid::InvalidConfig;

/// Headers that only this client may set, in lower case.
const RESERVED: [&str; 10] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "proxy-authorization",
    "transfer-encoding",
    "x-rsc-authorization",
];

/// A header to send with every request. Its value is a secret: there is no `Display`, and `Debug` shows only the
/// name.
///
/// ```
/// use connect_cache::Header;
///
/// let header: Header = "CF-Access-Client-Secret: a-secret".parse()?;
/// assert_eq!(format!("{header:?}"), "Header { name: \"cf-access-client-secret\", value: Sensitive }");
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl Header {
    /// Returns the name, in lower case.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl FromStr for Header {
    type Err = InvalidConfig;

    /// Parses `NAME: VALUE`, one line of printable ASCII. The error never shows the value.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let (name, value) = text.split_once(':').ok_or(InvalidConfig::Header)?;
        let name: HeaderName = name.trim().parse().map_err(|_| InvalidConfig::Header)?;
        let mut value: HeaderValue = value.trim().parse().map_err(|_| InvalidConfig::Header)?;
        if value.is_empty() || value.to_str().is_err() {
            return Err(InvalidConfig::Header);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(InvalidConfig::ReservedHeader { name: name.to_string() });
        }
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}
