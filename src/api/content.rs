//! Counts the content items that use each version of R and Python, while the list of items arrives.
//!
//! A large server lists tens of thousands of items of 2 to 4 KB each, so nothing but counts is kept.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::api::object::{Object, Unreadable};
use crate::api::runtime_cache::RuntimeCache;

/// How many items to read between two reports of progress.
const REPORT_EVERY: u64 = 1000;
/// Limits for what is kept, so that it fits in memory whatever the server sends.
const MAX_COMBINATIONS: usize = 1000;
const MAX_VERSION: usize = 64;
const MAX_ITEM: usize = 1 << 20;

/// How many content items use which versions of R and Python.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentUsage {
    items: u64,
    /// Each combination of versions, and how many items use it.
    combinations: Vec<(Item, u64)>,
}

/// The fields that are read of a content item. A version is null if the item does not use the language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Item {
    r_version: Option<String>,
    py_version: Option<String>,
}

impl Item {
    fn versions(&self) -> impl Iterator<Item = &str> {
        [&self.r_version, &self.py_version].into_iter().flatten().map(String::as_str)
    }

    /// Reports whether the item uses the language and version of `cache`; `None` if that is neither R nor
    /// Python.
    fn uses(&self, cache: &RuntimeCache) -> Option<bool> {
        let version = match cache.language.to_ascii_lowercase().as_str() {
            "r" => &self.r_version,
            "python" => &self.py_version,
            _ => return None,
        };
        Some(version.as_ref() == Some(&cache.version))
    }
}

impl ContentUsage {
    /// Returns the number of content items.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Reports whether any item names a version of R or Python. Servers that do not report versions name none.
    pub fn names_versions(&self) -> bool {
        self.combinations.iter().any(|(item, _)| item.versions().any(|version| !version.is_empty()))
    }

    /// Returns the number of items that use the language and version of at least one of `caches`, in any
    /// image; `None` if a cache is for another language than R and Python, since items do not name its versions.
    pub fn of(&self, caches: &[RuntimeCache]) -> Option<u64> {
        let mut number = 0;
        for (item, items) in &self.combinations {
            let uses: Option<Vec<bool>> = caches.iter().map(|cache| item.uses(cache)).collect();
            if uses?.contains(&true) {
                number += items;
            }
        }
        Some(number)
    }

    fn add(&mut self, item: Item) -> Result<(), &'static str> {
        if item.versions().any(|version| version.len() > MAX_VERSION) {
            return Err("a very long version");
        }
        self.items += 1;
        let is_full = self.combinations.len() == MAX_COMBINATIONS;
        match self.combinations.iter_mut().find(|(known, _)| *known == item) {
            Some((_, items)) => *items += 1,
            None if is_full => return Err("too many combinations of versions"),
            None => self.combinations.push((item, 1)),
        }
        Ok(())
    }
}

/// Counts the items of a list as it arrives, and calls `progress` with their number so far.
pub(crate) fn count(body: impl Read, progress: &mut dyn FnMut(u64)) -> Result<ContentUsage, Unreadable> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let mut body = BufReader::new(body);
    if body.fill_buf().map_err(serde_json::Error::custom)?.starts_with(MARK) {
        body.consume(MARK.len());
    }
    let room = &Cell::new(MAX_ITEM);
    let mut json =
        serde_json::Deserializer::from_reader(BufReader::new(Utf8 { body, text: Vec::new(), room }));
    let usage = json.deserialize_seq(Items { progress, room })?;
    json.end()?;
    Ok(usage)
}

/// A body in which replacement characters stand for bytes that are not UTF-8.
struct Utf8<'a, R> {
    body: R,
    /// The part that is decoded.
    text: Vec<u8>,
    /// How much more of an item may come.
    room: &'a Cell<usize>,
}

impl<R: BufRead> Read for Utf8<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text.is_empty() {
            // A character of several bytes may be cut at the end of a chunk. No member's name and no version has one.
            let chunk = self.body.fill_buf()?;
            let length = chunk.len();
            self.text = String::from_utf8_lossy(chunk).into_owned().into_bytes();
            self.body.consume(length);
        }
        if self.room.get() == 0 {
            return Err(io::Error::other("an item of more than 1 MiB"));
        }
        let length = self.text.as_slice().read(buffer)?;
        self.text.drain(..length);
        self.room.set(self.room.get().saturating_sub(length));
        Ok(length)
    }
}

