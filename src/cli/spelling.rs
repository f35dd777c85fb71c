//! Suggestions for misspelled words.

/// Returns the name that `word` misspells: with one typing error, or cut short.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let names: Vec<&str> = names.into_iter().collect();
    let slip = names.iter().find(|name| name.len() > 1 && is_slip(word.as_bytes(), name.as_bytes()));
    let mut longer = names.iter().filter(|name| word.len() > 3 && name.starts_with(word));
    let only = longer.next().filter(|_| longer.next().is_none());
    slip.or(only).copied()
}

/// Returns a suggestion in parentheses, to be added to an error.
pub fn suggestion(name: Option<&str>) -> String {
    name.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// Reports whether `word` is `name` with a typing error: one character too many, missing or wrong, or two swapped.
fn is_slip(word: &[u8], name: &[u8]) -> bool {
    let same = word.iter().zip(name).take_while(|(a, b)| a == b).count();
    let (word, name) = (&word[same..], &name[same..]);
    let same = word.iter().rev().zip(name.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&word[..word.len() - same], &name[..name.len() - same]) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_one_name_for_a_typing_error_or_a_beginning() {
        let names = ["--orphaned", "--ignore-not-found", "--insecure", "--interval"];
        for (word, name) in [
            ("--orphand", Some("--orphaned")),
            ("--orphhaned", Some("--orphaned")),
            ("--orphanad", Some("--orphaned")),
            ("--orphaend", Some("--orphaned")),
            ("--orph", Some("--orphaned")),
            ("--orphnd", None),
            ("--in", None),
            ("--", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), name, "{word}");
        }
        assert_eq!(nearest("q", ["R"]), None);
    }

    #[test]
    fn accepts_two_swapped_letters_and_no_other_two() {
        assert!(is_slip(b"lsit", b"list"));
        for word in [b"lsxt", b"lxit", b"lxxt"] {
            assert!(!is_slip(word, b"list"));
        }
    }
}
