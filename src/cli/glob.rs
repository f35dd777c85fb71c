//! Globs with `*` (any run of characters) and `?` (any one character), matched against a whole text.

/// Reports whether all of `text` matches `pattern`.
///
/// Only the last `*` seen is ever tried again, so the time is bounded by the product of the two
/// lengths, whatever the pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    let mut text_rest = text.chars();
    // Where to continue if the text after the last `*` does not match: after the star, and one character further in
    // the text.
    let mut retry = None;
    loop {
        let mut pattern_next = pattern_rest.clone();
        let mut text_next = text_rest.clone();
        match (pattern_next.next(), text_next.next()) {
            (Some('*'), _) => {
                pattern_rest = pattern_next;
                retry = Some((pattern_rest.clone(), text_rest.clone()));
                continue;
            }
            (Some(p), Some(t)) if p == '?' || p == t => {
                pattern_rest = pattern_next;
                text_rest = text_next;
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((after_star, from)) = &mut retry else { return false };
        if from.next().is_none() {
            return false;
        }
        pattern_rest = after_star.clone();
        text_rest = from.clone();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn matches_whole_texts() {
        for (pattern, text, expected) in [
            ("4.3.0", "4.3.0", true),
            ("4.3.0", "4.3.01", false),
            ("4.*", "4.3.0", true),
            ("4.*", "14.3.0", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("?.?.?", "3.7.6", true),
            ("3.?.*", "3.10.1", false),
            ("*-jammy", "ghcr-io-rstudio-r-jammy", true),
            ("*r*y", "ghcr-io-rstudio-r-jammy", true),
            ("*a*b", "aab-a", false),
            ("gr??e", "größe", true),
            ("[ab]", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn matches_thousands_of_stars_at_once() {
        let text = "a".repeat(3000);
        assert!(!matches(&("*a".repeat(1500) + "b"), &text));
        assert!(matches(&"*".repeat(3000), &text));
        assert!(!matches(&("*".repeat(3000) + "b"), &text));
    }

    /// Matches by the definition, in exponential time.
    fn plain(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| plain(rest, &text[taken..])),
            ([p, rest @ ..], [t, others @ ..]) => (*p == '?' || p == t) && plain(rest, others),
            ([_, ..], []) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?ö]{0,8}", text in "[abö]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), plain(&chars(&pattern), &chars(&text)));
        }
    }
}
