//! What a server does with deletions.

use std::thread;
use std::time::{Duration, Instant};

use connect_cache::{Client, Error, ErrorKind, Progress, RuntimeCache, TaskId, Verdict};

/// What a server was seen to do.
pub struct Observations {
    pub version: Option<String>,
    pub execution: Option<String>,
    /// The list at the start, and the names of the images of the server's installations.
    pub listed: Vec<RuntimeCache>,
    pub installed_images: Vec<String>,
    pub dry_runs: DryRuns,
    /// Whether the dry runs, and the DELETE of a version that cannot exist, left the list as it was.
    pub dry_runs_change_nothing: bool,
    pub missing_delete_changes_nothing: bool,
    /// The DELETE of a version that cannot exist, and of the cache after its deletion.
    pub delete_of_version: Result<End, Refusal>,
    pub delete_afterwards: Result<End, Refusal>,
    /// The deletion of the cache, and what happens while its task is running.
    pub deletion: End,
    pub during: During,
    pub listed_afterwards: bool,
    pub finished_task: FinishedTask,
}

/// The replies to dry runs.
pub struct DryRuns {
    pub of_the_cache: Result<(), Refusal>,
    /// Of a version that cannot exist.
    pub of_a_version: Result<(), Refusal>,
    /// Of an image that does not exist, with the version of the cache.
    pub of_an_image: Result<(), Refusal>,
    /// Of the cache after its deletion.
    pub afterwards: Result<(), Refusal>,
}

/// What happens while the cache's task is running.
pub struct During {
    /// Whether it was still running at the end of this.
    pub is_during: bool,
    /// The end of the second task; `None` if it is the first one.
    pub second_delete: Result<Option<End>, Refusal>,
    pub listed: bool,
    pub dry_run: Result<(), Refusal>,
}

/// How long a finished task was known.
pub struct FinishedTask {
    /// The time after its end at which it was last known; `None` if it never was.
    pub known_after: Option<Duration>,
    /// The time at which it was not known, and the reply.
    pub lost: Option<(Duration, Refusal)>,
}

/// The end of a task.
pub struct End {
    pub code: i64,
    pub error: String,
    pub output: Vec<String>,
    pub after: Duration,
}

impl End {
    pub fn succeeded(&self) -> bool {
        self.code == 0 && self.error.is_empty()
    }
}

/// A request that was not accepted.
pub struct Refusal {
    /// Whether it is 404 with code 4.
    pub is_not_found: bool,
    pub text: String,
}

