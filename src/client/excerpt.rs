//! The part of a reply that people see: the words of a page, or the start of anything else.

use crate::client::secrets::{ENTITIES, Secrets};
use crate::error::Excerpt;

/// How many characters of a body a trace shows, and how many an error.
const SHOWN: usize = 4096;
const EXCERPT: usize = 200;
/// How much of a body is masked before it is cut, so that no part of a secret is left.
const MASKED: usize = 32 << 10;

/// Returns the part of a body that a trace may show.
pub(crate) fn shown(body: &[u8], secrets: &Secrets) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(MASKED)]);
    secrets.mask(&text).chars().take(SHOWN).collect()
}

/// Returns the part of a body that an error shows, on one line.
pub(crate) fn excerpt(body: &[u8], secrets: &Secrets) -> Excerpt {
    let text = shown(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body), secrets);
    let is_page = text.trim_start().starts_with('<');
    let text = if is_page { words(&text) } else { text };
    let words: Vec<&str> = text.split_whitespace().collect();
    Excerpt { is_page, text: words.join(" ").chars().take(EXCERPT).collect() }
}

/// Returns the title of an HTML page and its words, without the markup.
fn words(page: &str) -> String {
    let (mut title, mut text) = (String::new(), String::new());
    // It has the same length, so that positions in it are positions in the page.
    let lower = page.to_ascii_lowercase();
    let mut at = 0;
    while let Some(length) = page[at..].find('<') {
        text.push_str(&page[at..at + length]);
        text.push(' ');
        let tag = at + length;
        let end = |mark: &str| lower[tag..].find(mark).map_or(page.len(), |length| tag + length + mark.len());
        at = match &lower[tag..] {
            tag if tag.starts_with("<!--") => end("-->"),
            tag if tag.starts_with("<script") => end("</script>"),
            tag if tag.starts_with("<style") => end("</style>"),
            tag if tag.starts_with("<title") => {
                let element = &page[end(">")..end("</title>").max(end(">"))];
                title = element.split('<').next().unwrap_or_default().to_owned();
                end("</title>")
            }
            _ => end(">"),
        };
    }
    text.push_str(&page[at..]);
    let (title, text) = (without_entities(&title), without_entities(&text));
    match (title.trim(), text.trim()) {
        (title, "") => title.to_owned(),
        (title, text) if text.starts_with(title) => text.to_owned(),
        (title, text) => format!("{title}: {text}"),
    }
}

/// Replaces the entities that occur in the words of gateways' pages.
fn without_entities(text: &str) -> String {
    ENTITIES
        .iter()
        .fold(text.to_owned(), |text, (entity, meaning)| text.replace(entity, &meaning.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_words_of_a_page() {
        for (page, text) in [
            ("<html>\r\n  <body>\n", ""),
            (
                "<!DOCTYPE html><html><head><TITLE>Request\nblocked</TITLE><style>b{}</style></head>\
                 <body>Stopped by a rule.<br><br>Number: 4711<a href='x'>Back</a>",
                "Request blocked: Stopped by a rule. Number: 4711 Back",
            ),
            (
                "\u{feff} <!--[if IE]> <html class=\"old\"> <![endif]-->\n<!--[if gt IE 8]><!--> <html> <!--<![endif]-->\
                 <script>window.x=1<2;</script><h1>You cannot</h1><p>ID: <b>8f00</b>",
                "You cannot ID: 8f00",
            ),
            ("<p>We&#39;ll be&nbsp;back &amp; &lt;running&gt;", "We'll be back & <running>"),
            ("<p>a <!-- <b>not shown</b> --> b", "a b"),
            ("<title>a", "a"),
            ("<p>a < b", "a"),
            ("<script>a", ""),
        ] {
            let Excerpt { is_page, text: words } = excerpt(page.as_bytes(), &Secrets::default());
            assert_eq!((is_page, words.as_str()), (true, text), "{page}");
        }
    }

    #[test]
    fn shows_the_start_of_anything_else_on_one_line() {
        let text = |body: &[u8]| excerpt(body, &Secrets::default()).text;
        assert_eq!(text(b"{\"a\":\r\n  1}\n"), "{\"a\": 1}");
        assert_eq!(text(&[b'x'; 1000]).len(), EXCERPT);
        assert_eq!(text(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
