//! The configuration of a server.

use std::io;
use std::path::PathBuf;

use crate::{
    Cache, Content, Fault, Images, Installations, MissingCache, OtherClient, Plan, RateLimit, Role, Server,
    Settings, User, pki::Identity,
};

/// The configuration of a server. Everything has a default, so a test says only what it is about:
///
/// ```
/// use connect_test_server::{Config, MissingCache, Server};
/// let server = Server::start(
///     Config::default().caches(["R 4.3.0 Local", "R 4.2.0 Local"]).missing_cache(MissingCache::TASK_FAILS),
/// );
/// let server = Server::builder().prefix("/connect").start();
/// assert!(server.url().ends_with("/connect"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration starts no server"]
pub struct Config {
    pub(crate) listen: String,
    pub(crate) prefix: String,
    pub(crate) caches: Vec<Cache>,
    pub(crate) unlisted: Vec<Cache>,
    pub(crate) missing_cache: MissingCache,
    pub(crate) images: Images,
    pub(crate) list: List,
    pub(crate) plan: Plan,
    pub(crate) plans: Vec<(Cache, Plan)>,
    pub(crate) polls: Polls,
    pub(crate) replies: Replies,
    pub(crate) users: Vec<User>,
    pub(crate) management: Management,
    pub(crate) settings: Settings,
    pub(crate) installations_r: Installations,
    pub(crate) installations_python: Installations,
    pub(crate) content: Vec<Content>,
    pub(crate) cluster: Cluster,
    pub(crate) tls: Option<Tls>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) other_clients: Vec<OtherClient>,
    pub(crate) scripts: Scripts,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: "127.0.0.1:0".into(),
            prefix: String::new(),
            caches: vec!["R 4.3.0 Local".into(), "Python 3.7.6 Local".into()],
            unlisted: Vec::new(),
            missing_cache: MissingCache::default(),
            images: Images::default(),
            list: List::default(),
            plan: Plan::default(),
            plans: Vec::new(),
            polls: Polls::default(),
            replies: Replies::default(),
            users: vec![
                User::new("admin-key", "admin", Role::Administrator),
                User::new("publisher-key", "pat", Role::Publisher),
                User::new("viewer-key", "vic", Role::Viewer),
                User::new("locked-key", "lou", Role::Administrator).locked(),
            ],
            management: Management::default(),
            settings: Settings::default(),
            installations_r: Installations::local("4.3.0"),
            installations_python: Installations::local("3.7.6"),
            content: vec![Content::items(1).r("4.3.0"), Content::items(1).python("3.7.6")],
            cluster: Cluster::default(),
            tls: None,
            rate_limit: None,
            faults: Vec::new(),
            other_clients: Vec::new(),
            scripts: Scripts::default(),
        }
    }
}

impl Config {
    /// Starts a server with this configuration.
    ///
    /// # Panics
    ///
    /// If [`Server::try_start`] fails.
    pub fn start(self) -> Server {
        Server::start(self)
    }

    /// Starts a server with this configuration, if that is possible.
    ///
    /// # Errors
    ///
    /// Those of [`Server::try_start`].
    pub fn try_start(self) -> io::Result<Server> {
        Server::try_start(self)
    }

    /// Sets the address of [`Server::url`], port 0 for a free one (default `127.0.0.1:0`). Other nodes get free
    /// ports of the same host.
    pub fn listen(self, address: impl Into<String>) -> Config {
        Config { listen: address.into(), ..self }
    }

    /// Serves everything under a path such as `/connect`. To other paths the server replies as a plain web server
    /// does, with an HTML 404.
    pub fn prefix(self, path: impl Into<String>) -> Config {
        Config { prefix: path.into(), ..self }
    }

    /// Sets the runtime caches at the start, with the literal names of their images (default `R 4.3.0 Local` and
    /// `Python 3.7.6 Local`).
    pub fn caches<C: Into<Cache>>(self, caches: impl IntoIterator<Item = C>) -> Config {
        Config { caches: all(caches), ..self }
    }

    /// Sets no runtime caches.
    pub fn without_caches(self) -> Config {
        self.caches([] as [Cache; 0])
    }

    /// Sets more caches, which can be deleted like any other, but are not in the list. This requires that
    /// [dry runs tell](MissingCache::dry_run_tells) whether a cache exists: other servers list every cache.
    pub fn unlisted<C: Into<Cache>>(self, caches: impl IntoIterator<Item = C>) -> Config {
        Config { unlisted: all(caches), ..self }
    }

    /// Sets what a DELETE and a dry run of a cache that does not exist get.
    pub fn missing_cache(self, missing_cache: MissingCache) -> Config {
        Config { missing_cache, ..self }
    }

    /// Sets how the names of images are spelled.
    pub fn images(self, images: Images) -> Config {
        Config { images, ..self }
    }

    /// Sets the form of the list.
    pub fn list(self, list: List) -> Config {
        Config { list, ..self }
    }

    /// Sets the plan for deletions.
    pub fn plan(self, plan: Plan) -> Config {
        Config { plan, ..self }
    }

    /// Adds a plan for the deletions of one cache.
    pub fn plan_for(self, cache: impl Into<Cache>, plan: Plan) -> Config {
        self.plans([(cache, plan)])
    }

    /// Adds plans for the deletions of certain caches.
    pub fn plans<C: Into<Cache>>(mut self, plans: impl IntoIterator<Item = (C, Plan)>) -> Config {
        self.plans.extend(plans.into_iter().map(|(cache, plan)| (cache.into(), plan)));
        self
    }

