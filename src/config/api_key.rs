//! The API key, as a type that cannot be printed.

use std::str::FromStr;

use ureq::http::HeaderValue;

use crate::config::invalid::InvalidConfig;

/// Longer than any key that Connect makes (32 characters), and short enough for one header line.
const MAX_BYTES: usize = 4096;

/// A Connect API key. It has no `Display`, and its `Debug` does not show it.
///
/// ```
/// use connect_cache::ApiKey;
///
/// let key: ApiKey = "a-secret".parse()?;
/// assert_eq!(format!("{key:?}"), "ApiKey(Sensitive)");
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

    /// Parses printable ASCII without whitespace, after dropping what people copy with a key: blanks and line ends, a
    /// byte order mark, quotes, `Key ` and `NAME_OF_THE_KEY=` around it. The error never shows the key.
    fn from_str(text: &str) -> Result<Self, InvalidConfig> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let key = bare(text);
        let header = HeaderValue::try_from(format!("Key {key}")).ok();
        let problem = if text.contains(['\r', '\n']) {
            "contains a line break"
        } else if key.is_empty() {
            "is empty"
        } else if key.contains(char::is_whitespace) {
            "contains a space"
        } else if key.starts_with(QUOTES) || key.ends_with(QUOTES) {
            "has a quote on only one side"
        } else if key.trim_end_matches('=').contains('=') {
            // Base64 may end in equals signs.
            "contains an equals sign, as after a name"
        } else if key.len() > MAX_BYTES {
            "is too long"
        } else if let Some(mut header) = header.filter(|header| header.to_str().is_ok()) {
            header.set_sensitive(true);
            return Ok(Self(header));
        } else {
            "contains characters that no key has"
        };
        Err(InvalidConfig::ApiKey { problem })
    }
}

const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Returns the key without what people copy with it: quotes, `Key `, `Authorization:`, `export CONNECT_API_KEY=`.
fn bare(mut text: &str) -> &str {
    let is_name = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.ends_with("key") || ["authorization", "export", "set", "$env"].contains(&text.as_str())
    };
    loop {
        let quoted = QUOTES.iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
        // A key has none of these separators before its end.
        let named = text.split_once(['=', ':', ' ']).filter(|(name, _)| is_name(name));
        match quoted.or(named.map(|(_, rest)| rest.trim_start_matches(['=', ':', ' ']))) {
            Some(rest) => text = rest.trim(),
            None => return text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ApiKey;

    #[test]
    fn drops_text_copied_with_a_key() {
        for text in [
            "k3y",
            " k3y\t",
            "k3y\r\n",
            "\r\n\u{feff}\r\n k3y \r\n",
            "\"k3y\"\r\n",
            "\u{feff}k3y",
            "\"k3y\"",
            "'k3y'",
            "Key k3y",
            "\"Key k3y\"",
            "CONNECT_API_KEY=k3y",
            "\u{feff}export CONNECT_API_KEY='k3y'",
            "set CONNECT_API_KEY=k3y",
            "$env:CONNECT_API_KEY = \"k3y\"",
            "api_key: k3y",
            "Authorization: Key k3y",
        ] {
            assert_eq!(text.parse::<ApiKey>().unwrap().text(), "k3y", "{text}");
        }
        assert_eq!("a/b+k3y==".parse::<ApiKey>().unwrap().text(), "a/b+k3y==");
    }

    #[test]
    fn rejects_text_that_may_be_more_than_a_key() {
        for (text, says) in [
            ("CONNECT_API_KEY=", "is empty"),
            ("CONNECT_API_KEY=\nk3y", "a line break"),
            ("k3y\nk3y", "a line break"),
            ("\"\"", "is empty"),
            ("\"k3y", "quote on only one side"),
            ("k3y'", "quote on only one side"),
            ("TOKEN=k3y", "equals sign"),
            ("k3y=k3y", "equals sign"),
            ("Bearer k3y", "a space"),
            ("k3y k3y", "a space"),
            ("\u{201c}k3y\u{201d}", "characters"),
        ] {
            let error = text.parse::<ApiKey>().unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("k3y"), "{text}: {error}");
        }
    }

    #[test]
    fn rejects_keys_that_cannot_be_a_header_without_showing_them() {
        for key in ["", " \n", "sec\nret", "sec\r\nret\r\n", "sec\tret", "s\u{e9}cret", "\u{7f}secret"] {
            let error = key.parse::<ApiKey>().unwrap_err().to_string();
            assert!(!error.contains("cret"), "{error}");
        }
        assert!("k".repeat(super::MAX_BYTES).parse::<ApiKey>().is_ok());
        assert!("k".repeat(super::MAX_BYTES + 1).parse::<ApiKey>().is_err());
        assert!("lFvijYN16kjCoal6".parse::<ApiKey>().is_ok());
    }
}
