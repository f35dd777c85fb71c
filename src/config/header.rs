//! A header that a gateway in front of Connect requires.

use std::fmt;
use std::str::FromStr;

use ureq::http::{HeaderName, HeaderValue};

use super::invalid::InvalidConfig;

/// Headers that only this client may set, in lower case.
const RESERVED: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-rsc-authorization",
];

/// A header to send with every request. Its value is a secret: there is no `Display`, and `Debug` shows only the
/// name.
///
/// ```
/// use connect_cache::Header;
///
/// let header: Header = "CF-Access-Client-Secret: a-secret".parse()?;
/// assert_eq!(format!("{header:?}"), "Header(cf-access-client-secret: ***)");
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
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
        let (name, value) = text.split_once(':').unwrap_or_default();
        let (name, value) = (name.trim(), value.trim());
        let is_line = !value.is_empty() && value.bytes().all(|b| (b' '..=b'~').contains(&b));
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return Err(InvalidConfig::Header);
        };
        if !is_line {
            return Err(InvalidConfig::Header);
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(InvalidConfig::ReservedHeader { name: name.to_string() });
        }
        value.set_sensitive(true);
        Ok(Self { name, value })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}: ***)", self.name)
    }
}
