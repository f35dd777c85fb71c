//! Counts the content items that use each version of R and Python, while the list of items arrives.
//!
//! A large server lists tens of thousands of items of 2 to 4 KB each, so nothing but counts is kept.

use crate::RuntimeCache;
use crate::json::{Fields, Json, Unreadable};

/// How many items to read between two reports of progress.
const REPORT_EVERY: u64 = 1000;
/// Limit for one item, which is 2 to 4 KB long.
const MAX_ITEM: usize = 256 << 10;
/// Limit for the combinations of versions, so that they fit in memory whatever the server sends.
const MAX_COMBINATIONS: usize = 1000;

/// How many content items use which versions of R and Python.
#[derive(Clone, Debug, Default)]
pub struct ContentUsage {
    items: u64,
    /// Each combination of versions, and how many items use it.
    combinations: Vec<(Item, u64)>,
}

/// The fields that are read of a content item. A version is empty if the item does not use the language.
#[derive(Clone, Debug, Default, PartialEq)]
struct Item {
    r_version: String,
    py_version: String,
}

impl Item {
    fn read(json: &[u8]) -> Result<Self, Unreadable> {
        let mut fields: Fields = Json::read(json)?.try_into().map_err(Unreadable::Unexpected)?;
        let mut version = |name| match fields.text(name) {
            Ok(version) => Ok(version.unwrap_or_default()),
            Err(problem) => Err(Unreadable::Unexpected(problem)),
        };
        Ok(Self { r_version: version("r_version")?, py_version: version("py_version")? })
    }

    /// Reports whether the item uses the language and version of `cache`; `None` if that is neither R nor
    /// Python.
    fn uses(&self, cache: &RuntimeCache) -> Option<bool> {
        let version = match cache.language.to_ascii_lowercase().as_str() {
            "r" => &self.r_version,
            "python" => &self.py_version,
            _ => return None,
        };
        Some(*version == cache.version)
    }
}

impl ContentUsage {
    /// Returns the number of content items.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Reports whether any item names a version of R or Python. Servers that do not report versions name none.
    pub fn names_versions(&self) -> bool {
        self.combinations.iter().any(|(item, _)| *item != Item::default())
    }

    /// Returns the number of items that use the language and version of at least one of `caches`, in any
    /// image; `None` if a cache is for another language than R and Python, since items do not name its versions.
    pub fn of(&self, caches: &[RuntimeCache]) -> Option<u64> {
        let mut number = 0;
        for (item, items) in &self.combinations {
            let mut used = false;
            for cache in caches {
                used |= item.uses(cache)?;
            }
            number += if used { *items } else { 0 };
        }
        Some(number)
    }

    fn add(&mut self, item: Item) -> Result<(), Unreadable> {
        self.items += 1;
        match self.combinations.iter().position(|(known, _)| *known == item) {
            Some(at) => self.combinations[at].1 += 1,
            None if self.combinations.len() < MAX_COMBINATIONS => self.combinations.push((item, 1)),
            None => return Err(unexpected("too many different versions")),
        }
        Ok(())
    }
}

/// Splits the list of content items as it arrives, and counts the items.
#[derive(Default)]
pub(crate) struct Items {
    usage: ContentUsage,
    expected: Expected,
    /// The start of an item whose end has not arrived.
    item: Vec<u8>,
    /// How many brackets and braces are open in it.
    depth: usize,
    in_string: bool,
    /// Whether a backslash came before the next character of a string.
    escaped: bool,
    error: Option<Unreadable>,
}

/// The next part of the list, apart from whitespace.
#[derive(Clone, Copy, Default, PartialEq)]
enum Expected {
    #[default]
    List,
    ItemOrEnd,
    Item,
    CommaOrEnd,
    Nothing,
}

impl Items {
    /// Reads the next part of the list; reports whether the list is as expected so far.
    pub(crate) fn take(&mut self, part: &[u8], progress: &mut dyn FnMut(u64)) -> bool {
        for (at, &byte) in part.iter().enumerate() {
            if self.error.is_some() {
                return false;
            }
            let result = match self.depth {
                0 => self.between_items(byte, &part[at..]),
                _ => self.in_item(byte, progress),
            };
            self.error = result.err();
        }
        self.error.is_none()
    }

    /// Returns the counts if the list is complete.
    pub(crate) fn finish(self) -> Result<ContentUsage, Unreadable> {
        match self.error {
            Some(error) => Err(error),
            None if self.expected != Expected::Nothing => Err(Unreadable::Cut),
            None => Ok(self.usage),
        }
    }

