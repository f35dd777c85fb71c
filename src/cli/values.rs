//! The values of options and variables. A function that rejects a text returns the end of the sentence
//! "invalid --option 'text': …".

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::spelling::{nearest, suggestion};

/// A text that may be an API key or a password. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Returns the text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Takes any text.
pub fn secret(text: &str) -> Result<Secret, String> {
    Ok(text.to_owned().into())
}

/// Reports whether a text in the place of another may be an API key.
pub(crate) fn is_key(text: &str) -> bool {
    text.len() > 16 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Parses a language that has runtime caches, in any case. It is returned as the server spells it.
pub fn language(text: &str) -> Result<String, String> {
    match text.to_ascii_lowercase().as_str() {
        "r" => Ok("R".to_owned()),
        "python" => Ok("Python".to_owned()),
        other => {
            let python = nearest(other, ["python"]).map(|_| "Python");
            Err(format!("expected R or Python{}", suggestion(python)))
        }
    }
}

/// Parses a version or an image, or a glob for one. It is nothing that no cache can have: without control characters,
/// and without a blank at either end.
pub fn part(text: &str) -> Result<String, String> {
    let problem = if text.contains(char::is_control) {
        "it contains a control character"
    } else if text.trim() != text {
        "it begins or ends with a blank"
    } else {
        return Ok(text.to_owned());
    };
    Err(problem.to_owned())
}

/// Returns a glob for the versions that a number of fewer than three parts stands for: `4.3.*` for 4.3.
pub fn glob_of_short_version(version: &str) -> Option<String> {
    let version = version.trim_end_matches('.');
    let is_number = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (is_number && version.matches('.').count() < 2).then(|| format!("{version}.*"))
}

/// Parses a time of at most a year: seconds, unless it ends in `m` or `h`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: Duration = Duration::from_secs(31_536_000);
    let text = text.trim();
    let unit = |(name, seconds)| Some((text.strip_suffix(name)?, seconds));
    let (number, unit) =
        [("s", 1.0), ("m", 60.0), ("h", 3600.0)].into_iter().find_map(unit).unwrap_or((text, 1.0));
    let time = number.parse().ok().and_then(|number: f64| Duration::try_from_secs_f64(number * unit).ok());
    time.filter(|time| *time <= YEAR).ok_or_else(|| format!("expected seconds from 0 to {}", YEAR.as_secs()))
}

/// Parses a whole number in a range.
pub fn count<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("expected a whole number from {LEAST} to {MOST}"))
}

/// Parses a Boolean variable.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected 1, true, yes, on, 0, false, no or off".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_seconds_that_are_infinite_or_over_a_year() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("1.5", Some(1.5)),
            (".25", Some(0.25)),
            ("7.", Some(7.0)),
            (" 30s", Some(30.0)),
            ("1.5m", Some(90.0)),
            ("2h", Some(7200.0)),
            ("8760h", Some(31_536_000.0)),
            ("8761h", None),
            ("9999999999999999999h", None),
            ("ms", None),
            ("1d", None),
            ("1hm", None),
            ("m1", None),
            ("0.1234567891", Some(0.123_456_789)),
            ("31536000", Some(31_536_000.0)),
            ("31536001", None),
            ("-1", None),
            ("nan", None),
            ("inf", None),
            ("1e99", None),
            (".", None),
            ("1.2.3", None),
            ("99999999999999999999", None),
            ("", None),
            ("ten", None),
        ] {
            let parsed = seconds(text).ok();
            assert_eq!(parsed, expected.map(Duration::from_secs_f64), "{text}");
        }
    }

    #[test]
    fn rejects_counts_and_booleans_out_of_range() {
        assert_eq!(count::<1, 9>("4"), Ok(4));
        for text in ["0", "10", "-1", "4.0", "99999999999", ""] {
            assert!(count::<1, 9>(text).is_err(), "{text}");
        }
        assert_eq!(boolean("YES"), Ok(true));
        assert_eq!(boolean("Off"), Ok(false));
        assert!(boolean("maybe").is_err());
    }

    #[test]
    fn suggests_a_language_for_a_typing_error() {
        assert_eq!(language("r").as_deref(), Ok("R"));
        assert_eq!(language("pYTHON").as_deref(), Ok("Python"));
        for (text, says) in [
            ("Pyhton", "expected R or Python (did you mean Python?)"),
            ("python3", "expected R or Python (did you mean Python?)"),
            ("Julia", "expected R or Python"),
            ("x", "expected R or Python"),
            ("", "expected R or Python"),
            ("R ", "expected R or Python"),
        ] {
            assert_eq!(language(text), Err(says.to_owned()));
        }
    }

    #[test]
    fn rejects_parts_that_no_cache_can_have() {
        for text in ["4.3.0", "4.*", "ghcr.io/example/r:jammy", "my image", "größe"] {
            assert_eq!(part(text).as_deref(), Ok(text));
        }
        for text in [" ", " 4.3.0", "4.3.0 ", "Local\r", "a\tb", "Local\u{a0}", "\u{7f}"] {
            assert!(part(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn completes_a_version_of_fewer_than_three_parts() {
        for (version, glob) in [
            ("4", Some("4.*")),
            ("4.3", Some("4.3.*")),
            ("4.3.", Some("4.3.*")),
            ("4.3.0", None),
            ("4.*", None),
            ("devel", None),
        ] {
            assert_eq!(glob_of_short_version(version).as_deref(), glob, "{version}");
        }
    }
}
