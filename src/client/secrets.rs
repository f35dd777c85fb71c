//! The secrets of a run, masked in everything that a reply may echo.
//!
//! Replies are parsed as they came. Text is masked as it enters an error, an event or a progress report: decoded text
//! after decoding, raw text before it is cut.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::config::{ApiKey, Config};

/// A shorter text is not masked: it would match by coincidence, and is too short for a secret.
const MIN_BYTES: usize = 6;
const MASK: &[u8] = b"***";
/// The HTML entities that servers write for the characters of a text (Go, Python, PHP, Java and JavaScript).
pub(super) const ENTITIES: [(&str, char); 12] = [
    ("&nbsp;", ' '),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&#39;", '\''),
    ("&#039;", '\''),
    ("&#x27;", '\''),
    ("&#43;", '+'),
    ("&#x2F;", '/'),
    ("&#x3D;", '='),
    ("&amp;", '&'),
];

/// Texts that are not to be shown.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Returns the API key, the proxy's credentials and the values of headers.
    pub(crate) fn of(config: &Config) -> Self {
        let mut secrets = Self::of_key(config.key.as_ref()).0;
        if let Some(proxy) = &config.proxy {
            let password = proxy.credentials().map(|(_, password)| password);
            let basic = proxy.authorization().and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
            secrets.extend(password.into_iter().chain(basic).map(str::to_owned));
        }
        for value in config.headers.iter().filter_map(|header| header.value.to_str().ok()) {
            secrets.push(value.to_owned());
            // A reply may show the credentials without their scheme.
            if let Some((_, credentials)) = value.split_once(' ') {
                secrets.push(credentials.to_owned());
            }
        }
        Self::new(secrets)
    }

    /// Returns the API key alone.
    pub(crate) fn of_key(key: Option<&ApiKey>) -> Self {
        Self::new(key.map(|key| key.text().to_owned()).into_iter().collect())
    }

    fn new(mut secrets: Vec<String>) -> Self {
        secrets.retain(|secret| secret.len() >= MIN_BYTES);
        // If one starts with another, masking the shorter one first would leave the rest of the longer one.
        secrets.sort_unstable_by_key(|secret| Reverse(secret.len()));
        Self(secrets)
    }

    /// Returns text with each secret replaced by `***`, even if JSON escapes or HTML entities spell some of its characters,
    /// or the text ends within it.
    pub(crate) fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for secret in &self.0 {
            if let Some(without) = without(secret, masked.as_bytes()) {
                masked = String::from_utf8_lossy(&without).into_owned().into();
            }
        }
        masked
    }
}

/// Returns a copy of `text` in which `***` replaces the secret; `None` if it does not occur.
fn without(secret: &str, text: &[u8]) -> Option<Vec<u8>> {
    let mut masked: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < text.len() {
        match length_of(secret, &text[at..]) {
            Some(length) => {
                masked.get_or_insert_with(|| text[..at].to_vec()).extend_from_slice(MASK);
                at += length;
            }
            None => {
                if let Some(masked) = &mut masked {
                    masked.push(text[at]);
                }
                at += 1;
            }
        }
    }
    masked
}

/// Returns the number of bytes that spell `secret` at the start of `text`, or all of `text` if it ends in the middle.
fn length_of(secret: &str, text: &[u8]) -> Option<usize> {
    // Almost every byte of a reply can be ruled out at once.
    if ![b'\\', b'&', secret.as_bytes()[0]].contains(&text[0]) {
        return None;
    }
    if text.starts_with(secret.as_bytes()) {
        return Some(secret.len());
    }
    let mut length = 0;
    for (spelled, c) in secret.char_indices() {
        match length_of_char(c, &text[length..]) {
            Some(of_char) => length += of_char,
            None => {
                // A few characters may be a coincidence, and are too few to be of use.
                let is_cut = spelled >= MIN_BYTES && is_start_of_char(&text[length..]);
                return is_cut.then_some(text.len());
            }
        }
    }
    Some(length)
}

/// Reports whether nothing is left, or only the start of a JSON escape or of an HTML entity.
fn is_start_of_char(text: &[u8]) -> bool {
    let is_start = |(entity, _): &(&str, char)| entity.as_bytes().starts_with(text);
    ENTITIES.iter().any(is_start) || text[0] == b'\\' && text.len() < 6 && !text[1..].contains(&b'"')
}

