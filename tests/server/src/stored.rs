//! The caches that the server stores, now and earlier.

use crate::Cache;

/// An earlier moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Earlier {
    /// The start of the server.
    Start,
    /// Before the last changes, each of which created or deleted caches.
    Changes(usize),
}

/// The caches that the server stores.
#[derive(Default)]
pub(crate) struct Stored {
    now: Vec<Cache>,
    /// The caches before each change.
    past: Vec<Vec<Cache>>,
}

impl Stored {
    pub fn new(caches: Vec<Cache>) -> Stored {
        Stored { now: caches, past: Vec::new() }
    }

    /// Returns the caches as they are.
    pub fn now(&self) -> &[Cache] {
        &self.now
    }

    /// Returns the caches as they were.
    pub fn at(&self, earlier: Earlier) -> &[Cache] {
        let at = match earlier {
            Earlier::Start => 0,
            Earlier::Changes(number) => self.past.len().saturating_sub(number),
        };
        self.past.get(at).unwrap_or(&self.now)
    }

    pub fn has(&self, cache: &Cache) -> bool {
        self.now.contains(cache)
    }

    /// Adds a cache unless it exists.
    pub fn add(&mut self, cache: Cache) {
        if !self.has(&cache) {
            self.past.push(self.now.clone());
            self.now.push(cache);
        }
    }

    /// Removes a cache if it exists.
    pub fn remove(&mut self, cache: &Cache) {
        if self.has(cache) {
            self.past.push(self.now.clone());
            self.now.retain(|other| other != cache);
        }
    }

    pub fn replace(&mut self, caches: Vec<Cache>) {
        self.past.push(std::mem::replace(&mut self.now, caches));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_caches_before_each_change() {
        let (one, two) = (Cache::from("R 4.1.0 Local"), Cache::from("R 4.2.0 Local"));
        let mut stored = Stored::new(vec![one.clone()]);
        assert_eq!(stored.at(Earlier::Start), stored.now());
        // The second of these changes nothing.
        stored.add(two.clone());
        stored.add(two.clone());
        stored.remove(&one);
        stored.remove(&one);
        for (earlier, expected) in [
            (Earlier::Changes(0), &[&two][..]),
            (Earlier::Changes(1), &[&one, &two]),
            (Earlier::Changes(2), &[&one]),
            (Earlier::Changes(9), &[&one]),
            (Earlier::Start, &[&one]),
        ] {
            assert_eq!(stored.at(earlier).iter().collect::<Vec<_>>(), expected, "{earlier:?}");
        }
    }
}
