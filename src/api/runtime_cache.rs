//! Runtime caches, and the requests and replies that name them.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::api::object::{Unreadable, objects, unexpected};
use crate::api::task::TaskId;

/// The image name of caches for native execution.
const LOCAL: &str = "Local";

/// A runtime cache, as `GET v1/system/caches/runtime` lists it and `DELETE` identifies it.
///
/// The order is that of a list for people: by language, version and image, and versions part by part as numbers, so
/// that 4.9.0 comes before 4.10.0.
///
/// ```
/// use connect_cache::RuntimeCache;
///
/// let mut caches = [RuntimeCache::new("R", "4.10.0", "Local"), RuntimeCache::new("R", "4.9.0", "Local")];
/// caches.sort();
/// assert_eq!(caches[0].to_string(), "R 4.9.0 Local");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[non_exhaustive]
pub struct RuntimeCache {
    /// `R` or `Python`; the server accepts any case.
    pub language: String,
    /// The language's version, in three parts.
    pub version: String,
    /// `Local` for native execution, or an off-host image; in a list, its sanitized name.
    pub image_name: String,
}

impl RuntimeCache {
    /// Returns the cache of this language, version and image.
    pub fn new(
        language: impl Into<String>,
        version: impl Into<String>,
        image_name: impl Into<String>,
    ) -> Self {
        Self { language: language.into(), version: version.into(), image_name: image_name.into() }
    }

    /// Reports whether the cache is for native execution.
    pub fn is_local(&self) -> bool {
        self.image_name == LOCAL
    }

    /// Returns a cache of the same language that cannot exist.
    pub(crate) fn nowhere(&self) -> Self {
        Self::new(&self.language, "0.0.0", LOCAL)
    }

    /// Returns the same cache with its language in lower case.
    pub(crate) fn in_lower_case(&self) -> Self {
        Self { language: self.language.to_ascii_lowercase(), ..self.clone() }
    }

    /// Reports whether both are of the same language and version. The server ignores the case of the language.
    pub(crate) fn has_version_of(&self, other: &Self) -> bool {
        self.language.eq_ignore_ascii_case(&other.language) && self.version == other.version
    }

    /// Reports whether this is a row of `cache`.
    pub(crate) fn is_row_of(&self, cache: &Self) -> bool {
        self.has_version_of(cache) && self.image_name == cache.image_name
    }

    /// Reports whether this row is a namesake of `cache`: both are of images with the same version, and since it is
    /// not known how a list spells an image, the row may be the cache itself.
    pub(crate) fn is_namesake_of(&self, cache: &Self) -> bool {
        self.has_version_of(cache)
            && !cache.is_local()
            && !self.is_local()
            && self.image_name != cache.image_name
    }
}

impl Ord for RuntimeCache {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.language.cmp(&other.language))
            .then_with(|| by_version(&self.version, &other.version))
            .then_with(|| self.image_name.cmp(&other.image_name))
    }
}

impl PartialOrd for RuntimeCache {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares versions part by part, and numbers as numbers: 3.9.1 comes before 3.10.0.
fn by_version(a: &str, b: &str) -> Ordering {
    let part = |text: &str| (text.parse::<u64>().unwrap_or(u64::MAX), text.to_owned());
    a.split('.').map(part).cmp(b.split('.').map(part))
}

impl fmt::Display for RuntimeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.language, self.version, self.image_name)
    }
}

/// The reply of `GET v1/system/caches/runtime`.
#[derive(Deserialize)]
pub(crate) struct RuntimeCaches {
    #[serde(deserialize_with = "objects")]
    pub(crate) caches: Vec<RuntimeCache>,
}

/// The body of `DELETE v1/system/caches/runtime`.
#[derive(Serialize)]
pub(crate) struct DeletionRequest<'a> {
    #[serde(flatten)]
    pub(crate) cache: &'a RuntimeCache,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dry_run: Option<bool>,
}

/// The reply of `DELETE v1/system/caches/runtime`. Some replies contain only the task's ID. The members may be anything,
/// so that none hides a task.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct DeletionReply(Map<String, Value>);

