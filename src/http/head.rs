//! The head of a reply, rewritten so that ureq can read it.
//!
//! Gateways send heads that curl and other clients read and ureq's parser refuses: folded lines, blanks before a
//! colon, control characters, invalid names, more headers than the parser has room for, and headers
//! in a reply with status 100. None of this changes what a reply means, so the head is rewritten: one line
//! for each header, only headers with a valid name, and no reason phrase. It never gets longer.

use std::fmt;

use ureq::http::HeaderName;

/// Limit for a head, below the size of the input buffer: ureq takes a longer head than that buffer for a lost
/// connection.
pub(crate) const MAX_HEAD: usize = 30 << 10;

/// The headers that lead to a request in the log of Connect, or of a gateway.
pub(crate) const REQUEST_IDS: [&str; 4] = ["X-Correlation-ID", "CF-Ray", "X-Request-ID", "X-Amzn-Trace-Id"];

/// The other headers that ureq or this library reads, the most important ones first.
const READ: &[&str] = &[
    "transfer-encoding",
    "content-length",
    "connection",
    "content-encoding",
    "content-type",
    "location",
    "retry-after",
    "proxy-authenticate",
    "x-deprecated-endpoint",
    "set-cookie",
];

/// The start of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A head whose end has not arrived.
    Partial,
    /// The head of an interim reply (1xx), which another one follows.
    Interim {
        /// Its length in the input.
        length: usize,
    },
    /// The head of a reply.
    Whole {
        /// Its length in the input.
        length: usize,
        /// The head as ureq can read it, which is not longer.
        rewritten: Vec<u8>,
    },
}

/// A head that cannot be read. `Display` shows nothing that the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadHead {
    pub(crate) problem: &'static str,
    /// The line in question, as far as it has arrived.
    pub(crate) line: Vec<u8>,
    /// Whether the reply begins as HTTP does.
    pub(crate) is_http: bool,
}

impl fmt::Display for BadHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl std::error::Error for BadHead {}

/// Reads the head at the start of `input`. Of more than `max_headers`, it drops the least important.
pub(crate) fn read(input: &[u8], max_headers: usize) -> Result<Head, BadHead> {
    let empty_lines = input.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let mut rest = &input[empty_lines..];
    if rest.iter().zip(b"HTTP/1.").any(|(found, expected)| found != expected) {
        let line = take_line(&mut rest).unwrap_or(rest);
        return Err(BadHead { problem: "it is not HTTP", line: line.to_owned(), is_http: false });
    }
    let Some(status_line) = take_line(&mut rest) else { return Ok(Head::Partial) };
    let bad = |problem, line: &[u8]| BadHead { problem, line: line.to_owned(), is_http: true };
    let (minor, status) =
        status(status_line).ok_or_else(|| bad("the status line is malformed", status_line))?;

    let mut lines: Vec<Vec<u8>> = Vec::new();
    loop {
        let line = match take_line(&mut rest) {
            None => return Ok(Head::Partial),
            Some([]) => break,
            Some(line) => line,
        };
        if !matches!(line[0], b' ' | b'\t') {
            lines.push(line.trim_ascii_end().to_owned());
        } else if let Some(folded) = lines.last_mut() {
            // RFC 9112, section 5.2. Section 2.2 ignores such a line after the status line.
            folded.push(b' ');
            folded.extend_from_slice(line.trim_ascii());
        }
    }
    let length = input.len() - rest.len();
    if status[0] == b'1' && status != b"101" {
        return Ok(Head::Interim { length });
    }

    let mut headers = Vec::new();
    for line in &lines {
        let colon = line.iter().position(|&b| b == b':');
        let colon = colon.ok_or_else(|| bad("a header line has no colon", line))?;
        // RFC 9112, section 5.1.
        let name = line[..colon].trim_ascii_end();
        if HeaderName::from_bytes(name).is_ok() {
            headers.push((name, line[colon + 1..].trim_ascii()));
        }
    }
    if headers.len() > max_headers {
        let all = || READ.iter().chain(&REQUEST_IDS);
        let place = |name: &[u8]| all().position(|read| name.eq_ignore_ascii_case(read.as_bytes()));
        headers.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
        headers.truncate(max_headers);
    }
    let mut rewritten = [b"HTTP/1.", minor, b" ", status, b"\n"].concat();
    for (name, value) in headers {
        rewritten.extend_from_slice(name);
        rewritten.push(b':');
        // RFC 9110, section 5.5.
        rewritten.extend(value.iter().map(|&b| if b.is_ascii_control() && b != b'\t' { b' ' } else { b }));
        rewritten.push(b'\n');
    }
    rewritten.push(b'\n');
    Ok(Head::Whole { length, rewritten })
}

