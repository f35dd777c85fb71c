//! The worlds: what the server has, how it answers, and what the run is to do.

use std::fmt;
use std::time::Duration;

use crate::api::RuntimeCache;

/// A world in which nothing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct World {
    pub(super) todo: Todo,
    pub(super) kind: Kind,
    pub(super) scene: &'static Scene,
    pub(super) course: Course,
}

/// What the run is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Todo {
    Delete,
    DryRun,
    NoWait,
    /// A purge of all rows that are listed.
    Purge,
    /// A purge of the named caches, listed or not.
    PurgeFrom,
}

/// What a cache gets that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Whether its dry run gets 404 with code 4, else 200.
    pub(super) tells: bool,
    pub(super) missing: Missing,
}

/// What the DELETE of a cache gets that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    NotFound,
    TaskFails,
    TaskSucceeds,
}

/// The caches of a server, and those that the run names. An image is stored by its literal name; the list has the
/// sanitized one.
#[derive(Debug, PartialEq)]
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) stored: &'static [&'static str],
    pub(super) named: &'static [&'static str],
    /// Whether the list shows what is stored.
    pub(super) list: List,
}

/// How true a list is. Servers whose dry run does not tell are taken to have complete lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Complete,
    /// It leaves out the named caches.
    WithoutNamed,
    /// It still has the named caches, which are gone.
    Stale,
}

