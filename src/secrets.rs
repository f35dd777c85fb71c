//! The secrets of a run, masked in everything that a reply may echo.

use crate::{ApiKey, Header, Proxy};

/// A shorter text is not masked: it would match by coincidence, and is too short for a secret.
const MIN_BYTES: usize = 6;
const MASK: &[u8] = b"***";

/// The API key, the proxy's credentials and the values of headers.
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(key: Option<&ApiKey>, proxy: Option<&Proxy>, headers: &[Header]) -> Self {
        let mut secrets: Vec<String> = key.iter().map(|key| key.text().to_owned()).collect();
        if let Some(proxy) = proxy {
            if let (Some((_, password)), Some(basic)) = (proxy.credentials(), proxy.authorization()) {
                secrets.push(password.to_owned());
                secrets.push(basic.replace("Basic ", ""));
            }
        }
        for value in headers.iter().filter_map(|header| header.value.to_str().ok()) {
            secrets.push(value.to_owned());
            // A reply may show the credentials without their scheme.
            if let Some((_, credentials)) = value.split_once(' ') {
                secrets.push(credentials.to_owned());
            }
        }
        secrets.retain(|secret| secret.len() >= MIN_BYTES);
        Self(secrets)
    }

    /// Replaces each secret by `***`, even if JSON escapes spell some of its characters.
    pub(crate) fn mask(&self, text: &mut Vec<u8>) {
        for secret in &self.0 {
            // The mask is shorter than any secret, so the text moves towards its start.
            let (mut from, mut to) = (0, 0);
            while from < text.len() {
                if let Some(length) = length_of(secret, &text[from..]) {
                    text[to..to + MASK.len()].copy_from_slice(MASK);
                    (from, to) = (from + length, to + MASK.len());
                } else {
                    text[to] = text[from];
                    (from, to) = (from + 1, to + 1);
                }
            }
            text.truncate(to);
        }
    }

    /// Returns a copy of `text` with each secret masked.
    pub(crate) fn masked(&self, text: impl Into<Vec<u8>>) -> String {
        let mut text = text.into();
        self.mask(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Returns the number of bytes that spell `secret` at the start of `text`.
fn length_of(secret: &str, text: &[u8]) -> Option<usize> {
    // Almost every byte of a reply can be ruled out at once.
    if text[0] != b'\\' && text[0] != secret.as_bytes()[0] {
        return None;
    }
    if text.starts_with(secret.as_bytes()) {
        return Some(secret.len());
    }
    let mut length = 0;
    for c in secret.chars() {
        length += length_of_char(c, &text[length..])?;
    }
    Some(length)
}

/// Returns the number of bytes that spell `c` at the start of `text`, as it is or as a JSON escape.
fn length_of_char(c: char, text: &[u8]) -> Option<usize> {
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

    fn secrets(key: &str) -> Secrets {
        let proxy = |name: &str| (name == "http_proxy").then(|| "http://user:hunt\u{e9}r2@proxy".to_owned());
        let proxy = Proxy::for_server(&"http://host".parse().unwrap(), &proxy).unwrap();
        let headers =
            ["X-Gate: g4te-secret", "Authorization: Bearer t0ken-x"].map(|line| line.parse().unwrap());
        Secrets::new(Some(&key.parse().unwrap()), proxy.as_ref(), &headers)
    }

    #[test]
    fn masks_the_key_and_the_proxys_credentials() {
        let echo = "Key secret-key, Basic dXNlcjpodW50w6lyMg==, hunt\u{e9}r2; and secret-key again";
        assert_eq!(secrets("secret-key").masked(echo), "Key ***, Basic ***, ***; and *** again");
        assert_eq!(secrets("k").masked("a kiwi"), "a kiwi");
        assert_eq!(secrets("k").masked("g4te-secret, Bearer t0ken-x, a t0ken-x"), "***, ***, a ***");
        assert_eq!(secrets("secret-key").masked("secret-ke"), "secret-ke");
        assert_eq!(secrets("secret-key").masked(""), "");
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
            assert_eq!(secrets.masked(echo), r#"{"a":"***"}"#, "{echo}");
        }
        // Other characters are escaped in the same way.
        for other in [r#"se\/c/r\\et"#, r#"se\"c\"r\\et"#, r#"se\"c/r\/et"#] {
            assert_eq!(secrets.masked(other), other);
        }
        assert_eq!(secrets.masked(r"hunt\u00e9r2 hunt\u00E9r2 hunt\u00"), r"*** *** hunt\u00");
    }
}
