//! The runtime cache endpoints: the list, a deletion, a dry run.

use serde_json::{Value, json};

use crate::api::Call;
use crate::http::Reply;
use crate::refusal::{self, refuse};
use crate::{Cache, Endpoint, Management, MissingDelete, MissingDryRun, Role, User, task};

impl Call<'_> {
    /// Returns the user of a request to a runtime cache endpoint, or the refusal.
    fn cache_manager(&self) -> Result<&User, Reply> {
        let management = self.shared.config.management;
        if management == Management::Missing {
            return Err(refuse(refusal::NO_SUCH_ENDPOINT));
        }
        let caller = self.caller(Role::Administrator)?;
        if management == Management::Disabled {
            return Err(refuse(refusal::MANAGEMENT_DISABLED));
        }
        Ok(caller)
    }

    pub fn list(&self) -> Result<Reply, Reply> {
        self.cache_manager()?;
        let config = &self.shared.config;
        let state = self.shared.lock();
        let caches = self.stale.map_or(state.caches.now(), |earlier| state.caches.at(earlier));
        let listed = caches.iter().filter(|cache| !config.unlisted.contains(cache));
        let mut caches: Vec<Value> =
            listed.map(|cache| shown(cache, &config.images.sanitizer.sanitize(&cache.image_name))).collect();
        if config.list.rows_twice {
            caches.extend_from_within(..);
        }
        if config.list.null_if_empty && caches.is_empty() {
            return Ok(Reply::json(200, &json!({ "caches": null })));
        }
        Ok(Reply::json(200, &json!({ "caches": caches })))
    }

    pub fn delete(&self) -> Result<Reply, Reply> {
        let config = &self.shared.config;
        let caller = self.cache_manager()?;
        let requested = self.requested_cache()?;
        let missing = config.missing_cache;
        let not_found = match self.endpoint {
            Endpoint::DryRun => missing.dry_run == MissingDryRun::NotFound,
            _ => missing.delete == MissingDelete::NotFound,
        };
        let cache = match self.stored(&requested) {
            None if not_found => return Err(refuse(refusal::NO_SUCH_CACHE)),
            stored => stored.unwrap_or_else(|| requested.clone()),
        };
        let task_id = match self.endpoint {
            Endpoint::DryRun => None,
            _ if self.perform => Some(self.shared.start_task(self.node, &caller.username, &cache)),
            _ => Some(task::random_id()),
        };
        let image = config.images.spell(&cache.image_name, &requested.image_name);
        let mut body = if config.replies.minimal_delete { json!({}) } else { shown(&cache, &image) };
        body["task_id"] = json!(task_id);
        Ok(Reply::json(200, &body))
    }

    /// Returns the cache that the body of a deletion names, its image as the request spells it. Any
    /// version is accepted.
    fn requested_cache(&self) -> Result<Cache, Reply> {
        if self.message.body.is_empty() {
            return Err(refuse(refusal::PARAMETER_MISSING));
        }
        let invalid = || refuse(refusal::PARAMETER_INVALID);
        let body: Value = serde_json::from_slice(&self.message.body).or(Err(invalid()))?;
        if !body.is_object() || !(body["dry_run"].is_null() || body["dry_run"].is_boolean()) {
            return Err(invalid());
        }
        let word = |name: &str| match &body[name] {
            Value::Null => Err(refuse(refusal::NO_LOCATION)),
            Value::String(word) if word.is_empty() => Err(refuse(refusal::NO_LOCATION)),
            Value::String(word) => Ok(word.clone()),
            _ => Err(invalid()),
        };
        let (language, version, image) = (word("language")?, word("version")?, word("image_name")?);
        let mut languages = ["R", "Python"].into_iter();
        let language = languages.find(|known| known.eq_ignore_ascii_case(&language));
        let language = language.ok_or_else(|| refuse(refusal::NO_SUCH_LANGUAGE))?;
        Ok(Cache::new(language, version, image))
    }

    /// Returns the stored cache that a request names, its image by the literal name or else as the list shows it. If
    /// its plan says that it vanishes, it is removed here.
    fn stored(&self, requested: &Cache) -> Option<Cache> {
        let config = &self.shared.config;
        let mut state = self.shared.lock();
        let is = |cache: &&Cache, image: &str| {
            let Cache { language, version, .. } = requested;
            cache.language.eq_ignore_ascii_case(language)
                && cache.version == *version
                && requested.image_name == image
        };
        let literal = state.caches.now().iter().find(|cache| is(cache, &cache.image_name));
        let listed = || {
            let mut caches = state.caches.now().iter();
            caches.find(|cache| is(cache, &config.images.sanitizer.sanitize(&cache.image_name)))
        };
        let found = literal.or_else(listed)?.clone();
        if config.plan_of(&found).vanishes {
            state.caches.remove(&found);
            return None;
        }
        Some(found)
    }
}

/// Returns a cache as the API shows it, with this spelling of its image.
fn shown(cache: &Cache, image: &str) -> Value {
    json!({ "language": cache.language, "version": cache.version, "image_name": image })
}