const fn scene(name: &'static str, stored: &'static [&'static str], named: &'static [&'static str]) -> Scene {
    Scene { name, stored, named, list: List::Complete }
}

/// Those of one cache.
const SINGLE: &[Scene] = &[
    scene("local", &["R 4.3.0 Local", "R 4.3.0 other"], &["R 4.3.0 Local"]),
    scene("no local", &["R 4.2.0 Local", "R 4.3.0 other"], &["R 4.3.0 Local"]),
    scene("image", &["R 4.3.0 ex-a"], &["R 4.3.0 ex-a"]),
    scene("image of two", &["R 4.3.0 ex-a", "R 4.3.0 other"], &["R 4.3.0 ex-a"]),
    scene("literal", &["R 4.3.0 ex/a"], &["R 4.3.0 ex/a"]),
    scene("literal of two", &["R 4.3.0 other", "R 4.3.0 ex/a"], &["R 4.3.0 ex/a"]),
    scene("listed name of a literal", &["R 4.3.0 ex/a", "R 4.3.0 other"], &["R 4.3.0 ex-a"]),
    scene("no literal", &["R 4.3.0 other"], &["R 4.3.0 ex/a"]),
    scene("no literal and no namesake", &["R 4.3.0 Local"], &["R 4.3.0 ex/a"]),
    scene("equal rows", &["R 4.3.0 ex/a", "R 4.3.0 ex_a"], &["R 4.3.0 ex-a"]),
    scene("literal of equal rows", &["R 4.3.0 ex/a", "R 4.3.0 ex_a"], &["R 4.3.0 ex/a"]),
    scene("no literal of equal rows", &["R 4.3.0 ex_a", "R 4.3.0 ex.a"], &["R 4.3.0 ex/a"]),
    Scene { list: List::WithoutNamed, ..scene("unlisted local", &["R 4.3.0 Local"], &["R 4.3.0 Local"]) },
    Scene {
        list: List::WithoutNamed,
        ..scene("unlisted image", &["R 4.3.0 ex/a", "R 4.3.0 other"], &["R 4.3.0 ex/a"])
    },
    Scene { list: List::Stale, ..scene("stale row", &["R 4.3.0 other"], &["R 4.3.0 Local"]) },
];

/// Those of two rows.
const ROWS: &[Scene] = &[
    scene("two locals", &["R 4.2.0 Local", "R 4.3.0 Local"], &["R 4.2.0 Local", "R 4.3.0 Local"]),
    scene("two images", &["R 4.3.0 ex-a", "R 4.3.0 other"], &["R 4.3.0 ex-a", "R 4.3.0 other"]),
    scene(
        "local and equal rows",
        &["R 4.3.0 Local", "R 4.3.0 ex/a", "R 4.3.0 ex_a"],
        &["R 4.3.0 Local", "R 4.3.0 ex-a"],
    ),
];

/// Those of two caches of which at least one is not listed.
const UNLISTED: &[Scene] = &[
    scene("two literals", &["R 4.3.0 ex/a", "R 4.3.0 ex/b"], &["R 4.3.0 ex/a", "R 4.3.0 ex/b"]),
    scene("a literal and none", &["R 4.3.0 ex/a"], &["R 4.3.0 ex/a", "R 4.3.0 ex/b"]),
    scene("a row and a literal", &["R 4.3.0 ex-a", "R 4.3.0 ex/b"], &["R 4.3.0 ex-a", "R 4.3.0 ex/b"]),
    scene("a local and none", &["R 4.3.0 Local"], &["R 4.3.0 Local", "R 4.4.0 Local"]),
    scene("neither", &["R 4.3.0 other"], &["R 4.3.0 Local", "R 4.3.0 ex/a"]),
    Scene {
        list: List::WithoutNamed,
        ..scene("two unlisted", &["R 4.3.0 Local", "R 4.3.0 ex/a"], &["R 4.3.0 Local", "R 4.3.0 ex/a"])
    },
];

/// How long tasks take, and how patient the run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Course {
    pub(super) takes: Duration,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
}

const fn course(seconds: u64) -> Course {
    Course { takes: Duration::from_secs(seconds), timeout: None, retries: None }
}

/// A task that ends at once, and one that ends while it is polled or asked about.
const USUAL: &[Course] = &[course(0), course(4)];
/// A task that outlasts all questions.
pub(super) const LONG: Course = course(30);
/// That, one that outlasts the run, and a run without retries.
const OTHERS: &[Course] = &[
    LONG,
    Course { timeout: Some(Duration::from_secs(10)), ..course(60) },
    Course { retries: Some(0), ..course(0) },
];
/// The scenes that have these other courses too.
const WITH_OTHERS: [&str; 4] = ["local", "no local", "literal of two", "two locals"];

impl World {
    pub(super) fn all() -> Vec<Self> {
        let kinds = Kind::all();
        // A dry run starts no task.
        let dry: Vec<Kind> =
            kinds.iter().copied().filter(|kind| kind.missing == Missing::TaskFails).collect();
        let mut worlds = Vec::new();
        for (todo, scenes, kinds, courses) in [
            (Todo::Delete, SINGLE, &kinds, USUAL),
            (Todo::DryRun, SINGLE, &dry, &USUAL[..1]),
            (Todo::NoWait, SINGLE, &kinds, &USUAL[..1]),
            (Todo::Purge, ROWS, &kinds, USUAL),
            (Todo::PurgeFrom, UNLISTED, &kinds, USUAL),
        ] {
            for scene in scenes {
                let others =
                    if courses.len() > 1 && WITH_OTHERS.contains(&scene.name) { OTHERS } else { &[] };
                // A list that is not true needs a dry run that tells.
                for &kind in kinds.iter().filter(|kind| kind.tells || scene.list == List::Complete) {
                    worlds.extend(courses.iter().chain(others).map(|&course| Self {
                        todo,
                        kind,
                        scene,
                        course,
                    }));
                }
            }
        }
        worlds
    }

    /// Returns the caches that the run names.
    pub(super) fn named(&self) -> Vec<RuntimeCache> {
        self.scene.named.iter().map(|words| cache(words)).collect()
    }

    pub(super) fn is_purge(&self) -> bool {
        matches!(self.todo, Todo::Purge | Todo::PurgeFrom)
    }
}

impl Kind {
    fn all() -> Vec<Self> {
        let missing = [Missing::NotFound, Missing::TaskFails, Missing::TaskSucceeds];
        [true, false].into_iter().flat_map(|tells| missing.map(|missing| Self { tells, missing })).collect()
    }
}

/// Reads `R 4.3.0 Local`.
pub(super) fn cache(words: &str) -> RuntimeCache {
    let words: Vec<&str> = words.splitn(3, ' ').collect();
    RuntimeCache::new(words[0], words[1], words[2])
}

/// The name by which `SIMULATE` selects the world.
impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { todo, kind, scene, course } = self;
        write!(f, "{todo:?} {}; {kind}; {course}", scene.name)
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task of {} s", self.takes.as_secs())?;
        if let Some(timeout) = self.timeout {
            write!(f, ", timeout of {} s", timeout.as_secs())?;
        }
        match self.retries {
            Some(retries) => write!(f, ", {retries} retries"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry_run = if self.tells { "404" } else { "200" };
        write!(f, "missing: dry run {dry_run}, DELETE {:?}", self.missing)
    }
}
