//! The values of options and variables, valid once they are parsed.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::spelling::{nearest, suggestion};

/// Why a text is not a value of the type, as the end of the sentence "invalid --option 'text': …".
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// A text that may be an API key or a password. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
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

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A language that has runtime caches. It is parsed in any case, and shown as the server spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    R,
    Python,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::R => "R",
            Self::Python => "Python",
        })
    }
}

impl FromStr for Language {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        match text.to_ascii_lowercase().as_str() {
            "r" => Ok(Self::R),
            "python" => Ok(Self::Python),
            other => {
                let python = nearest(other, ["python"]).map(|_| "Python");
                Err(Unfit(format!("expected R or Python{}", suggestion(python))))
            }
        }
    }
}

/// A version or an image, or a glob for one. Nothing that no cache can have: it is not empty, without control
/// characters, and without a blank at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part(String);

impl FromStr for Part {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let problem = if text.is_empty() {
            "it is empty"
        } else if text.contains(char::is_control) {
            "it contains a control character"
        } else if text.trim() != text {
            "it begins or ends with a blank"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(Unfit(problem.to_owned()))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a glob for the versions that a number of fewer than three parts stands for: `4.3.*` for 4.3.
pub fn glob_of_short_version(version: &str) -> Option<String> {
    let version = version.trim_end_matches('.');
    let is_number = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    (is_number && version.matches('.').count() < 2).then(|| format!("{version}.*"))
}

/// A time of at most a year: seconds, unless it ends in `m` or `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl FromStr for Seconds {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        const YEAR: Duration = Duration::from_secs(31_536_000);
        let text = text.trim();
        let unit = |(name, seconds)| Some((text.strip_suffix(name)?, seconds));
        let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let (number, unit) = units.into_iter().find_map(unit).unwrap_or((text, 1.0));
        let time =
            number.parse().ok().and_then(|number: f64| Duration::try_from_secs_f64(number * unit).ok());
        match time {
            Some(time) if time <= YEAR => Ok(Self(time)),
            _ => Err(Unfit(format!("expected seconds from 0 to {}", YEAR.as_secs()))),
        }
    }
}

/// A whole number in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count<const LEAST: u32, const MOST: u32>(pub u32);

impl<const LEAST: u32, const MOST: u32> FromStr for Count<LEAST, MOST> {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        match text.trim().parse() {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Self(number)),
            _ => Err(Unfit(format!("expected a whole number from {LEAST} to {MOST}"))),
        }
    }
}

/// A Boolean variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boolean(pub bool);

impl FromStr for Boolean {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(Self(true)),
            "0" | "false" | "no" | "off" => Ok(Self(false)),
            _ => Err(Unfit("expected 1, true, yes, on, 0, false, no or off".to_owned())),
        }
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
            let parsed = text.parse::<Seconds>().ok().map(|seconds| seconds.0);
            assert_eq!(parsed, expected.map(Duration::from_secs_f64), "{text}");
        }
    }

    #[test]
    fn rejects_counts_and_booleans_out_of_range() {
        assert_eq!("4".parse(), Ok(Count::<1, 9>(4)));
        for text in ["0", "10", "-1", "4.0", "99999999999", ""] {
            assert!(text.parse::<Count<1, 9>>().is_err(), "{text}");
        }
        assert_eq!("YES".parse(), Ok(Boolean(true)));
        assert_eq!("Off".parse(), Ok(Boolean(false)));
        assert!("maybe".parse::<Boolean>().is_err());
    }

    #[test]
    fn suggests_a_language_for_a_typing_error() {
        assert_eq!("r".parse(), Ok(Language::R));
        assert_eq!("pYTHON".parse(), Ok(Language::Python));
        for (text, says) in [
            ("Pyhton", "expected R or Python (did you mean Python?)"),
            ("python3", "expected R or Python (did you mean Python?)"),
            ("Julia", "expected R or Python"),
            ("x", "expected R or Python"),
            ("", "expected R or Python"),
            ("R ", "expected R or Python"),
        ] {
            assert_eq!(text.parse::<Language>().map_err(|unfit| unfit.to_string()), Err(says.to_owned()));
        }
    }

    #[test]
    fn rejects_parts_that_no_cache_can_have() {
        for text in ["4.3.0", "4.*", "ghcr.io/example/r:jammy", "my image", "größe"] {
            assert_eq!(text.parse::<Part>().map(|part| part.to_string()), Ok(text.to_owned()));
        }
        for text in ["", " ", " 4.3.0", "4.3.0 ", "Local\r", "a\tb", "Local\u{a0}", "\u{7f}"] {
            assert!(text.parse::<Part>().is_err(), "{text:?}");
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