/// Counts items, and reports their number so far.
struct Items<'a> {
    progress: &'a mut dyn FnMut(u64),
    room: &'a Cell<usize>,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ContentUsage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<ContentUsage, S::Error> {
        let mut usage = ContentUsage::default();
        while let Some(Object(item)) = items.next_element()? {
            self.room.set(MAX_ITEM);
            usage.add(item).map_err(S::Error::custom)?;
            if usage.items % REPORT_EVERY == 0 {
                (self.progress)(usage.items);
            }
        }
        Ok(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the items of a list.
    fn count_in(list: &str) -> Result<ContentUsage, Unreadable> {
        count(list.as_bytes(), &mut |_| {})
    }

    fn cache(language: &str, version: &str) -> RuntimeCache {
        RuntimeCache::new(language, version, "Local")
    }

    #[test]
    fn counts_items_by_version() {
        let list = r#" [ {"r_version":"4.3.0","title":"\\\"}],{[ \\"} ,
            {"\u0072_version":"4.3.0", "py_version":"3.11.4","owner":{"r_version":"4.1.0","of":[{},[]]}},
            {"r_version":null},{} ] "#;
        let caches = [cache("r", "4.3.0"), cache("Python", "3.11.4"), cache("Quarto", "4.3.0")];
        let usage = count_in(list).unwrap();
        assert_eq!((usage.items(), usage.names_versions()), (4, true));
        assert_eq!((usage.of(&caches[..1]), usage.of(&caches[..2])), (Some(2), Some(2)));
        assert_eq!(usage.of(&[cache("R", "4.1.0")]), Some(0));
        assert_eq!(usage.of(&caches), None);
        assert_eq!(count_in("\u{feff}[]").unwrap().items(), 0);
        assert!(!count_in("[{}]").unwrap().names_versions());
        assert!(!count_in(r#"[{"r_version":""}]"#).unwrap().names_versions());
    }

    #[test]
    fn waits_once_for_a_body_that_does_not_come() {
        struct Stalled(usize);
        impl Read for &mut Stalled {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
        let mut stalled = Stalled(0);
        assert!(count(&mut stalled, &mut |_| {}).is_err());
        assert_eq!(stalled.0, 1);
    }

    #[test]
    fn rejects_anything_but_an_array_of_objects() {
        for (list, is_json) in [
            ("<html>", false),
            ("{}", true),
            ("\"a\"", true),
            ("[1]", true),
            ("[[\"4.3.0\"]]", true),
            ("[{}] x", false),
            ("[{}{}]", false),
            ("[{},]", false),
            ("[{\"r_version\":[]}]", true),
            ("[{\"r_version\":\"4.3.0\",\"r_version\":null}]", true),
        ] {
            let error = count_in(list).unwrap_err();
            assert_eq!(matches!(error, Unreadable::Unexpected(_)), is_json, "{list}: {error:?}");
        }
        let long = "x".repeat(2 * MAX_ITEM);
        for list in [format!(r#"[{{"r_version":"{long}"}}]"#), format!(r#"[{{}},{{"{long}":1}}]"#)] {
            match count_in(&list).unwrap_err() {
                Unreadable::Unexpected(problem) => assert!(problem.starts_with("an item of more than 1 MiB")),
                other => panic!("{other:?}"),
            }
        }
        for part in ["", " ", "[", "[{}", "[{},", "[{\"a\":\"]", "[{\"a\\"] {
            assert!(matches!(count_in(part), Err(Unreadable::Cut)), "{part}");
        }
    }

    #[test]
    fn replaces_bytes_that_are_not_utf_8() {
        let list = b"[{\"titr\xe9\":\"\xe9\",\"r_version\":\"4.\xff\"},{\"a\":\"gr\xc3\xb6\xc3\",\"py_version\":\"\xc3\xb6\"}]";
        let usage = count(&list[..], &mut |_| {}).unwrap();
        let used = |language, version| usage.of(&[cache(language, version)]);
        assert_eq!((used("R", "4.\u{fffd}"), used("Python", "\u{f6}")), (Some(1), Some(1)));
        // A character that is cut makes no difference to those that follow.
        let long = format!("[{{\"a\":\"{}\",\"r_version\":\"4.3.0\"}}]", "\u{f6}".repeat(10_000));
        assert_eq!(count_in(&long).unwrap().of(&[cache("R", "4.3.0")]), Some(1));
    }

    #[test]
    fn limits_the_number_and_the_length_of_versions() {
        let is_unexpected = |list: &str| matches!(count_in(list), Err(Unreadable::Unexpected(_)));
        let many: Vec<String> = (0..=1000).map(|n| format!("{{\"r_version\":\"{n}\"}}")).collect();
        assert!(count_in(&format!("[{}]", many[..1000].join(","))).is_ok());
        assert!(is_unexpected(&format!("[{}]", many.join(","))));
        let long = |bytes| format!("[{{\"py_version\":\"{}\"}}]", "x".repeat(bytes));
        assert!(count_in(&long(MAX_VERSION)).is_ok());
        assert!(is_unexpected(&long(MAX_VERSION + 1)));
    }
}
