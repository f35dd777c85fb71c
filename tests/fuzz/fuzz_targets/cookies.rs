//! Checks which of the server's cookies the client sends back.

#![no_main]

use arbitrary::Arbitrary;
use connect_cache_fuzz::{Change, one_of};
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/cookies.rs"]
mod cookies;

#[derive(Arbitrary, Debug)]
struct Cookie {
    name: u8,
    value: u8,
    /// Lengthens the value.
    times: u8,
    attributes: Vec<u8>,
}

const NAMES: [&str; 4] = ["route", "rscid", "RSC-XSRF", "a b"];
const VALUES: [&str; 6] =
    ["node1", "MTYx|Nz_=", "\"quoted, value\"", "a=b==", "", "0123456789abcdef0123456789abcdef"];
/// The attributes, and whether they remove the cookie. A `Max-Age` outweighs a date.
const ATTRIBUTES: [(&str, Option<bool>); 10] = [
    ("; Path=/", None),
    (";Secure;HttpOnly", None),
    ("; SameSite=Lax ", None),
    ("; domain=host", None),
    ("; Max-Age=3600", Some(false)),
    ("; max-age = 0", Some(true)),
    ("; Max-Age=-1", Some(true)),
    ("; Max-Age=soon", None),
    ("; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Some(true)),
    ("; expires=Fri, 23-Nov-2035 12:00:00 GMT", Some(false)),
];

impl Cookie {
    fn pair(&self) -> (&'static str, String) {
        (one_of(&NAMES, self.name), one_of(&VALUES, self.value).repeat(1 + usize::from(self.times)))
    }

    fn text(&self) -> String {
        let (name, value) = self.pair();
        let attributes = self.attributes.iter().map(|attribute| one_of(&ATTRIBUTES, *attribute).0);
        format!("{name}={value}{}", attributes.collect::<String>())
    }

    fn is_expired(&self) -> bool {
        let given = |name: &str| {
            let attributes = self.attributes.iter().map(|attribute| one_of(&ATTRIBUTES, *attribute));
            let named = attributes.filter(|(text, _)| text.to_ascii_lowercase().contains(name));
            named.map(|(_, is_gone)| is_gone).next()
        };
        given("max-age").flatten().or(given("expires").flatten()).unwrap_or(false)
    }
}

fuzz_target!(|input: (Vec<Cookie>, u8, Change)| {
    let (cookies, wrong, change) = input;
    let mut jar = cookies::Jar::default();
    let mut expected: Vec<(&str, String)> = Vec::new();
    for (n, cookie) in cookies.iter().enumerate() {
        let mut text = cookie.text();
        if n == usize::from(wrong) {
            text = change.of(&text);
        }
        jar.store(&text);

        let (name, value) = cookie.pair();
        let at = expected.iter().position(|(known, _)| *known == name);
        match at {
            _ if value.is_empty() || cookie.is_expired() => expected.retain(|(known, _)| *known != name),
            Some(at) => expected[at].1 = value,
            None => expected.push((name, value)),
        }
    }
    let header = jar.header();
    let sent = header.as_deref().unwrap_or_default();
    assert!(sent.len() <= 4096 && sent.bytes().all(|b| (b' '..=b'~').contains(&b)), "{sent:?}");
    assert!(header.is_none() || sent.split("; ").all(|pair| !pair.starts_with('=')), "{sent:?}");
    let everything: usize = cookies.iter().map(|cookie| cookie.text().len() + 2).sum();
    if (change.is_nothing() || usize::from(wrong) >= cookies.len()) && everything < 4096 {
        let pairs: Vec<String> = expected.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(sent, pairs.join("; "), "{cookies:?}");
    }
});
