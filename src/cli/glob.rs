//! Globs with `*` (any run of characters) and `?` (any one character), matched against a whole text.

use std::iter;

/// Reports whether all of `text` matches `pattern`. The time is the product of the two lengths, whatever the pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // For each length of a start of the text, whether it matches the characters of the pattern so far.
    let mut matched = vec![false; text.len() + 1];
    matched[0] = true;
    for p in pattern.chars() {
        if p == '*' {
            let shortest = matched.iter().position(|&is| is).unwrap_or(matched.len());
            matched[shortest..].fill(true);
        } else {
            let longer = text.iter().zip(&matched).map(|(&t, &is)| is && (p == '?' || p == t));
            matched = iter::once(false).chain(longer).collect();
        }
    }
    matched[text.len()]
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