/// Returns the number of bytes that spell `c` at the start of `text`, as it is, as a JSON escape or as an HTML entity.
fn length_of_char(c: char, text: &[u8]) -> Option<usize> {
    let spells_c = |&&(entity, meaning): &&(&str, char)| meaning == c && text.starts_with(entity.as_bytes());
    if let Some((entity, _)) = ENTITIES.iter().find(spells_c) {
        return Some(entity.len());
    }
    match text {
        [b'\\', b'u', hex @ ..] => {
            let hex = std::str::from_utf8(hex.get(..4)?).ok()?;
            (u32::from_str_radix(hex, 16) == Ok(u32::from(c))).then_some(6)
        }
        [b'\\', escaped @ (b'"' | b'\\' | b'/'), ..] if char::from(*escaped) == c => Some(2),
        _ => {
            let mut buffer = [0; 4];
            let plain = c.encode_utf8(&mut buffer).as_bytes();
            text.starts_with(plain).then_some(plain.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Proxy;

    fn secrets(key: &str) -> Secrets {
        let proxy = |name: &str| (name == "http_proxy").then(|| "http://user:hunt\u{e9}r2@proxy".to_owned());
        let mut config = Config::new("http://host".parse().unwrap(), key.parse().unwrap());
        config.proxy = Proxy::for_server(&config.server, &proxy).unwrap();
        config.headers =
            ["X-Gate: g4te-secret", "Authorization: Bearer t0ken-x"].map(|line| line.parse().unwrap()).into();
        Secrets::of(&config)
    }

    #[test]
    fn masks_the_key_and_the_proxys_credentials() {
        let echo = "Key secret-key, Basic dXNlcjpodW50w6lyMg==, hunt\u{e9}r2; and secret-key again";
        assert_eq!(secrets("secret-key").mask(echo), "Key ***, Basic ***, ***; and *** again");
        assert_eq!(secrets("k").mask("a kiwi"), "a kiwi");
        assert_eq!(secrets("k").mask("g4te-secret, Bearer t0ken-x, a t0ken-x"), "***, ***, a ***");
        assert_eq!(secrets("secret-key").mask("secre"), "secre");
        assert_eq!(secrets("secret-key").mask(""), "");
        let config = Config::new("http://host".parse().unwrap(), "secret-key".parse().unwrap());
        assert_eq!(Secrets::of_key(config.key.as_ref()).mask("secret-key g4te-secret."), "*** g4te-secret.");
    }

    #[test]
    fn masks_all_of_a_secret_that_starts_with_another() {
        let secrets = Secrets::new(["secret", "secret-key", "secret-key-2"].map(str::to_owned).into());
        assert_eq!(secrets.mask("secret-key secret-key-2 secret"), "*** *** ***");
    }

    #[test]
    fn masks_secrets_that_json_escapes_spell() {
        let secrets = secrets("se\"c/r\\et");
        for echo in [
            r#"{"a":"se\"c/r\\et"}"#,
            r#"{"a":"se\"c\/r\\et"}"#,
            r#"{"a":"\u0073e\u0022c/r\u005Cet"}"#,
            r#"{"a":"se"c/r\et"}"#,
        ] {
            assert_eq!(secrets.mask(echo), r#"{"a":"***"}"#, "{echo}");
        }
        // Other characters are escaped in the same way.
        for other in [r#"se\/c/r\\et"#, r#"se\"c\"r\\et"#, r#"se\"c/r\/et"#] {
            assert_eq!(secrets.mask(other), other);
        }
        assert_eq!(secrets.mask(r"hunt\u00e9r2 hunt\u00E9r2 hunt\u00"), r"*** *** hunt\u00");
    }

    #[test]
    fn masks_secrets_that_are_cut_at_the_end() {
        let secrets = secrets("secret-\"key");
        for cut in ["secret", "secret-", "secret-\\", "secret-\\\"", "secret-\\\"ke", "s\\u0065cret-\\u00"] {
            assert_eq!(secrets.mask(&format!("a {cut}")), "a ***", "{cut}");
        }
        for whole in ["secre", "secret x", "secret-x", "secret-\\u0078"] {
            assert_eq!(secrets.mask(whole), whole);
        }
    }
}
