//! A runtime cache.

use std::fmt;

/// A runtime cache. Tests write it as the program prints it: `Cache::from("R 4.3.0 Local")`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    /// `R` or `Python`.
    pub language: String,
    /// A version of three parts.
    pub version: String,
    /// `Local`, or the literal name of an off-host image.
    pub image_name: String,
}

impl Cache {
    /// Returns the cache of a language, its version and an image.
    pub fn new(
        language: impl Into<String>,
        version: impl Into<String>,
        image_name: impl Into<String>,
    ) -> Cache {
        Cache { language: language.into(), version: version.into(), image_name: image_name.into() }
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.language, self.version, self.image_name)
    }
}

impl From<&str> for Cache {
    /// Reads a language, a version and an image, separated by spaces.
    ///
    /// # Panics
    ///
    /// If these are not three words.
    fn from(words: &str) -> Cache {
        match words.split_whitespace().collect::<Vec<_>>()[..] {
            [language, version, image] => Cache::new(language, version, image),
            _ => panic!("a cache is three words, such as R 4.3.0 Local, and not {words:?}"),
        }
    }
}

impl From<String> for Cache {
    fn from(words: String) -> Cache {
        words.as_str().into()
    }
}

impl From<&Cache> for Cache {
    fn from(cache: &Cache) -> Cache {
        cache.clone()
    }
}
