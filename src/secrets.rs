//! What is secret in a run, and must not be shown even where a reply echoes it.

use std::borrow::Cow;

use crate::{ApiKey, Proxy};

/// A shorter one would turn up by chance, and keeps nobody out.
const SHORTEST: usize = 6;

/// The key and the proxy's credentials.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn new(key: &ApiKey, proxy: Option<&Proxy>) -> Self {
        let mut secrets = vec![key.text().to_owned()];
        if let Some(proxy) = proxy {
            secrets.extend(proxy.credentials().map(|(_, password)| password.to_owned()));
            secrets.extend(proxy.authorization().map(|basic| basic.trim_start_matches("Basic ").to_owned()));
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        Self(secrets)
    }

    /// `text` with each secret in it masked.
    pub(crate) fn masked_in<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), "***"));
            }
        }
        text
    }

    /// `text`, which was cut off, without what may be the beginning of a secret at its end.
    pub(crate) fn without_cut_end<'a>(&self, text: &'a str) -> &'a str {
        let begun = |secret: &String| {
            (1..secret.len()).rev().find(|&end| secret.get(..end).is_some_and(|begun| text.ends_with(begun)))
        };
        let longest = self.0.iter().filter_map(begun).max().unwrap_or_default();
        &text[..text.len() - longest]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_echoed_is_masked() {
        let proxy = |name: &str| (name == "http_proxy").then(|| "http://user:hunter2@proxy".to_owned());
        let proxy = Proxy::for_server(&"http://host".parse().unwrap(), &proxy).unwrap();
        let secrets = Secrets::new(&ApiKey::new("secret-key").unwrap(), proxy.as_ref());
        let echo = "Key secret-key, Basic dXNlcjpodW50ZXIy, hunter2; and secret-key again";
        assert_eq!(secrets.masked_in(echo), "Key ***, Basic ***, ***; and *** again");
        assert_eq!(secrets.without_cut_end("it is secret-k"), "it is ");
        assert_eq!(secrets.without_cut_end("it is another"), "it is another");
        assert_eq!(Secrets::new(&ApiKey::new("k").unwrap(), None).masked_in("a kiwi"), "a kiwi");
    }
}