impl DeletionReply {
    /// Returns the task of a DELETE for `cache`.
    pub(crate) fn into_task(self, cache: &RuntimeCache) -> Result<TaskId, Unreadable> {
        self.reject_other_cache(cache)?;
        let id = self.0.get("task_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        id.ok_or_else(|| unexpected("no valid task_id"))
    }

    /// Checks that this is the reply to a dry run for `cache`: it says that there is no task, or names all of the
    /// cache.
    pub(crate) fn into_dry_run(self, cache: &RuntimeCache) -> Result<(), Unreadable> {
        let task = self.0.get("task_id");
        // Whatever else it says, a dry run with a task is never repeated.
        if let Some(id) = task.filter(|id| !id.is_null()) {
            return Err(Unreadable::DryRunStarted(id.as_str().unwrap_or("without an ID").to_owned()));
        }
        self.reject_other_cache(cache)?;
        let is_named = |name| self.0.get(name).is_some_and(Value::is_string);
        let is_dry_run = task.is_some() || ["language", "version", "image_name"].into_iter().all(is_named);
        if is_dry_run { Ok(()) } else { Err(unexpected("neither a task_id nor the cache")) }
    }

    /// Rejects a reply that names another cache. How images are spelled is documented nowhere, so only `Local` can be
    /// distinguished from the others.
    fn reject_other_cache(&self, cache: &RuntimeCache) -> Result<(), Unreadable> {
        let name = |member, asked: &str| match self.0.get(member) {
            None | Some(Value::Null) => asked.to_owned(),
            Some(Value::String(name)) => name.clone(),
            Some(other) => other.to_string(),
        };
        let named = RuntimeCache::new(
            name("language", &cache.language),
            name("version", &cache.version),
            name("image_name", &cache.image_name),
        );
        if named.has_version_of(cache) && named.is_local() == cache.is_local() {
            return Ok(());
        }
        Err(unexpected(format!("a reply about another cache: {named}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::object::read;

    fn cache(words: &str) -> RuntimeCache {
        let words: Vec<&str> = words.split(' ').collect();
        RuntimeCache::new(words[0], words[1], words[2])
    }

    #[test]
    fn sorts_by_language_version_and_image() {
        let sorted = [
            "Python 3.9.1 Local",
            "Python 3.10.0 Local",
            "Python 3.10.0 jammy",
            "R 4.3.0 Local",
            "R 4.3.x Local",
        ];
        let mut shuffled = [4, 1, 3, 0, 2].map(|i| cache(sorted[i]));
        shuffled.sort();
        assert_eq!(shuffled.map(|cache| cache.to_string()), sorted);
    }

    #[test]
    fn distinguishes_rows_and_namesakes() {
        let image = cache("R 4.3.0 ghcr.io/example/r:jammy");
        for (row, is_row, is_namesake) in [
            ("r 4.3.0 ghcr.io/example/r:jammy", true, false),
            ("R 4.3.0 ghcr-io-example-r-jammy", false, true),
            ("R 4.3.0 Local", false, false),
            ("R 4.3.1 ghcr-io-example-r-jammy", false, false),
            ("Python 4.3.0 ghcr-io-example-r-jammy", false, false),
        ] {
            let row = cache(row);
            assert_eq!((row.is_row_of(&image), row.is_namesake_of(&image)), (is_row, is_namesake), "{row}");
        }
        let local = cache("R 4.3.0 Local");
        assert!(cache("r 4.3.0 Local").is_row_of(&local) && !image.is_namesake_of(&local));
    }

    fn reply(body: &str) -> Result<DeletionReply, Unreadable> {
        read(body.as_bytes())
    }

    #[test]
    fn requires_a_task_of_a_deletion_and_none_of_a_dry_run() {
        let cache = cache("R 4.3.0 Local");
        let task = |body| reply(body).and_then(|reply| reply.into_task(&cache));
        assert_eq!(task(r#"{"task_id":"abc"}"#).unwrap().as_str(), "abc");
        for wrong in [r#"{"task_id":null}"#, r#"{"task_id":""}"#, r#"{"language":"R"}"#, r#"["R"]"#, "{}"] {
            assert!(task(wrong).is_err(), "{wrong}");
        }
        let dry_run = |body: &str| reply(body).and_then(|reply| reply.into_dry_run(&cache));
        let named = r#"{"language":"r","version":"4.3.0","image_name":"Local"}"#;
        for right in [r#"{"language":"R","task_id":null}"#, r#"{"task_id":null}"#, named] {
            assert!(dry_run(right).is_ok(), "{right}");
        }
        for wrong in [r#"{"language":"R"}"#, "{}", "[]", r#"[null,null,null,null]"#] {
            assert!(matches!(dry_run(wrong), Err(Unreadable::Unexpected(_))), "{wrong}");
        }
        // Whatever the ID is, and whatever the reply is about.
        for id in [r#""abc""#, r#""a/b""#, "42"] {
            let body = format!(r#"{{"language":"Python","task_id":{id}}}"#);
            assert!(matches!(dry_run(&body), Err(Unreadable::DryRunStarted(_))), "{id}");
        }
    }

    #[test]
    fn rejects_replies_that_name_another_cache() {
        let (local, image) = (cache("R 4.3.0 Local"), cache("R 4.3.0 ghcr.io/example/r:jammy"));
        for (cache, body, is_about_it) in [
            (&local, r#"{"language":"r","task_id":"a"}"#, true),
            (&local, r#"{"language":"R","version":"4.3.0","image_name":"Local","task_id":"a"}"#, true),
            (&local, r#"{"language":"Python","task_id":"a"}"#, false),
            (&local, r#"{"version":"4.3.1","task_id":"a"}"#, false),
            (&local, r#"{"image_name":"ghcr-io","task_id":"a"}"#, false),
            (&image, r#"{"image_name":"Local","task_id":"a"}"#, false),
            (&image, r#"{"image_name":"anything-else","task_id":"a"}"#, true),
        ] {
            let task = reply(body).and_then(|reply| reply.into_task(cache));
            assert_eq!(task.is_ok(), is_about_it, "{body}");
        }
    }

    proptest! {
        #[test]
        fn orders_versions_by_their_numbers(a: [u16; 3], b: [u16; 3]) {
            let text = |[major, minor, patch]: [u16; 3]| format!("{major}.{minor}.{patch}");
            prop_assert_eq!(by_version(&text(a), &text(b)), a.cmp(&b));
        }

        #[test]
        fn orders_any_texts_consistently(
            mut texts in proptest::collection::vec("[0-9a.]{0,6}|[0-9]{19,21}", 1..6),
        ) {
            texts.sort_by(|a, b| by_version(a, b));
            for (at, a) in texts.iter().enumerate() {
                for b in &texts[at..] {
                    prop_assert_ne!(by_version(a, b), Ordering::Greater);
                    prop_assert_eq!(by_version(b, a), by_version(a, b).reverse());
                    prop_assert_eq!(by_version(a, b) == Ordering::Equal, a == b);
                }
            }
        }
    }
}
