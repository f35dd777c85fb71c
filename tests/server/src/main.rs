//! The test server as a program, for demonstrations and for clients in other languages.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, thread};

use argh::FromArgs;
use connect_test_server::pki::{Ca, Identity, Leaf};
use connect_test_server::{
    Cache, Cluster, Config, Content, Effect, Management, MissingCache, MissingDryRun, Plan, Polls, RateLimit,
    Scripts, Server, User,
};

/// A stand-in for a Posit Connect server. Runs until it is killed.
#[derive(FromArgs)]
struct Options {
    /// the address to listen on (default 127.0.0.1:0, a free port)
    #[argh(option, arg_name = "addr", default = "String::from(\"127.0.0.1:0\")")]
    listen: String,

    /// a path under which everything is served
    #[argh(option, arg_name = "path", default = "String::new()")]
    prefix: String,

    /// a runtime cache, as LANG,VERSION,IMAGE; repeatable, instead of the two by default
    #[argh(option, arg_name = "cache", from_str_fn(parse_cache))]
    cache: Vec<Cache>,

    /// a cache that exists but is not in the list; repeatable
    #[argh(option, arg_name = "cache", from_str_fn(parse_cache))]
    unlisted: Vec<Cache>,

    /// the reply to the deletion of a missing cache: not-found, task-fails or task-succeeds (default not-found)
    #[argh(option, arg_name = "kind", default = "MissingCache::NOT_FOUND", from_str_fn(parse_missing))]
    missing: MissingCache,

    /// the reply to a dry run of a missing cache: not-found or accepted (default: as the DELETE)
    #[argh(option, arg_name = "kind", from_str_fn(parse_missing_dry_run))]
    missing_dry_run: Option<MissingDryRun>,

    /// how many requests may pass in a second; the others get a gateway's page with status 503
    #[argh(option, arg_name = "n")]
    rate: Option<f64>,

    /// how many requests more may pass at once (default 0)
    #[argh(option, arg_name = "n", default = "0")]
    burst: u32,

    /// refuse requests over the rate by Connect's 429 with Retry-After
    #[argh(switch)]
    limited_by_connect: bool,

    /// content items as NUMBER,R-VERSION,PYTHON-VERSION, in which a version may be empty; repeatable
    #[argh(option, arg_name = "items", from_str_fn(parse_content))]
    content: Vec<Content>,

    /// how long a deletion takes, decimals allowed (default 0)
    #[argh(option, arg_name = "secs", default = "Duration::ZERO", from_str_fn(parse_seconds))]
    task_seconds: Duration,

    /// how many lines of output a deletion writes (default 2)
    #[argh(option, arg_name = "n", default = "2")]
    lines: usize,

    /// let deletions succeed but remove no cache, so that the same one can be deleted again
    #[argh(switch)]
    keep: bool,

    /// a cache whose deletion fails; repeatable
    #[argh(option, arg_name = "cache", from_str_fn(parse_cache))]
    fail: Vec<Cache>,

    /// how many nodes, each of which knows only its own tasks (default 1)
    #[argh(option, arg_name = "n", default = "1")]
    nodes: usize,

    /// one more address in front of the nodes, which keeps a client at its node by a cookie
    #[argh(switch)]
    balancer: bool,

    /// serve https by an authority made on the spot, whose ca.pem is written to this directory
    #[argh(option, arg_name = "dir")]
    tls: Option<PathBuf>,

    /// serve https with this certificate chain
    #[argh(option, arg_name = "file")]
    cert: Option<PathBuf>,

    /// the certificate's private key
    #[argh(option, arg_name = "file")]
    key: Option<PathBuf>,

    /// answer at once, however long a client asks to wait for a task
    #[argh(switch)]
    ignore_wait: bool,

    /// a Connect from before 2023.05, without runtime cache endpoints
    #[argh(switch)]
    old: bool,

    /// refuse runtime cache management
    #[argh(switch)]
    management_disabled: bool,

    /// append each request to this file, as one line of JSON
    #[argh(option, arg_name = "file")]
    requests: Option<PathBuf>,

    /// write the server's URL and those of its nodes to this file, once it listens
    #[argh(option, arg_name = "file")]
    ready: Option<PathBuf>,
}

fn parse_cache(words: &str) -> Result<Cache, String> {
    match words.split(',').collect::<Vec<_>>()[..] {
        [language, version, image] => Ok(Cache::new(language, version, image)),
        _ => Err("a cache is given as LANG,VERSION,IMAGE".into()),
    }
}

