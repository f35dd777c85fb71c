//! Which caches a `list` shows and a `purge` deletes, and in which order.

use std::cmp::Ordering;

use connect_cache::{Client, Installation, Result, RuntimeCache};

use super::glob;

/// The words that select caches; `None` selects any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// A language, in any case.
    pub(crate) language: Option<String>,
    /// A glob.
    pub(crate) version: Option<String>,
    /// A glob.
    pub(crate) image_name: Option<String>,
}

impl Selection {
    /// The selected ones of `caches`, in order.
    pub(crate) fn of(&self, mut caches: Vec<RuntimeCache>) -> Vec<RuntimeCache> {
        caches.retain(|cache| self.selects(cache));
        caches.sort_by(order);
        caches
    }

    fn selects(&self, cache: &RuntimeCache) -> bool {
        let matches =
            |glob: &Option<String>, text: &str| glob.as_ref().is_none_or(|glob| glob::matches(glob, text));
        self.language.as_ref().is_none_or(|language| language.eq_ignore_ascii_case(&cache.language))
            && matches(&self.version, &cache.version)
            && matches(&self.image_name, &cache.image_name)
    }
}

/// By language, version and image.
fn order(a: &RuntimeCache, b: &RuntimeCache) -> Ordering {
    (a.language.cmp(&b.language))
        .then_with(|| by_version(&a.version, &b.version))
        .then_with(|| a.image_name.cmp(&b.image_name))
}

/// Part by part, numbers as numbers: 3.9.1 comes before 3.10.0.
fn by_version(a: &str, b: &str) -> Ordering {
    let part = |text: &str| (text.parse::<u64>().map_or(u64::MAX, |number| number), text.to_owned());
    a.split('.').map(part).cmp(b.split('.').map(part))
}

/// Caches that no installation uses, and why others are not called so.
pub(crate) struct Orphans {
    pub(crate) caches: Vec<RuntimeCache>,
    pub(crate) doubts: Vec<String>,
}

/// Those of `caches` whose version and image the server no longer offers.
///
/// What might be in use is never an orphan: a cache of a language that the server does not tell of, or of
/// which it names no installation at all.
///
/// # Errors
/// A list of installations that cannot be read.
pub(crate) fn orphans(client: &Client, caches: Vec<RuntimeCache>) -> Result<Orphans> {
    let mut found = Orphans { caches: Vec::new(), doubts: Vec::new() };
    // The caches are sorted by language.
    for caches in caches.chunk_by(|a, b| a.language == b.language) {
        let language = &caches[0].language;
        let installations = match language.to_ascii_lowercase().as_str() {
            "r" => client.r_installations()?,
            "python" => client.python_installations()?,
            _ => {
                found.doubts.push(format!(
                    "no {language} cache is called orphaned: the server tells of R and Python"
                ));
                continue;
            }
        };
        if installations.is_empty() {
            found.doubts.push(format!(
                "no {language} cache is called orphaned: the server names no installation of it"
            ));
            continue;
        }
        let unused = caches.iter().filter(|cache| !installations.iter().any(|i| may_use(i, cache)));
        found.caches.extend(unused.cloned());
    }
    Ok(found)
}

/// Whether content run by `installation` may use `cache`. What an installation does not tell may be anything.
fn may_use(installation: &Installation, cache: &RuntimeCache) -> bool {
    let is = |told: &str, word: &str| told.is_empty() || told == word;
    is(&installation.version, &cache.version)
        && is(&sanitized_image_name(&installation.image_name), &sanitized_image_name(&cache.image_name))
}

/// An image's name as the list of caches shows it: in lower case, each run of other characters than letters
/// and digits as one `-`, ends trimmed.
///
/// The API reference says that the list's names are sanitized, not how: this rule is an assumption.
fn sanitized_image_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cache(words: &str) -> RuntimeCache {
        let words: Vec<&str> = words.split(' ').collect();
        RuntimeCache::new(words[0], words[1], words[2])
    }

    #[test]
    fn caches_are_in_order_of_language_version_and_image() {
        let sorted = [
            "Python 3.9.1 Local",
            "Python 3.10.0 Local",
            "Python 3.10.0 jammy",
            "R 4.3.0 Local",
            "R 4.3.x Local",
        ];
        let shuffled = [4, 1, 3, 0, 2].map(|i| cache(sorted[i]));
        let selected = Selection::default().of(shuffled.to_vec());
        assert_eq!(selected.iter().map(RuntimeCache::to_string).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn installations_use_the_caches_of_their_version_and_image() {
        for (version, image, cache_words, uses) in [
            ("4.3.0", "Local", "R 4.3.0 Local", true),
            ("4.3.0", "Local", "R 4.3.1 Local", false),
            ("4.3.0", "ghcr.io/rstudio/R:Jammy", "R 4.3.0 ghcr-io-rstudio-r-jammy", true),
            ("4.3.0", "ghcr.io/rstudio/r:focal", "R 4.3.0 ghcr-io-rstudio-r-jammy", false),
            ("4.3.0", "", "R 4.3.0 anything", true),
            ("", "Local", "R 4.3.0 Local", true),
        ] {
            let installation = json!({"version": version, "cluster_name": "Local", "image_name": image});
            let installation = serde_json::from_value(installation).unwrap();
            assert_eq!(may_use(&installation, &cache(cache_words)), uses, "{image} {cache_words}");
        }
        assert_eq!(sanitized_image_name("--A__b//c:1.2--"), "a-b-c-1-2");
    }

    #[test]
    fn all_words_have_to_match() {
        let caches = ["R 4.1.0 Local", "R 4.1.0 jammy", "Python 4.1.0 jammy", "R 4.2.0 jammy"].map(cache);
        let selection = Selection {
            language: Some("r".into()),
            version: Some("4.1.*".into()),
            image_name: Some("jam?y".into()),
        };
        assert_eq!(selection.of(caches.to_vec()), [cache("R 4.1.0 jammy")]);
    }
}
