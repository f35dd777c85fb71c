//! Checks that ureq can read each rewritten head of a reply, and that it means the same.

#![no_main]

use arbitrary::Arbitrary;
use connect_cache_fuzz::{Change, one_of};
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/head.rs"]
mod head;

use head::Head;

#[derive(Arbitrary, Debug)]
struct Reply {
    empty_lines: u8,
    status_line: u8,
    headers: Vec<Header>,
    bare_newlines: bool,
    body: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Header {
    name: u8,
    value: u8,
    is_folded: bool,
    /// How many more times it occurs.
    times: u8,
}

const STATUS_LINES: [&str; 9] = [
    "HTTP/1.1 200 OK",
    "HTTP/1.0 404 Not Found",
    "HTTP/1.1 200",
    "HTTP/1.1 502 Bad Gateway",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 103 Early Hints",
    "HTTP/1.1 407 Proxy Authentication Required",
    "HTTP/1.1 101 Switching Protocols",
];
const NAMES: [&str; 10] = [
    "Content-Type",
    "content-length",
    "Set-Cookie",
    "Transfer-Encoding",
    "Connection",
    "Location",
    "X-Deprecated-Endpoint",
    "Proxy-Authenticate",
    "X-Other",
    "Server",
];
const VALUES: [&str; 8] = [
    "application/json; charset=utf-8",
    "12",
    "route=node1; Path=/",
    "chunked",
    "close",
    "https://host/__api__/v1/user",
    "Basic realm=\"proxy\"",
    "",
];
const MAX_HEADERS: usize = 128;

impl Reply {
    fn text(&self) -> Vec<u8> {
        let end = if self.bare_newlines { "\n" } else { "\r\n" };
        let mut text = end.repeat(usize::from(self.empty_lines % 3));
        text.push_str(one_of(&STATUS_LINES, self.status_line));
        text.push_str(end);
        for header in &self.headers {
            for _ in 0..=header.times {
                let fold = if header.is_folded { format!("{end}\t") } else { String::new() };
                text.push_str(&format!(
                    "{}: {fold}{}{end}",
                    one_of(&NAMES, header.name),
                    one_of(&VALUES, header.value)
                ));
            }
        }
        text.push_str(end);
        [text.as_bytes(), &self.body].concat()
    }
}

/// What ureq's parser reads: the length of the head, the status, names and values; `None` if it refuses the head.
type Parsed = (usize, u16, Vec<(String, Vec<u8>)>);

fn parsed(text: &[u8], max_headers: usize) -> Option<Parsed> {
    let mut headers = vec![httparse::EMPTY_HEADER; max_headers];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = response.parse(text) else { return None };
    let headers = response.headers.iter().map(|header| (header.name.to_owned(), header.value.to_owned()));
    Some((length, response.code?, headers.collect()))
}

fuzz_target!(|input: (Reply, Change, u16)| {
    let (reply, change, end) = input;
    let mut text = reply.text();
    change.apply(&mut text);
    let shown = String::from_utf8_lossy(&text).into_owned();
    let read = head::read(&text, MAX_HEADERS);

    // Of a part that has arrived, nothing is read in another way than of the whole.
    let part = head::read(&text[..usize::from(end) % (text.len() + 1)], MAX_HEADERS);
    match (&part, &read) {
        (Ok(Head::Partial), _) => {}
        (Err(bad), Err(other)) => {
            assert_eq!((bad.problem, bad.is_http), (other.problem, other.is_http), "{shown}")
        }
        (part, read) => assert_eq!(part, read, "{shown}"),
    }

    // ureq refuses a status below 100, which its parser reads.
    let original = parsed(&text, 4096).filter(|(_, status, _)| *status >= 100);
    match &read {
        Ok(Head::Whole { length, rewritten }) => {
            assert!(rewritten.len() <= *length && *length <= text.len(), "{shown}");
            let again = head::read(rewritten, MAX_HEADERS);
            assert!(matches!(again, Ok(Head::Whole { length, .. }) if length == rewritten.len()), "{shown}");
            let _ = head::refuses_basic(rewritten);
            let lines = rewritten.iter().filter(|&&byte| byte == b'\n').count();
            let Some((_, status, headers)) = parsed(rewritten, MAX_HEADERS) else {
                // More than that are kept only if they are headers that something reads.
                assert!(lines > 1 + MAX_HEADERS + 1, "ureq refuses {shown}");
                return;
            };
            if let Some((all, same_status, same_headers)) = original {
                assert_eq!((*length, status), (all, same_status), "{shown}");
                if same_headers.len() <= MAX_HEADERS {
                    assert_eq!(headers, same_headers, "{shown}");
                }
            }
        }
        Ok(Head::Interim { length }) => {
            let status = original.map(|(_, status, _)| status);
            assert!(
                status.is_none_or(|status| (100..200).contains(&status)) && *length <= text.len(),
                "{shown}"
            );
        }
        Ok(Head::Partial) => assert_eq!(original, None, "{shown}"),
        Err(bad) => {
            assert_eq!(original, None, "{shown}: {bad}");
            assert!(!change.is_nothing(), "{shown}: {bad}");
        }
    }
});
