//! Checks server URLs: the program can use those that it accepts, and no error shows a password.

#![no_main]

use arbitrary::Arbitrary;
use connect_cache::ServerUrl;
use connect_cache_fuzz::{Change, one_of};
use libfuzzer_sys::fuzz_target;
use ureq::http::Uri;

#[derive(Arbitrary, Debug)]
struct Address {
    scheme: u8,
    has_password: bool,
    host: u8,
    port: u8,
    path: u8,
    tail: u8,
    quote: u8,
}

const PASSWORD: &str = "Pa55w0rd";
const SCHEMES: [&str; 6] = ["https://", "http://", "HTTPS://", "", "https:/", "ftp://"];
const HOSTS: [&str; 9] = [
    "connect.example.com",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "[2001:db8::7]",
    "Host",
    "b\u{fc}cher.example",
    "\u{bb34}\u{ae08}\u{c0bc}.\u{4e2d}\u{56fd}",
    "a.b.",
];
const PORTS: [&str; 6] = ["", "", ":3939", ":443", ":65535", ":80"];
const PATHS: [&str; 8] =
    ["", "/", "/rsc", "/rsc/", "/__api__", "/rsc/__api__/v1/user", "/connect/", "/a%20b/c"];
const TAILS: [&str; 5] = ["", "", "#/content", "?first=0", " "];
const QUOTES: [&str; 4] = ["", "", "\"", "'"];

impl Address {
    fn text(&self) -> String {
        let user = if self.has_password { format!("me:{PASSWORD}@") } else { String::new() };
        let quote = one_of(&QUOTES, self.quote);
        let parts = [
            (&SCHEMES[..], self.scheme),
            (&HOSTS, self.host),
            (&PORTS, self.port),
            (&PATHS, self.path),
            (&TAILS, self.tail),
        ];
        let [scheme, host, port, path, tail] = parts.map(|(choices, number)| one_of(choices, number));
        format!("{quote}{scheme}{user}{host}{port}{path}{tail}{quote}")
    }
}

fn check_usable(server: &ServerUrl, text: &str) {
    let shown = server.to_string();
    // A quote at the end of a path counts as one around the URL once the slash after it is gone.
    if !shown.ends_with(['"', '\'']) {
        assert_eq!(shown.parse::<ServerUrl>().as_ref(), Ok(server), "{text:?}");
    }
    assert!(shown.bytes().all(|b| b.is_ascii_graphic()), "{text:?}: {shown}");
    let uri: Uri =
        format!("{shown}/__api__/v1/user").parse().unwrap_or_else(|e| panic!("{text:?}: {shown}: {e}"));
    let authority = uri.authority().unwrap();
    assert!(!authority.as_str().contains('@'), "{text:?}: {shown}");
    assert_eq!(authority.host().trim_matches(['[', ']']), server.host(), "{text:?}: {shown}");
    let default = if server.is_https() { 443 } else { 80 };
    assert_eq!(authority.port_u16().unwrap_or(default), server.port(), "{text:?}: {shown}");
    assert!(uri.path().ends_with("/__api__/v1/user") && uri.query().is_none(), "{text:?}: {shown}");
}

fuzz_target!(|input: (Address, Change)| {
    let (address, change) = input;
    let text = change.of(&address.text());
    match text.parse::<ServerUrl>() {
        Ok(server) => check_usable(&server, &text),
        Err(error) => {
            let error = error.to_string();
            assert!(!error.contains(PASSWORD), "{text:?}: {error}");
            assert!(!error.contains(char::is_control), "{text:?}: {error:?}");
            if let Some((_, instead)) = error.split_once("; use ") {
                match instead.parse() {
                    Ok(server) => check_usable(&server, &text),
                    Err(again) => assert!(instead.ends_with(['"', '\'']), "{text:?}: {error}: {again}"),
                }
            }
        }
    }
});