impl Observations {
    /// Deletes the cache, and asks about it and about caches that do not exist.
    pub fn make(
        client: &Client,
        cache: &RuntimeCache,
        known_for: Duration,
        progress: &dyn Fn(&str),
    ) -> Result<Self, String> {
        let server = Server(client);
        progress("reading the settings and the list");
        let settings = client.server_settings().map_err(|error| error.to_string())?;
        let listed = server.list()?;
        if !listed.contains(cache) {
            return Err(format!(
                "{cache} is not in the list; LIVE_CACHE must name a cache as connect-cache list does"
            ));
        }
        let installations = [client.r_installations(), client.python_installations()];
        let installations = installations.into_iter().flatten().flatten();
        let installed_images = installations.map(|installation| installation.image_name).collect();

        progress("sending dry runs");
        let missing_version = RuntimeCache::new(&cache.language, "0.0.0", "Local");
        let missing_image = RuntimeCache::new(&cache.language, &cache.version, "no-image-has-this-name");
        let of_the_cache = server.dry_run(cache);
        let of_a_version = server.dry_run(&missing_version);
        let of_an_image = server.dry_run(&missing_image);
        let dry_runs_change_nothing = server.list()? == listed;

        progress("deleting a version that cannot exist");
        let delete_of_version = server.delete(&missing_version);
        let missing_delete_changes_nothing = server.list()? == listed;

        progress(&format!("deleting {cache}, twice at once"));
        let started_at = Instant::now();
        let task = client.delete_runtime_cache(cache).map_err(|error| error.to_string())?;
        let second = client.delete_runtime_cache(cache);
        let listed_during = server.list()?.contains(cache);
        let dry_run = server.dry_run(cache);
        let state = client.task(&task, 0, Duration::ZERO).map_err(|error| error.to_string())?;
        let deletion = server.follow(&task, started_at)?;
        let finished_at = Instant::now();
        let second_delete = match second {
            Ok(second) if second == task => Ok(None),
            Ok(second) => server.follow(&second, started_at).map(Some).map_err(Refusal::other),
            Err(error) => Err(server.refusal(&error)),
        };
        let during = During { is_during: !state.finished, second_delete, listed: listed_during, dry_run };

        progress("looking at what it left");
        let listed_afterwards = server.list()?.contains(cache);
        let afterwards = server.dry_run(cache);
        let delete_afterwards = server.delete(cache);

        progress(&format!("asking for the finished task for {} s", known_for.as_secs()));
        let finished_task = server.finished_task(&task, finished_at, known_for);
        Ok(Self {
            version: settings.version.filter(|version| !version.is_empty()),
            execution: settings.execution_type.filter(|execution| !execution.is_empty()),
            listed,
            installed_images,
            dry_runs: DryRuns { of_the_cache, of_a_version, of_an_image, afterwards },
            dry_runs_change_nothing,
            missing_delete_changes_nothing,
            delete_of_version,
            delete_afterwards,
            deletion,
            during,
            listed_afterwards,
            finished_task,
        })
    }
}

/// A server, whose address is in no text.
struct Server<'a>(&'a Client);

impl Server<'_> {
    fn list(&self) -> Result<Vec<RuntimeCache>, String> {
        let mut caches = self.0.runtime_caches().map_err(|error| error.to_string())?;
        caches.sort();
        Ok(caches)
    }

    fn dry_run(&self, cache: &RuntimeCache) -> Result<(), Refusal> {
        self.0.check_runtime_cache(cache).map_err(|error| self.refusal(&error))
    }

    fn delete(&self, cache: &RuntimeCache) -> Result<End, Refusal> {
        let started_at = Instant::now();
        let task = self.0.delete_runtime_cache(cache).map_err(|error| self.refusal(&error))?;
        self.follow(&task, started_at).map_err(Refusal::other)
    }

    fn follow(&self, id: &TaskId, started_at: Instant) -> Result<End, String> {
        let mut output = Vec::new();
        let task = self.0.follow(id, |progress| {
            if let Progress::Line(line) = progress {
                output.push(line.to_owned());
            }
        });
        let task = task.map_err(|error| self.refusal(&error).text)?;
        Ok(End { code: task.code, error: self.0.mask(&task.error), output, after: started_at.elapsed() })
    }

    /// Asks for a finished task at growing intervals.
    fn finished_task(&self, id: &TaskId, finished_at: Instant, longest: Duration) -> FinishedTask {
        let mut pause = Duration::from_secs(1);
        let mut known_after = None;
        loop {
            let result = self.0.task(id, 0, Duration::ZERO);
            let now = finished_at.elapsed();
            if let Err(error) = result {
                return FinishedTask { known_after, lost: Some((now, self.refusal(&error))) };
            }
            known_after = Some(now);
            if now >= longest {
                return FinishedTask { known_after, lost: None };
            }
            thread::sleep(pause.min(longest - now));
            pause *= 2;
        }
    }

    fn refusal(&self, error: &Error) -> Refusal {
        let text = match &error.kind {
            ErrorKind::Api { status, code, message } => format!("{status} with code {code}: {message}"),
            _ => error.to_string().replace(&self.0.config().server.to_string(), "the server"),
        };
        Refusal { is_not_found: error.verdict() == Verdict::NotFound, text }
    }
}

impl Refusal {
    fn other(text: String) -> Self {
        Self { is_not_found: false, text }
    }
}
