//! Which caches a `list` shows and a `purge` deletes.

use connect_cache::{Installation, Result, RuntimeCache};

use super::glob;
use super::session::Session;

/// The filters; `None` matches any cache.
#[derive(Default, PartialEq)]
pub(crate) struct Filters {
    /// A language, in any case.
    pub(crate) language: Option<String>,
    /// A glob.
    pub(crate) version: Option<String>,
    /// A glob.
    pub(crate) image_name: Option<String>,
    /// Only caches that [`orphans`] selects.
    pub(crate) orphaned: bool,
    /// Only caches whose version no content item uses.
    pub(crate) unused: bool,
}

impl Filters {
    /// Returns the caches that match the filters, sorted. `orphaned` and `unused` need replies of the server, and are
    /// applied later.
    pub(crate) fn select(&self, mut caches: Vec<RuntimeCache>) -> Vec<RuntimeCache> {
        let matches =
            |glob: &Option<String>, text: &str| glob.as_ref().is_none_or(|glob| glob::matches(glob, text));
        caches.retain(|cache| {
            self.language.as_ref().is_none_or(|language| language.eq_ignore_ascii_case(&cache.language))
                && matches(&self.version, &cache.version)
                && matches(&self.image_name, &cache.image_name)
        });
        caches.sort_unstable();
        // A row that is listed twice is one cache.
        caches.dedup();
        caches
    }
}

/// Selects the caches whose version the server no longer offers, and prints why some do not count.
///
/// A cache that might be in use is never orphaned: one of a language that the server does not report, or of
/// which it names no installation at all.
///
/// # Errors
/// A list of installations that cannot be read.
pub(crate) fn orphans(caches: &[RuntimeCache], session: &Session) -> Result<Vec<RuntimeCache>> {
    let mut orphans = Vec::new();
    // The caches are sorted by language.
    for caches in caches.chunk_by(|a, b| a.language == b.language) {
        let language = &caches[0].language;
        let installations = match language.to_ascii_lowercase().as_str() {
            "r" => session.client.r_installations()?,
            "python" => session.client.python_installations()?,
            _ => Vec::new(),
        };
        if installations.is_empty() {
            let obstacle = "the server reports no installation of it";
            session.note(&format!("no {language} cache counts as orphaned: {obstacle}"));
        } else {
            let is_orphan = |cache: &&RuntimeCache| !installations.iter().any(|i| may_use(i, cache));
            orphans.extend(caches.iter().filter(is_orphan).cloned());
        }
    }
    Ok(orphans)
}

/// Reports whether content run by `installation` may use `cache`. A field that is not reported may be anything.
///
/// The names of off-host images are not compared: the list spells them in a way that is documented nowhere.
fn may_use(installation: &Installation, cache: &RuntimeCache) -> bool {
    let Installation { version, cluster_name, image_name, .. } = installation;
    let may_be_kind = |name: &String| name.is_empty() || (name == LOCAL) == cache.is_local();
    (may_be_kind(cluster_name) || may_be_kind(image_name))
        && (version.is_empty() || *version == cache.version)
}

/// The image and the cluster of native execution.
const LOCAL: &str = "Local";

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(words: &str) -> RuntimeCache {
        let words: Vec<&str> = words.split(' ').collect();
        RuntimeCache::new(words[0], words[1], words[2])
    }

    #[test]
    fn sorts_by_language_version_and_image_without_repetitions() {
        let sorted = [
            "Python 3.9.1 Local",
            "Python 3.10.0 Local",
            "Python 3.10.0 jammy",
            "R 4.3.0 Local",
            "R 4.3.x Local",
        ];
        let shuffled = [4, 1, 3, 0, 1, 2].map(|i| cache(sorted[i]));
        let selected = Filters::default().select(shuffled.to_vec());
        assert_eq!(selected.iter().map(RuntimeCache::to_string).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn compares_installations_by_kind_and_version_only() {
        let (local, image) = ("R 4.3.0 Local", "R 4.3.0 some-image");
        for (version, cluster, image_name, may_use_local, may_use_image) in [
            ("4.3.0", "Local", "Local", true, false),
            ("4.3.1", "Local", "Local", false, false),
            ("4.3.0", "Kubernetes", "ghcr.io/example/r:jammy", false, true),
            ("4.3.1", "Kubernetes", "ghcr.io/example/r:jammy", false, false),
            ("4.3.0", "", "", true, true),
            ("4.3.0", "Local", "", true, true),
            ("4.3.0", "", "ghcr.io/example/r:jammy", true, true),
            ("4.3.0", "Kubernetes", "Local", true, true),
            ("", "Local", "Local", true, false),
            ("", "", "", true, true),
        ] {
            let fields = [("version", version), ("cluster_name", cluster), ("image_name", image_name)];
            let fields = serde_json::Value::from_iter(fields);
            let installation: Installation = serde_json::from_value(fields).unwrap();
            assert_eq!(may_use(&installation, &cache(local)), may_use_local, "{installation:?}");
            assert_eq!(may_use(&installation, &cache(image)), may_use_image, "{installation:?}");
        }
    }

    #[test]
    fn requires_all_filters_to_match() {
        let caches = ["R 4.1.0 Local", "R 4.1.0 jammy", "Python 4.1.0 jammy", "R 4.2.0 jammy"].map(cache);
        let filters = Filters {
            language: Some("r".into()),
            version: Some("4.1.*".into()),
            image_name: Some("jam?y".into()),
            ..Filters::default()
        };
        assert_eq!(filters.select(caches.to_vec()), [cache("R 4.1.0 jammy")]);
    }
}
