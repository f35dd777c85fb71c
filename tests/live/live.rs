//! Finds out on a real Connect server what no public source says, and compares it with the assumptions of the code:
//! `make live`. It deletes one cache, and prints a report without secrets.

// .clippy.toml allows these in tests only. This is a program for the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod observations;
mod report;

use std::env;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use connect_cache::{Client, Config, Proxy, RuntimeCache, Trust};

use observations::Observations;

const NEEDS: &str = "\
make live deletes one runtime cache of a real Connect server, and reports what the server does. It needs:

  CONNECT_SERVER        the server's URL
  CONNECT_API_KEY_FILE  a file with an administrator's API key; or CONNECT_API_KEY
  LIVE_CACHE            a cache to sacrifice, as in LIVE_CACHE='R 4.1.0 Local'

LIVE_SECONDS is how long to ask for the finished task (default 300).
CONNECT_CA_CERTIFICATE, CONNECT_INSECURE=1 and the variables of proxies are honored.";

/// What the environment names.
struct Settings {
    client: Client,
    cache: RuntimeCache,
    known_for: Duration,
}

fn main() -> ExitCode {
    let settings = match Settings::read() {
        Ok(settings) => settings,
        Err(problem) => {
            eprintln!("{NEEDS}\n\nerror: {problem}");
            return ExitCode::from(2);
        }
    };
    let progress = |what: &str| eprintln!("live: {what}");
    match Observations::make(&settings.client, &settings.cache, settings.known_for, &progress) {
        Ok(observations) => {
            print!("{}", report::text(&observations));
            if report::is_as_assumed(&observations) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

impl Settings {
    fn read() -> Result<Self, String> {
        let named = |name: &str| variable(name).ok_or_else(|| format!("{name} is not set"));
        let server = named("CONNECT_SERVER")?.parse().map_err(display)?;
        let key = match (variable("CONNECT_API_KEY"), variable("CONNECT_API_KEY_FILE")) {
            (Some(key), _) => key,
            (None, Some(file)) => fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?,
            (None, None) => return Err("neither CONNECT_API_KEY_FILE nor CONNECT_API_KEY is set".into()),
        };
        let mut config = Config::new(server, key.parse().map_err(display)?);
        config.proxy = Proxy::for_server(&config.server, &variable).map_err(display)?;
        if variable("CONNECT_INSECURE").is_some() {
            config.trust = Trust::Insecure;
        } else if let Some(file) = variable("CONNECT_CA_CERTIFICATE") {
            config.trust = Trust::file(file).map_err(display)?;
        }
        let cache = named("LIVE_CACHE")?;
        let words: Vec<&str> = cache.split_whitespace().collect();
        let [language, version, image] = words[..] else {
            return Err(format!("LIVE_CACHE is not a language, a version and an image: '{cache}'"));
        };
        let seconds = variable("LIVE_SECONDS").map_or(Ok(300), |text| text.parse());
        let seconds = seconds.map_err(|error| format!("LIVE_SECONDS: {error}"))?;
        Ok(Self {
            client: Client::new(config).map_err(display)?,
            cache: RuntimeCache::new(language, version, image),
            known_for: Duration::from_secs(seconds),
        })
    }
}

/// Returns the value of a variable that is not empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn display(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use connect_test_server::{
        Action, Config, Effect, Endpoint, Fault, MissingCache, MissingDelete, Plan, Server,
    };

    use super::{Client, Duration, Observations, RuntimeCache, report};

    const CACHE: &str = "R 4.1.0 Local";
    const IMAGE: &str = "R 4.3.0 ghcr.io/Acme/r_base:4.3";
    /// The task of the cache takes longer than the requests that are sent meanwhile.
    const TASK: Duration = Duration::from_secs(2);

    fn server(missing_cache: MissingCache, plan: Plan) -> Config {
        Server::builder()
            .caches(["Python 3.7.6 Local", CACHE, IMAGE])
            .missing_cache(missing_cache)
            .plan_for(CACHE, Plan { duration: TASK, ..plan })
    }

    fn observed(server: Config) -> Observations {
        let server = server.start();
        let config = connect_cache::Config::new(server.url().parse().unwrap(), "admin-key".parse().unwrap());
        let client = Client::new(config).unwrap();
        let cache = RuntimeCache::new("R", "4.1.0", "Local");
        let seen = Observations::make(&client, &cache, Duration::from_secs(1), &|_| {}).unwrap();
        let text = report::text(&seen);
        for secret in [server.url().as_str(), "127.0.0.1", "admin", "ghcr", "acme"] {
            assert!(!text.to_ascii_lowercase().contains(secret), "{secret}: {text}");
        }
        seen
    }

    /// Returns the rest of the first line in a report that begins with these words.
    fn line<'a>(text: &'a str, what: &str) -> &'a str {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(what));
        line.unwrap_or_else(|| panic!("no {what}: {text}")).trim_start()
    }

    #[test]
    fn reports_what_a_missing_cache_gets_and_holds_each_assumption() {
        thread::scope(|scope| {
            for world in MissingCache::ALL {
                scope.spawn(move || {
                    let seen = observed(server(world, Plan::default()));
                    let text = report::text(&seen);
                    assert!(report::is_as_assumed(&seen), "{world:?}: {text}");
                    assert_eq!(text.matches("  holds  ").count(), 12, "{world:?}: {text}");
                    let dry_run = if world.dry_run_tells() {
                        "404 with code 4: Cache does not exist"
                    } else {
                        "accepted"
                    };
                    for what in ["version 0.0.0", "an image that does not exist"] {
                        assert_eq!(line(&text, &format!("dry run of {what}")), dry_run, "{world:?}");
                    }
                    assert_eq!(line(&text, "dry run after its end"), dry_run, "{world:?}");
                    assert_eq!(line(&text, "dry run meanwhile"), "accepted", "{world:?}");
                    let delete = match world.delete {
                        MissingDelete::NotFound => "404 with code 4: Cache does not exist",
                        MissingDelete::TaskFails => "a task: failed after ",
                        MissingDelete::TaskSucceeds => "a task: succeeded after ",
                    };
                    for what in ["DELETE of version 0.0.0", "DELETE after its end"] {
                        assert!(line(&text, what).starts_with(delete), "{world:?}: {text}");
                    }
                    assert!(line(&text, "second DELETE").starts_with("another task: "), "{world:?}");
                    assert_eq!(line(&text, "in the list meanwhile"), "listed", "{world:?}");
                    assert_eq!(line(&text, "in the list after its end"), "not listed", "{world:?}");
                    assert_eq!(line(&text, "images in the list"), "aaaa-aa-aaaa-a-aaaa-0-0", "{world:?}");
                    assert!(line(&text, "the finished task").starts_with("is known after "), "{world:?}");
                });
            }
        });
    }

    #[test]
    fn names_the_assumption_that_a_server_contradicts() {
        // The dry run of the image, the third one, differs from that of the version.
        let differs = Fault::new(Endpoint::DryRun, Action::error(404, 4, "Cache does not exist")).skip(2);
        let keeps_caches = Plan { effect: Effect::Never, ..Plan::default() };
        for (server, assumption) in [
            (
                server(MissingCache::TASK_FAILS, Plan::default()).fault(differs),
                "that is the same for a version and an image (presence.rs)",
            ),
            (
                server(MissingCache::NOT_FOUND, keeps_caches),
                "a task that succeeded leaves no row of its cache (job.rs)",
            ),
        ] {
            let seen = observed(server);
            let text = report::text(&seen);
            assert!(!report::is_as_assumed(&seen), "{text}");
            assert_eq!(text.matches("CONTRADICTED").count(), 1, "{text}");
            assert_eq!(line(&text, "CONTRADICTED "), assumption, "{text}");
        }
    }
}
