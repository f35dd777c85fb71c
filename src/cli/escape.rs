//! Escaping for terminals: text from a server may contain control sequences, or characters that hide or reorder
//! what a person reads. JSON output carries them as they came.

/// Returns `text` with its control (but the tab), bidirectional and zero-width characters escaped.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_deceptive(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

fn is_deceptive(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' // soft hyphen, Arabic letter mark, Mongolian vowel separator
            | '\u{200b}'..='\u{200f}'         // zero-width characters, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}'         // line and paragraph separators, bidirectional embeddings
            | '\u{2060}'..='\u{206f}'         // word joiner, bidirectional isolates
            | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn escapes_deceptive_characters_and_nothing_else() {
        for (text, shown) in [
            ("Deleting runtime cache...", "Deleting runtime cache..."),
            ("a\tb", "a\tb"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("two\nlines\r", "two\\nlines\\r"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("safe\u{202e}exe", "safe\\u{202e}exe"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("größe 大", "größe 大"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }
}