/// Reports whether a rewritten head asks for a proxy's credentials (407), but not for Basic.
pub(crate) fn refuses_basic(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let offered = |scheme: &str| {
        let mut lines = head.lines().filter_map(|line| line.strip_prefix("proxy-authenticate:"));
        lines.any(|line| line.contains(scheme))
    };
    head.get(9..12) == Some("407") && offered("") && !offered("basic")
}

/// Takes a line off the input and returns it without its end; `None` if its end has not arrived.
fn take_line<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = input.iter().position(|&b| b == b'\n')?;
    let line = &input[..end];
    *input = &input[end + 1..];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Returns the minor version, as 0 or 1, and the status of a status line.
fn status(line: &[u8]) -> Option<(&'static [u8], &[u8])> {
    let (minor, rest) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
    let (status, reason) = rest.trim_ascii_start().split_at_checked(3)?;
    let is_status = status.iter().all(u8::is_ascii_digit) && status[0] != b'0';
    let is_apart = |text: &[u8]| text.first().is_none_or(u8::is_ascii_whitespace);
    if !minor.is_ascii_digit() || !is_status || !is_apart(rest) || !is_apart(reason) {
        return None;
    }
    // A higher version is to be read as the highest one that is known (RFC 9110, section 2.5).
    Some((if *minor == b'0' { b"0" } else { b"1" }, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(head: &str) -> String {
        match read(head.as_bytes(), 128).unwrap() {
            Head::Whole { length, rewritten } => {
                assert_eq!(length, head.len(), "{head:?}");
                assert!(rewritten.len() <= length, "{head:?}");
                let again = read(&rewritten, 128).unwrap();
                assert_eq!(again, Head::Whole { length: rewritten.len(), rewritten: rewritten.clone() });
                String::from_utf8_lossy(&rewritten).into_owned()
            }
            other => panic!("{other:?} of {head:?}"),
        }
    }

    #[test]
    fn rewrites_heads_that_ureq_refuses() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", ""),
            ("\r\n\nHTTP/1.1 200\n\n", ""),
            ("HTTP/1.1  200 \x01reason\r\n\r\n", ""),
            ("HTTP/1.9 200 OK\r\n\r\n", ""),
            ("HTTP/1.1 200 OK\r\nA: b\r\nC:d\n\r\n", "A:b\nC:d\n"),
            // Folds.
            ("HTTP/1.1 200 OK\r\nA: b \r\n\t c;\r\n  d\r\nE: f\r\n\r\n", "A:b c; d\nE:f\n"),
            ("HTTP/1.1 200 OK\r\nA:\r\n b\r\n\r\n", "A:b\n"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n \r\n\t\r\n\r\n", "A:b\n"),
            ("HTTP/1.1 200 OK\r\n X: y\r\nA: b\r\n\r\n", "A:b\n"),
            ("HTTP/1.1 200 OK\r\nA\r\n : b\r\n\r\n", "A:b\n"),
            // Blanks before a colon.
            ("HTTP/1.1 200 OK\r\nContent-Length \t: 3\r\n\r\n", "Content-Length:3\n"),
            // Characters that are not allowed in values and names.
            ("HTTP/1.1 200 OK\r\nA: b\x00c\x7f\rd\te\u{e9}\r\n\r\n", "A:b c  d\te\u{e9}\n"),
            ("HTTP/1.1 200 OK\r\nA B: c\r\n: d\r\nE\u{e9}: f\r\nG[1]: h\r\nI: j:k\r\n\r\n", "I:j:k\n"),
        ] {
            assert_eq!(rewritten(head), format!("HTTP/1.1 200\n{expected}\n"), "{head:?}");
        }
        assert_eq!(rewritten("HTTP/1.0 404 Not Found\r\n\r\n"), "HTTP/1.0 404\n\n");
        assert_eq!(rewritten("HTTP/1.1 101 Switching\r\n\r\n"), "HTTP/1.1 101\n\n");
    }

    #[test]
    fn drops_only_headers_that_nothing_reads() {
        let others = |from, to| (from..to).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
        let head = format!(
            "HTTP/1.1 200 OK\r\n{}set-cookie: a=b\r\n{}CONTENT-LENGTH: 3\r\n\r\nabc",
            others(0, 100),
            others(100, 200)
        );
        let Ok(Head::Whole { length, rewritten }) = read(head.as_bytes(), 128) else { panic!("{head}") };
        assert_eq!(&head[length..], "abc");
        let kept = String::from_utf8(rewritten).unwrap();
        assert_eq!(kept.lines().count(), 1 + 128 + 1);
        assert!(kept.contains("\nset-cookie:a=b\n") && kept.contains("\nCONTENT-LENGTH:3\n"), "{kept}");
        assert!(kept.contains("\nX-125:y\n") && !kept.contains("\nX-126:"), "{kept}");
        // Of cookies, too, those that are too many are dropped, and never what shows where the body ends.
        let cookies = "Set-Cookie: a=b\r\n".repeat(140);
        let head = format!("HTTP/1.1 200 OK\r\n{cookies}X-A: y\r\nContent-Length: 3\r\n\r\n");
        let Ok(Head::Whole { rewritten, .. }) = read(head.as_bytes(), 128) else { panic!("{head}") };
        let kept = String::from_utf8(rewritten).unwrap();
        assert_eq!(kept.matches("\nSet-Cookie:").count(), 127);
        assert!(kept.contains("\nContent-Length:3\n") && !kept.contains("X-A"), "{kept}");
    }

    #[test]
    fn waits_for_the_end_of_a_head() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(read(&head[..end], 128), Ok(Head::Partial), "{end}");
        }
        assert!(matches!(read(head, 128), Ok(Head::Whole { .. })));
    }

    #[test]
    fn recognizes_interim_replies() {
        let head = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
        let input = [&head[..], b"HTTP/1.1 200 OK\r\n"].concat();
        assert_eq!(read(&input, 128), Ok(Head::Interim { length: head.len() }));
    }

    #[test]
    fn names_the_problem_of_a_bad_head() {
        for (head, problem, line, is_http) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", "it is not HTTP", "SSH-2.0-OpenSSH_9.2", false),
            ("\x15\x03", "it is not HTTP", "\x15\x03", false),
            ("HTTP/2 200\r\n\r\n", "it is not HTTP", "HTTP/2 200", false),
            ("HTTP/1.1 OK\r\n", "the status line is malformed", "HTTP/1.1 OK", true),
            ("HTTP/1.1 20\r\n", "the status line is malformed", "HTTP/1.1 20", true),
            ("HTTP/1.1 099 x\r\n", "the status line is malformed", "HTTP/1.1 099 x", true),
            ("HTTP/1.1 2000\r\n", "the status line is malformed", "HTTP/1.1 2000", true),
            ("HTTP/1.1200 OK\r\n", "the status line is malformed", "HTTP/1.1200 OK", true),
            ("HTTP/1.1 200 OK\r\n<html>\r\n\r\n", "a header line has no colon", "<html>", true),
        ] {
            let expected = BadHead { problem, line: line.into(), is_http };
            assert_eq!(read(head.as_bytes(), 128), Err(expected), "{head:?}");
        }
    }
}