    /// Sets how polls are answered.
    pub fn polls(self, polls: Polls) -> Config {
        Config { polls, ..self }
    }

    /// Sets what replies have in common.
    pub fn replies(self, replies: Replies) -> Config {
        Config { replies, ..self }
    }

    /// Sets the users (default `admin-key`, that of the administrator `admin`, `publisher-key` of the publisher
    /// `pat`, `viewer-key` of the viewer `vic`, and `locked-key` of a locked user).
    pub fn users(self, users: impl IntoIterator<Item = User>) -> Config {
        Config { users: users.into_iter().collect(), ..self }
    }

    /// Adds a user.
    pub fn user(mut self, user: User) -> Config {
        self.users.push(user);
        self
    }

    /// Sets whether the runtime cache endpoints can be used.
    pub fn management(self, management: Management) -> Config {
        Config { management, ..self }
    }

    /// Sets the reply of `server_settings`.
    pub fn settings(self, settings: Settings) -> Config {
        Config { settings, ..self }
    }

    /// Sets the reply of `v1/server_settings/r` (default R 4.3.0, run natively).
    pub fn installations_r(self, installations: impl Into<Installations>) -> Config {
        Config { installations_r: installations.into(), ..self }
    }

    /// Sets the reply of `v1/server_settings/python` (default Python 3.7.6, run natively).
    pub fn installations_python(self, installations: impl Into<Installations>) -> Config {
        Config { installations_python: installations.into(), ..self }
    }

    /// Sets the content items that `v1/content` lists to administrators (default one of R 4.3.0 and one of Python
    /// 3.7.6). Others see none.
    pub fn content(self, content: impl IntoIterator<Item = Content>) -> Config {
        Config { content: content.into_iter().collect(), ..self }
    }

    /// Sets the nodes.
    pub fn cluster(self, cluster: Cluster) -> Config {
        Config { cluster, ..self }
    }

    /// Serves https with this certificate and key.
    pub fn tls(self, tls: impl Into<Tls>) -> Config {
        Config { tls: Some(tls.into()), ..self }
    }

    /// Limits the rate of requests.
    pub fn rate_limit(self, limit: RateLimit) -> Config {
        Config { rate_limit: Some(limit), ..self }
    }

    /// Adds a fault.
    pub fn fault(mut self, fault: Fault) -> Config {
        self.faults.push(fault);
        self
    }

    /// Adds another client, which creates or deletes a cache at the moment of a request.
    pub fn other_client(mut self, client: OtherClient) -> Config {
        self.other_clients.push(client);
        self
    }

    /// Sets what scripts in other languages use to control the server.
    pub fn scripts(self, scripts: Scripts) -> Config {
        Config { scripts, ..self }
    }

    /// Rejects settings that no real server combines.
    pub(crate) fn validate(&self) -> io::Result<()> {
        if self.unlisted.is_empty() || self.missing_cache.dry_run_tells() {
            return Ok(());
        }
        let text = "unlisted caches require a dry run that tells: other servers list every cache";
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// Returns the plan for the deletion of a cache.
    pub fn plan_of(&self, cache: &Cache) -> &Plan {
        let own = self.plans.iter().find(|(other, _)| other == cache);
        own.map_or(&self.plan, |(_, plan)| plan)
    }
}

fn all<C: Into<Cache>>(caches: impl IntoIterator<Item = C>) -> Vec<Cache> {
    caches.into_iter().map(Into::into).collect()
}

/// The form of the list of caches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct List {
    /// Answer by `{"caches":null}` if there are no caches.
    pub null_if_empty: bool,
    /// Repeat all rows after the last one.
    pub rows_twice: bool,
}

/// How polls of tasks are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Polls {
    /// Answer at once, whatever `wait` says.
    pub ignore_wait: bool,
    /// The reply about a task that the node does not know.
    pub lost_lookup: LostLookup,
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

/// What replies have in common.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replies {
    /// Send this as `X-Deprecated-Endpoint` with every reply of the API.
    pub deprecated: Option<String>,
    /// Reply to a deletion with the `task_id` only.
    pub minimal_delete: bool,
    /// Close the connection after each reply.
    pub close_connections: bool,
}

/// Whether the runtime cache endpoints can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Management {
    /// Yes.
    #[default]
    Enabled,
    /// No: code 194.
    Disabled,
    /// There are none, as in a Connect before 2023.05: 404 with code 2.
    Missing,
}

/// The nodes of a server: each knows only its own tasks, all share the caches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// How many there are.
    pub nodes: usize,
    /// One more address, that of [`Server::url`], in front of the nodes. It picks the node by the cookie
    /// `route=node<N>`; without one the nodes take turns, and the reply sets the cookie.
    pub balancer: bool,
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster { nodes: 1, balancer: false }
    }
}

/// The certificates of an https server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tls {
    /// The server's certificate and key.
    pub identity: Identity,
    /// Require a client certificate that this authority (PEM) issued.
    pub client_ca: Option<String>,
}

impl From<Identity> for Tls {
    fn from(identity: Identity) -> Tls {
        Tls { identity, client_ca: None }
    }
}

/// What scripts in other languages use to control the server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scripts {
    /// Serve `/__control__/`.
    pub control: bool,
    /// Append each request to this file, as one line of JSON.
    pub log: Option<PathBuf>,
}