fn parse_content(words: &str) -> Result<Content, String> {
    let version = |text: &str| (!text.is_empty()).then(|| text.to_string());
    match words.split(',').collect::<Vec<_>>()[..] {
        [number, r, python] => {
            let items = number.parse().map_err(|_| "no number of items".to_string())?;
            Ok(Content { items, r_version: version(r), py_version: version(python) })
        }
        _ => Err("content is given as NUMBER,R-VERSION,PYTHON-VERSION".into()),
    }
}

fn parse_missing(kind: &str) -> Result<MissingCache, String> {
    match kind {
        "not-found" => Ok(MissingCache::NOT_FOUND),
        "task-fails" => Ok(MissingCache::TASK_FAILS),
        "task-succeeds" => Ok(MissingCache::TASK_SUCCEEDS),
        _ => Err("expected not-found, task-fails or task-succeeds".into()),
    }
}

fn parse_missing_dry_run(kind: &str) -> Result<MissingDryRun, String> {
    match kind {
        "not-found" => Ok(MissingDryRun::NotFound),
        "accepted" => Ok(MissingDryRun::Accepted),
        _ => Err("expected not-found or accepted".into()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    let options: Options = argh::from_env();
    let (ready, nodes) = (options.ready.clone(), options.nodes.max(1));
    let server = Server::try_start(config(options)?)?;

    let mut urls = vec![server.url()];
    urls.extend((0..nodes).map(|node| server.node_url(node)));
    println!("{}", urls[0]);
    for User { key, username, role, locked, .. } in server.users() {
        let locked = if *locked { ", locked" } else { "" };
        println!("{key} ({username}, {}{locked})", role.as_str());
    }
    if let Some(file) = ready {
        write_whole(&file, &(urls.join("\n") + "\n"))?;
    }
    loop {
        thread::park();
    }
}

fn config(options: Options) -> Result<Config, Box<dyn Error>> {
    let dry_run = options.missing_dry_run.unwrap_or(options.missing.dry_run);
    let failure = Plan {
        duration: options.task_seconds,
        ..Plan::failing(1, "Failed to delete runtime cache: permission denied")
    };
    let mut config = Config::default()
        .listen(options.listen)
        .prefix(options.prefix)
        .unlisted(options.unlisted)
        .missing_cache(MissingCache { dry_run, ..options.missing })
        .plan(Plan {
            lines: lines(options.lines),
            effect: if options.keep { Effect::Never } else { Effect::OnSuccess },
            ..Plan::lasting(options.task_seconds)
        })
        .plans(options.fail.into_iter().map(|cache| (cache, failure.clone())))
        .polls(Polls { ignore_wait: options.ignore_wait, ..Polls::default() })
        .cluster(Cluster { nodes: options.nodes, balancer: options.balancer })
        .scripts(Scripts { control: true, log: options.requests });
    if !options.cache.is_empty() {
        config = config.caches(options.cache);
    }
    if !options.content.is_empty() {
        config = config.content(options.content);
    }
    if let Some(rate) = options.rate {
        let limit =
            if options.limited_by_connect { RateLimit::connect(rate) } else { RateLimit::gateway(rate) };
        config = config.rate_limit(limit.burst(options.burst));
    }
    if options.management_disabled {
        config = config.management(Management::Disabled);
    }
    if options.old {
        config = config.management(Management::Missing);
    }
    if let Some(identity) = identity(options.tls.as_deref(), options.cert, options.key)? {
        config = config.tls(identity);
    }
    Ok(config)
}

/// Returns an output of this many lines, at least the two that Connect writes.
fn lines(count: usize) -> Vec<String> {
    let mut lines = Plan::default().lines;
    let more = (2..count).map(|number| format!("Deleted file {number} of the runtime cache"));
    lines.splice(1..1, more);
    lines
}

fn identity(
    tls: Option<&Path>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<Identity>, Box<dyn Error>> {
    match (tls, cert, key) {
        (None, None, None) => Ok(None),
        (Some(dir), None, None) => {
            let ca = Ca::new();
            fs::create_dir_all(dir)?;
            write_whole(&dir.join("ca.pem"), &ca.pem())?;
            Ok(Some(ca.issue(&Leaf::default())))
        }
        (None, Some(cert), Some(key)) => {
            Ok(Some(Identity { cert_pem: fs::read_to_string(cert)?, key_pem: fs::read_to_string(key)? }))
        }
        _ => Err("--tls goes alone, --cert and --key go together".into()),
    }
}

/// Writes a file that others wait for, so that they see either no file or all of it.
fn write_whole(file: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)?;
    fs::rename(&part, file)?;
    Ok(())
}
