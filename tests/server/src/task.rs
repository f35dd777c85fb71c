//! Deletion tasks: their progress, their end, and the API's view of them.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::stored::Stored;
use crate::{Cache, Effect, MissingDelete, Plan};

/// The maximum duration of a task, so that instants do not overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The deletion of a cache, run by a node.
pub(crate) struct Task {
    pub id: String,
    pub node: usize,
    pub starter: String,
    pub ends: Instant,
    pub finished: bool,
    pub plan: Plan,
    cache: Cache,
    started: Instant,
    code: i64,
    error: String,
}

impl Task {
    pub fn new(node: usize, starter: &str, cache: &Cache, mut plan: Plan) -> Task {
        plan.duration = plan.duration.min(LONGEST);
        let started = Instant::now();
        Task {
            id: random_id(),
            node,
            starter: starter.to_string(),
            ends: started + plan.duration,
            finished: false,
            cache: cache.clone(),
            started,
            code: plan.code,
            error: plan.error.clone(),
            plan,
        }
    }

    /// Finishes the task, and deletes its cache if that is the plan.
    pub fn finish(&mut self, caches: &mut Stored, missing: MissingDelete) {
        self.finished = true;
        let effect = self.plan.effect;
        if self.succeeds() && effect != Effect::AtStart && !caches.has(&self.cache) {
            let (code, error) = missing.end();
            (self.code, self.error) = (code, error.into());
        }
        if effect == Effect::AtEnd || (effect == Effect::OnSuccess && self.succeeds()) {
            caches.remove(&self.cache);
        }
    }

    /// Reports whether the task succeeds.
    fn succeeds(&self) -> bool {
        self.code == 0 && self.error.is_empty()
    }

    /// Returns the number of lines of output so far.
    pub fn last(&self) -> usize {
        let all = self.plan.lines.len();
        if self.finished {
            return all;
        }
        let last = all.saturating_sub(1).max(1);
        let at = |line: usize| self.plan.duration.mul_f64(line as f64 / last as f64);
        let elapsed = self.started.elapsed();
        (0..all).take_while(|line| *line == 0 || (*line < last && at(*line) <= elapsed)).count()
    }

    /// Returns the ID, whether the task has finished, and when it does: in seconds since 1970.
    pub fn times(&self) -> Value {
        let now = (Instant::now(), SystemTime::now());
        let ends = match self.ends.checked_duration_since(now.0) {
            Some(left) => now.1 + left,
            None => now.1 - now.0.duration_since(self.ends),
        };
        let ends = ends.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({ "id": self.id, "finished": self.finished, "ends": ends.as_secs_f64() })
    }

    /// Returns the API's task object, with the output from line `first` on.
    pub fn json(&self, first: usize) -> Value {
        let last = self.last();
        let lines = self.plan.lines_for(self.succeeds());
        json!({
            "id": self.id,
            "output": lines[first.min(last)..last],
            "result": null,
            "finished": self.finished,
            "code": if self.finished { self.code } else { 0 },
            "error": if self.finished { self.error.as_str() } else { "" },
            "last": last,
        })
    }
}

/// Returns a random UUID, like the correlation IDs of Connect.
pub(crate) fn random_uuid() -> String {
    let random = RandomState::new();
    let (a, b) = (random.hash_one(0), random.hash_one(1));
    let (node, variant) = (b & 0xffff_ffff_ffff, 0x8000 | (b >> 48 & 0x3fff));
    format!("{:08x}-{:04x}-4{:03x}-{variant:04x}-{node:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff)
}

/// Returns 16 letters and digits, like the IDs of Connect's tasks.
pub(crate) fn random_id() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let random = RandomState::new();
    let letter = |at: u64| ALPHABET[(random.hash_one(at) % ALPHABET.len() as u64) as usize];
    (0..16).map(|at| char::from(letter(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_lines_over_the_task() {
        let plan = Plan {
            lines: ["a", "b", "c", "d"].map(String::from).to_vec(),
            ..Plan::lasting(Duration::from_secs(30))
        };
        let mut task = Task::new(0, "admin", &Cache::new("R", "4.3.0", "Local"), plan);
        for (seconds, lines) in [(0, 1), (9, 1), (11, 2), (19, 2), (21, 3), (31, 3)] {
            task.started = Instant::now() - Duration::from_secs(seconds);
            assert_eq!(task.last(), lines, "after {seconds} s");
        }
        task.finish(&mut Stored::new(Vec::new()), MissingDelete::NotFound);
        assert_eq!((task.last(), task.code), (4, 1));
    }

    #[test]
    fn makes_different_ids() {
        assert_eq!(random_id().len(), 16);
        assert_ne!(random_id(), random_id());
    }
}
