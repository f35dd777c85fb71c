//! The API key, as a type that cannot be printed.

use std::fmt;
use std::str::FromStr;

use ureq::http::HeaderValue;

use crate::InvalidConfig;

/// Longer than any key that Connect makes (32 characters), and short enough for one header line.
const MAX_BYTES: usize = 4096;

/// A Connect API key. It has no `Display`, and its `Debug` does not show it.
///
/// ```
/// use connect_cache::ApiKey;
///
/// let key: ApiKey = "a secret".parse()?;
/// assert_eq!(format!("{key:?}"), "ApiKey(***)");
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// Returns the key itself.
    pub(crate) fn text(&self) -> &str {
        self.0.to_str().ok().and_then(|value| value.strip_prefix("Key ")).unwrap_or_default()
    }

    /// Returns the value of the `Authorization` header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl FromStr for ApiKey {
    type Err = InvalidConfig;

    /// Takes printable ASCII without whitespace around it. The error never shows the key.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let invalid = |problem| Err(InvalidConfig::new(format!("the API key {problem}; copy it again")));
        if text.is_empty() {
            return invalid("is empty");
        }
        if text.contains(['\r', '\n']) {
            return invalid("has a line break in it");
        }
        if text.trim() != text {
            return invalid("has white space around it");
        }
        if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return invalid("has characters in it that no key has");
        }
        if text.len() > MAX_BYTES {
            return invalid("is longer than any key");
        }
        match HeaderValue::try_from(format!("Key {text}")) {
            Ok(mut header) => {
                header.set_sensitive(true);
                Ok(Self(header))
            }
            Err(_) => invalid("cannot be sent in a header"),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;

    #[test]
    fn refuses_what_cannot_be_a_header_without_showing_it() {
        for key in
            ["", "sec\nret", "secret\r\n", " secret", "secret ", "sec\tret", "s\u{e9}cret", "\u{7f}secret"]
        {
            let error = key.parse::<ApiKey>().unwrap_err().to_string();
            assert!(!error.contains("cret"), "{error}");
        }
        assert!("secret".repeat(1000).parse::<ApiKey>().is_err());
        assert!("lFvijYN16kjCoal6".parse::<ApiKey>().is_ok());
    }
}
