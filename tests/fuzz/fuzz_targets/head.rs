//! Checks that ureq can read each rewritten head of a reply, and that it means the same.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The program does not show most of what it reads of a head, so this target calls the module itself.
#[allow(dead_code)] // the limit that the transport checks
#[path = "../../../src/http/head.rs"]
mod head;

use head::Head;

const MAX_HEADERS: usize = 128;

/// What ureq's parser reads: the length of the head, the status, names and values; `None` if it refuses the head.
type Parsed = (usize, u16, Vec<(String, Vec<u8>)>);

fn parsed(text: &[u8], max_headers: usize) -> Option<Parsed> {
    let mut headers = vec![httparse::EMPTY_HEADER; max_headers];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = response.parse(text) else { return None };
    let headers = response.headers.iter().map(|header| (header.name.to_owned(), header.value.to_owned()));
    Some((length, response.code?, headers.collect()))
}

fuzz_target!(|text: &[u8]| {
    let shown = String::from_utf8_lossy(text);
    let read = head::read(text, MAX_HEADERS);

    // Of a part that has arrived, nothing is read in another way than of the whole.
    for end in 0..text.len().min(256) {
        match (head::read(&text[..end], MAX_HEADERS), &read) {
            (Ok(Head::Partial), _) => {}
            (Err(bad), Err(other)) => {
                assert_eq!((bad.problem, bad.is_http), (other.problem, other.is_http), "{shown}")
            }
            (part, read) => assert_eq!(part, *read, "{shown}"),
        }
    }

    // ureq refuses a status below 100, which its parser reads.
    let original = parsed(text, 4096).filter(|(_, status, _)| *status >= 100);
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
            assert!(status.is_none_or(|status| (100..200).contains(&status)), "{shown}");
            assert!(*length <= text.len(), "{shown}");
        }
        Ok(Head::Partial) => assert_eq!(original, None, "{shown}"),
        Err(bad) => assert_eq!(original, None, "{shown}: {bad}"),
    }
});
