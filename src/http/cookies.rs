//! The cookies of one server for one run.
//!
//! A load balancer in front of a Connect cluster marks with a cookie which node answered, and only
//! that node knows the tasks it runs, so the cookie goes back with every later request. The client
//! talks to one host for some minutes, so domain, path and a date of expiry make no difference.

/// More than any load balancer sets, but short enough for the header to fit the output buffer.
const MAX_BYTES: usize = 4096;

/// Names and values, in the order in which they were set.
#[derive(Clone, Default)]
pub(crate) struct Jar(Vec<(String, String)>);

impl Jar {
    /// Stores the cookie that the value of a `Set-Cookie` header sets.
    ///
    /// It replaces the cookie with the same name. An empty value or a `Max-Age` of 0 or less only removes that cookie, as
    /// does one that would not fit. A cookie that could not be sent back unchanged is ignored.
    pub(crate) fn store(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || !(name.bytes().chain(value.bytes())).all(|b| (b' '..=b'~').contains(&b)) {
            return;
        }
        let is_max_age = |(key, _): &(&str, &str)| key.trim().eq_ignore_ascii_case("max-age");
        let age = parts.filter_map(|attribute| attribute.split_once('=')).find(is_max_age);
        let expired = age.and_then(|(_, age)| age.trim().parse().ok()).is_some_and(|age: i64| age <= 0);
        self.0.retain(|(known, _)| known != name);
        let length = |(name, value): &(String, String)| name.len() + value.len() + "=; ".len();
        let cookie = (name.to_owned(), value.to_owned());
        let fits = self.0.iter().chain([&cookie]).map(length).sum::<usize>() <= MAX_BYTES;
        if !expired && !value.is_empty() && fits {
            self.0.push(cookie);
        }
    }

    /// Returns the value of the only `Cookie` header of a request (RFC 6265, section 5.4); `None` if there are no
    /// cookies. `own` holds those of the configuration: a cookie of the server replaces one of the same name, and
    /// nothing else of it changes.
    pub(crate) fn header(&self, own: &str) -> Option<String> {
        if self.0.is_empty() {
            return (!own.is_empty()).then(|| own.to_owned());
        }
        let mut pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let is_replaced = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            self.0.iter().any(|(known, _)| known == name)
        };
        let own = own.split(';').map(str::trim);
        pairs.splice(0..0, own.filter(|pair| !pair.is_empty() && !is_replaced(pair)).map(str::to_owned));
        Some(pairs.join("; "))
    }

    /// Forgets every cookie.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_after(set: &[&str]) -> Option<String> {
        let mut jar = Jar::default();
        set.iter().for_each(|s| jar.store(s));
        jar.header("")
    }

    #[test]
    fn replaces_cookies_by_name_and_removes_expired_ones() {
        for (set, sent) in [
            (&["route=node1; Path=/; HttpOnly"][..], Some("route=node1")),
            (&["a=1", "b=2", "a=3; Secure"], Some("b=2; a=3")),
            (&["a=1", "a=; Path=/"], None),
            (&["a=1", "b=2", "a=gone; max-age=0"], Some("b=2")),
            (&["a=1", "a=x; Max-Age=-1"], None),
            (&["a=1; Max-Age=3600"], Some("a=1")),
            // As HAProxy removes its cookie.
            (&["a=1", "a=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"], None),
            (&["a=1; Expires=Fri, 23 Nov 2035 12:00:00 GMT"], Some("a=1")),
            (&["token=a=b==; Path=/"], Some("token=a=b==")),
            (&["", "=x", "novalue", "bad=\u{7f}"], None),
        ] {
            assert_eq!(sent_after(set).as_deref(), sent, "{set:?}");
        }
    }

    #[test]
    fn joins_configured_cookies_with_those_of_the_server() {
        let mut jar = Jar::default();
        assert_eq!(jar.header("a=1;b = \"x y\" ;; c").as_deref(), Some("a=1;b = \"x y\" ;; c"));
        jar.store("b=2");
        jar.store("d=4");
        assert_eq!(jar.header("a=1; b=x; bb=3; c").as_deref(), Some("a=1; bb=3; c; b=2; d=4"));
    }

    #[test]
    fn ignores_cookies_that_exceed_one_header_line() {
        let long = format!("b={}", "x".repeat(MAX_BYTES));
        assert_eq!(sent_after(&["a=1", &long, "c=2"]).as_deref(), Some("a=1; c=2"));

        // "a=1; b=..." with as many bytes as fit, and two for the separator. Replaced cookies do not count.
        let fits = format!("bb={}", "x".repeat(MAX_BYTES - "a=1; bb=; ".len()));
        let sent = sent_after(&["a=1", &fits, &fits]).unwrap();
        assert_eq!(sent, format!("a=1; {fits}"));
        assert_eq!(sent.len() + "; ".len(), MAX_BYTES);
        let too_long = format!("{fits}x");
        assert_eq!(sent_after(&["a=1", &too_long]).as_deref(), Some("a=1"));
        assert_eq!(sent_after(&["a=1", &fits, "c=2"]).as_deref(), Some(sent.as_str()));
    }
}