    fn between_items(&mut self, byte: u8, rest: &[u8]) -> Result<(), Unreadable> {
        use Expected::{CommaOrEnd, Item, ItemOrEnd, List, Nothing};
        self.expected = match (self.expected, byte) {
            (expected, b' ' | b'\t' | b'\r' | b'\n') => expected,
            // A byte order mark.
            (List, 0xef | 0xbb | 0xbf) => List,
            (List, b'[') => ItemOrEnd,
            (ItemOrEnd | Item, b'{') => {
                self.depth = 1;
                self.item.clear();
                self.item.push(byte);
                CommaOrEnd
            }
            (CommaOrEnd, b',') => Item,
            (ItemOrEnd | CommaOrEnd, b']') => Nothing,
            (List, _) if Json::read(rest) == Err(Unreadable::Malformed) => return Err(Unreadable::Malformed),
            _ => return Err(unexpected("not an array of objects")),
        };
        Ok(())
    }

    fn in_item(&mut self, byte: u8, progress: &mut dyn FnMut(u64)) -> Result<(), Unreadable> {
        self.item.push(byte);
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_string,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth -= 1,
            _ => {}
        }
        if self.depth == 0 {
            self.usage.add(Item::read(&self.item)?)?;
            if self.usage.items % REPORT_EVERY == 0 {
                progress(self.usage.items);
            }
        } else if self.item.len() > MAX_ITEM {
            return Err(unexpected("a very long item"));
        }
        Ok(())
    }
}

fn unexpected(problem: &str) -> Unreadable {
    Unreadable::Unexpected(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the items of a list that arrives in parts of `size` bytes.
    fn count(list: &str, size: usize) -> Result<ContentUsage, Unreadable> {
        let mut items = Items::default();
        let _ = list.as_bytes().chunks(size).all(|part| items.take(part, &mut |_| {}));
        items.finish()
    }

    fn cache(language: &str, version: &str) -> RuntimeCache {
        RuntimeCache::new(language, version, "Local")
    }

    #[test]
    fn counts_items_wherever_the_list_is_cut() {
        let list = r#" [ {"r_version":"4.3.0","title":"\\\"}],{[ \\"} ,
            {"\u0072_version":"4.3.0", "py_version":"3.11.4","owner":{"r_version":"4.1.0","of":[{},[]]}},
            {"r_version":null},{} ] "#;
        let caches = [cache("r", "4.3.0"), cache("Python", "3.11.4"), cache("Quarto", "4.3.0")];
        for size in 1..=list.len() {
            let usage = count(list, size).unwrap();
            assert_eq!((usage.items(), usage.names_versions()), (4, true), "{size}");
            assert_eq!((usage.of(&caches[..1]), usage.of(&caches[..2])), (Some(2), Some(2)));
            assert_eq!(usage.of(&[cache("R", "4.1.0")]), Some(0));
            assert_eq!(usage.of(&caches), None);
        }
        assert_eq!(count("\u{feff}[]", 1).unwrap().items(), 0);
        assert!(!count("[{}]", 1).unwrap().names_versions());
    }

    #[test]
    fn rejects_anything_but_an_array_of_objects() {
        for (list, is_json) in [
            ("<html>", false),
            ("{}", true),
            ("\"a\"", true),
            ("[1]", true),
            ("[{}] x", true),
            ("[{}{}]", true),
            ("[{},]", true),
            ("[,{}]", true),
            ("[{}][{}]", true),
            ("[{]}]", false),
            ("[{\"a\":1\"}]", false),
            ("[{\\\"}]", false),
            ("[{\"r_version\":[]}]", true),
        ] {
            let error = count(list, list.len()).unwrap_err();
            assert_eq!(matches!(error, Unreadable::Unexpected(_)), is_json, "{list}: {error:?}");
        }
        for part in ["", " ", "[", "[{}", "[{},", "[{\"a\":\"]", "[{\"a\\"] {
            assert_eq!(count(part, 1).unwrap_err(), Unreadable::Cut, "{part}");
        }
    }

    #[test]
    fn limits_versions_and_the_length_of_items() {
        let many: Vec<String> = (0..=1000).map(|n| format!("{{\"r_version\":\"{n}\"}}")).collect();
        assert!(count(&format!("[{}]", many[..1000].join(",")), 8192).is_ok());
        assert!(
            count(&format!("[{}]", many.join(",")), 8192)
                .is_err_and(|error| matches!(error, Unreadable::Unexpected(_)))
        );
        let long = |bytes| format!("[{{\"a\":\"{}\"}}]", "x".repeat(bytes));
        // The limit is noticed with the byte after it, unless that ends the item.
        let longest = MAX_ITEM + 1 - r#"{"a":""}"#.len();
        assert!(count(&long(longest), 8192).is_ok());
        assert!(
            count(&long(longest + 1), 8192).is_err_and(|error| matches!(error, Unreadable::Unexpected(_)))
        );
    }
}
