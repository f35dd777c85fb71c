//! Checks server URLs: the program can use those that it accepts, and no error shows a password.

#![no_main]

use connect_cache::ServerUrl;
use libfuzzer_sys::{Corpus, fuzz_target};
use ureq::http::Uri;

const PASSWORD: &str = "Pa55w0rd";

/// Checks that `server`, which was read from `text`, reads as itself and is the start of a valid URL.
fn check_usable(server: &ServerUrl, text: &str) {
    let shown = server.to_string();
    // A quote at the end of a path counts as one around the URL once the slash after it is gone.
    if !shown.ends_with(['"', '\'']) {
        assert_eq!(shown.parse::<ServerUrl>().ok().as_ref(), Some(server), "{text:?}");
    }
    assert!(shown.bytes().all(|b| b.is_ascii_graphic()), "{text:?}: {shown}");
    let url = format!("{shown}/__api__/v1/user");
    let url: Uri = url.parse().unwrap_or_else(|e| panic!("{text:?}: {url}: {e}"));
    assert!(matches!(url.scheme_str(), Some("http" | "https")), "{text:?}: {url}");
    assert!(url.authority().is_some_and(|authority| !authority.as_str().contains('@')), "{text:?}: {url}");
    assert!(url.path().ends_with("/__api__/v1/user") && url.query().is_none(), "{text:?}: {url}");
    assert_eq!(url.path().matches("/__api__/").count(), 1, "{text:?}: {url}");
}

fn check(text: &str) -> Result<(), String> {
    match text.parse::<ServerUrl>() {
        Ok(server) => {
            check_usable(&server, text);
            Ok(())
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(char::is_control), "{text:?}: {error:?}");
            if let Some((_, instead)) = error.split_once("; use ") {
                match instead.parse() {
                    Ok(server) => check_usable(&server, text),
                    Err(again) => assert!(instead.ends_with(['"', '\'']), "{text:?}: {error}: {again}"),
                }
            }
            Err(error)
        }
    }
}

fuzz_target!(|text: &str| -> Corpus {
    if text.contains(PASSWORD) {
        return Corpus::Reject;
    }
    let _ = check(text);
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    if !scheme.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Corpus::Keep;
    }
    let separator = if scheme.is_empty() { "" } else { "://" };
    let with_password = format!("{scheme}{separator}me:{PASSWORD}@{rest}");
    if let Err(error) = check(&with_password) {
        assert!(!error.contains(PASSWORD), "{with_password:?}: {error}");
    }
    Corpus::Keep
});
