//! The configuration of a server: its settings, its caches, its users, and the course of deletions.

use std::io;
use std::path::PathBuf;

use crate::{Echo, MissingCache, Plan, Role, Sanitizer, User, pki};

/// The settings of a server. Every field has a default, so a test sets only those that it is about:
///
/// ```
/// use connect_test_server::{Config, Server};
/// let server = Server::start(Config { prefix: "/connect".into(), ..Config::default() });
/// assert!(server.url().ends_with("/connect"));
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of [`Server::url`](crate::Server::url), port 0 for a free one. Other nodes get
    /// free ports of the same host.
    pub listen: String,
    /// `""`, or a path such as `/connect` under which everything is served. To other paths the server
    /// replies as a plain web server does, with an HTML 404.
    pub prefix: String,
    /// The runtime caches at the start, with the literal names of their images.
    pub caches: Vec<Cache>,
    /// Keep these caches too, which can be deleted like any other, but leave them out of the list.
    /// Only with [`MissingCache::NotFound`]: servers of the other kinds list every cache.
    pub unlisted: Vec<Cache>,
    /// Answer a DELETE or a dry run of a cache that does not exist in this way.
    pub missing_cache: MissingCache,
    /// Sanitize the images of the list by this rule. A deletion may name an image by its sanitized
    /// or its literal name.
    pub sanitizer: Sanitizer,
    /// Spell images this way in replies to deletions and dry runs.
    pub echo: Echo,
    /// The users. By default `admin-key` (administrator `admin`), `publisher-key` (publisher
    /// `pat`), `viewer-key` (viewer `vic`) and `locked-key` (a locked user).
    pub users: Vec<User>,
    /// The plan for deletions.
    pub plan: Plan,
    /// Other plans for the deletions of certain caches.
    pub plans: Vec<(Cache, Plan)>,
    /// Serve https with this certificate and key.
    pub tls: Option<pki::Identity>,
    /// Require a client certificate that this authority (PEM) issued.
    pub client_ca: Option<String>,
    /// How many nodes: each knows only its own tasks, all share the caches.
    pub nodes: usize,
    /// One more address, that of [`Server::url`](crate::Server::url), in front of the nodes. It
    /// picks the node by the cookie `route=node<N>`; without one the nodes take turns, and the
    /// reply sets the cookie.
    pub balancer: bool,
    /// The version in the reply of `/__api__/server_settings`; `None` hides it.
    pub version: Option<String>,
    /// Show the version only to requests with a valid key.
    pub hide_version_without_key: bool,
    /// Refuse cache management with code 194.
    pub management_disabled: bool,
    /// Act as a Connect before 2023.05, which has no runtime cache endpoints: 404 with code 2.
    pub old: bool,
    /// Answer polls at once, whatever `wait` says.
    pub ignore_wait: bool,
    /// Answer a poll of an unknown task by this code.
    pub lost_lookup: LostLookup,
    /// Answer the list by `{"caches":null}` when it would be empty.
    pub null_list: bool,
    /// Repeat all rows of the list after the last one.
    pub list_twice: bool,
    /// Include `enable_runtime_cache_management` with this value in `server_settings`, whatever
    /// [`management_disabled`](Config::management_disabled) says; `None` omits it.
    pub enable_runtime_cache_management: Option<bool>,
    /// Include `execution_type` in `server_settings`: `native`, `launcher-local` or
    /// `launcher-kubernetes`; `None` omits it.
    pub execution_type: Option<String>,
    /// The reply of `v1/server_settings/r`.
    pub installations_r: Installations,
    /// The reply of `v1/server_settings/python`.
    pub installations_python: Installations,
    /// The content items that `v1/content` lists to administrators; others see none. Each entry is a number
    /// of items and the versions of R and Python that they use; `""` is null.
    pub content: Vec<(usize, String, String)>,
    /// Send this as `X-Deprecated-Endpoint` with every reply of the API.
    pub deprecated: Option<String>,
    /// Reply to a deletion with the `task_id` only.
    pub minimal_delete_reply: bool,
    /// Close the connection after each reply.
    pub close_connections: bool,
    /// Serve `/__control__/`, through which scripts in other languages control the server.
    pub control: bool,
    /// Append each request to this file, as one line of JSON.
    pub log: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: "127.0.0.1:0".into(),
            prefix: String::new(),
            caches: vec![Cache::new("R", "4.3.0", "Local"), Cache::new("Python", "3.7.6", "Local")],
            unlisted: Vec::new(),
            missing_cache: MissingCache::default(),
            sanitizer: Sanitizer::default(),
            echo: Echo::default(),
            users: vec![
                User::new("admin-key", "admin", Role::Administrator),
                User::new("publisher-key", "pat", Role::Publisher),
                User::new("viewer-key", "vic", Role::Viewer),
                User::new("locked-key", "lou", Role::Administrator).locked(),
            ],
            plan: Plan::default(),
            plans: Vec::new(),
            tls: None,
            client_ca: None,
            nodes: 1,
            balancer: false,
            version: Some("2026.09.0".into()),
            hide_version_without_key: false,
            management_disabled: false,
            old: false,
            ignore_wait: false,
            lost_lookup: LostLookup::default(),
            null_list: false,
            list_twice: false,
            enable_runtime_cache_management: None,
            execution_type: None,
            installations_r: Installations::local("4.3.0"),
            installations_python: Installations::local("3.7.6"),
            content: vec![(1, "4.3.0".into(), String::new()), (1, String::new(), "3.7.6".into())],
            deprecated: None,
            minimal_delete_reply: false,
            close_connections: false,
            control: false,
            log: None,
        }
    }
}

impl Config {
    /// Rejects settings that no real server combines.
    pub(crate) fn validate(&self) -> io::Result<()> {
        if self.unlisted.is_empty() || self.missing_cache.has_conclusive_dry_runs() {
            return Ok(());
        }
        let text =
            "unlisted caches require MissingCache::NotFound: servers of the other kinds list every cache";
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

/// A runtime cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    /// `R` or `Python`.
    pub language: String,
    /// A version of three parts.
    pub version: String,
    /// `Local`, or the literal name of an off-host image.
    pub image_name: String,
}

impl Cache {
    /// Returns the cache of a language, its version and an image.
    pub fn new(
        language: impl Into<String>,
        version: impl Into<String>,
        image_name: impl Into<String>,
    ) -> Cache {
        Cache { language: language.into(), version: version.into(), image_name: image_name.into() }
    }

    /// Reports whether a request for this language, version and image names this cache: the image by its
    /// literal name, or as the list shows it.
    pub(crate) fn is(&self, language: &str, version: &str, image_name: &str, sanitizer: Sanitizer) -> bool {
        self.language.eq_ignore_ascii_case(language)
            && self.version == version
            && (self.image_name == image_name || sanitizer.sanitize(&self.image_name) == image_name)
    }
}

/// The reply to a poll of a task that the node does not know. Its status is 404.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LostLookup {
    /// Answer by code 141, which explains that load balancers need sticky sessions.
    #[default]
    Code141,
    /// Answer by code 4, "The requested object does not exist."
    Code4,
}

/// The reply of `v1/server_settings/r` or `/python`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Installations {
    /// `version`, `cluster_name` and `image_name` of each.
    Listed(Vec<(String, String, String)>),
    /// The server has no such endpoint: 404 with code 2.
    Missing,
}

impl Installations {
    /// Returns the list of one version, which runs natively.
    pub fn local(version: &str) -> Installations {
        Installations::Listed(vec![(version.into(), "Local".into(), "Local".into())])
    }
}
