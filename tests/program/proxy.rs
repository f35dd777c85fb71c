//! HTTP proxies: which one is selected, the requests that it receives, and the errors if it fails.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use connect_test_server::pki::Ca;
use connect_test_server::{Config, Plan, Server};

use crate::support::{self, Program, caches, server_over_tls};

const CACHES: &str = "Python  3.7.6  Local\nR       4.3.0  Local\n";
/// The credentials `us er:p@ss:w%rd`, as a header contains them, and as a URL does.
const BASIC: &str = "Basic dXMgZXI6cEBzczp3JXJk";
const USER_INFO: &str = "us%20er:p%40ss:w%25rd";

/// A forward proxy that records its requests.
struct Proxy {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    requests: Vec<Head>,
}

/// The first line of a request or a reply, and its headers, with names in lower case.
#[derive(Clone, Debug)]
struct Head {
    line: String,
    headers: Vec<(String, String)>,
}

impl Head {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The clients that the proxy accepts.
#[derive(Clone, Copy)]
enum Accepts {
    All,
    WithCredentials,
    /// None: every request gets this status.
    Nobody(u16),
}

impl Proxy {
    fn start(lets: Accepts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, log) = (listener.local_addr().unwrap(), Arc::<Mutex<Log>>::default());
        let proxy = Self { address, log: log.clone() };
        // These threads end with the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                log.lock().unwrap().connections += 1;
                let log = log.clone();
                thread::spawn(move || serve(&client, lets, &log));
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn url_with(&self, user_info: &str) -> String {
        format!("http://{user_info}@{}", self.address)
    }

    fn requests(&self) -> Vec<Head> {
        self.log.lock().unwrap().requests.clone()
    }

    fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }
}

fn serve(client: &TcpStream, lets: Accepts, log: &Mutex<Log>) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut server: Option<TcpStream> = None;
    while let Some(request) = read_head(&mut reader)? {
        log.lock().unwrap().requests.push(request.clone());
        let authorized = request.header("proxy-authorization") == Some(BASIC);
        let refusal = match lets {
            Accepts::WithCredentials if !authorized => Some(407),
            Accepts::Nobody(status) => Some(status),
            _ => None,
        };
        let mut body = vec![0; length(&request)];
        reader.read_exact(&mut body)?;
        if let Some(status) = refusal {
            let page = "<html>squid says no</html>";
            let head = format!("HTTP/1.1 {status} No\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            (&*client).write_all(head.as_bytes())?;
            continue;
        }
        let words: Vec<&str> = request.line.split(' ').collect();
        let [method, target, version] = words[..] else { return Ok(()) };
        if method == "CONNECT" {
            let upstream = TcpStream::connect(resolved(target))?;
            (&*client).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            return tunnel(client, &upstream);
        }
        let Some(rest) = target.strip_prefix("http://") else { return Ok(()) };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let upstream = match &server {
            Some(upstream) => upstream,
            None => server.insert(TcpStream::connect(resolved(authority))?),
        };
        let mut head = format!("{method} {path} {version}\r\n");
        for (name, value) in request.headers.iter().filter(|(name, _)| name != "proxy-authorization") {
            head += &format!("{name}: {value}\r\n");
        }
        let mut upstream = upstream;
        upstream.write_all(&[head.as_bytes(), b"\r\n", &body].concat())?;
        let mut replies = BufReader::new(upstream);
        let Some(reply) = read_head(&mut replies)? else { return Ok(()) };
        let mut body = vec![0; length(&reply)];
        replies.read_exact(&mut body)?;
        let mut head = format!("{}\r\n", reply.line);
        for (name, value) in &reply.headers {
            head += &format!("{name}: {value}\r\n");
        }
        (&*client).write_all(&[head.as_bytes(), b"\r\n", &body].concat())?;
    }
    Ok(())
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Ok(Some(Head { line: lines[0].clone(), headers }))
}

fn length(message: &Head) -> usize {
    message.header("content-length").map_or(0, |length| length.parse().unwrap())
}

/// A host name that only the test's proxies resolve, since the program contacts loopback addresses directly.
pub const NAME: &str = "connect.test";

fn resolved(authority: &str) -> String {
    authority.replace(NAME, "127.0.0.1")
}

/// Returns the server's URL with the host name that only proxies resolve.
pub fn named(server: &Server) -> String {
    server.url().replace("127.0.0.1", NAME)
}

/// Returns the program, configured for a server with that name. `-q` hides the warning about plain http.
fn connect_cache(server: &Server) -> Program {
    support::connect_cache(server).env("CONNECT_SERVER", named(server)).words("-q")
}

/// Copies bytes in both directions until both streams have ended.
pub fn tunnel(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, server));
        copy(server, client);
    });
    Ok(())
}

/// The URL of a proxy that does not listen.
const UNREACHABLE: &str = "http://127.0.0.1:1";

fn list(server: &Server) -> Program {
    connect_cache(server).words("list")
}

#[test]
fn sends_https_through_a_tunnel() {
    let ca = Ca::new();
    let plan = Plan::lasting(Duration::from_millis(1200));
    let server = server_over_tls(&ca, Config::default().plan(plan));
    let proxy = Proxy::start(Accepts::All);
    let program = connect_cache(&server).trusting(&ca).env("HTTPS_PROXY", proxy.url());
    program.words("delete -l R -V 4.3.0").run().exits(0);
    // There is one tunnel with one connection, and the key is not sent outside of it.
    let requests = proxy.requests();
    let authority = named(&server).replace("https://", "");
    assert_eq!(requests.len(), 1, "{requests:?}");
    let request = &requests[0];
    assert_eq!(request.line, format!("CONNECT {authority} HTTP/1.1"));
    assert_eq!(request.header("host"), Some(authority.as_str()));
    assert_eq!((request.header("authorization"), request.header("proxy-authorization")), (None, None));
    assert_eq!((proxy.connections(), server.connections()), (1, 1));
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn sends_plain_http_in_absolute_form_over_one_connection() {
    let plan = Plan::lasting(Duration::from_millis(1200));
    let server = Server::builder().prefix("/rsc").plan(plan).start();
    let proxy = Proxy::start(Accepts::All);
    let program = connect_cache(&server).env("http_proxy", proxy.url());
    program.words("delete -l R -V 4.3.0").run().exits(0);
    let requests = proxy.requests();
    assert!(requests.len() >= 4, "{requests:?}");
    assert_eq!(requests.len(), server.requests().len());
    let base = format!("{}/__api__/v1", named(&server));
    assert_eq!(requests[0].line, format!("GET {base}/system/caches/runtime HTTP/1.1"));
    assert_eq!(requests[1].line, format!("DELETE {base}/system/caches/runtime HTTP/1.1"));
    assert!(requests[2].line.starts_with(&format!("GET {base}/tasks/")), "{requests:?}");
    let host = named(&server).replace("http://", "").replace("/rsc", "");
    for request in &requests {
        assert_eq!(request.header("host"), Some(host.as_str()));
        assert_eq!(request.header("authorization"), Some("Key admin-key"));
        assert_eq!(request.header("proxy-authorization"), None);
    }
    assert_eq!((proxy.connections(), server.connections()), (1, 1));
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}

#[test]
fn lets_the_proxy_resolve_the_name() {
    let proxy = Proxy::start(Accepts::Nobody(502));
    for (server, variable) in
        [("http://connect.invalid:3939", "http_proxy"), ("https://connect.invalid", "https_proxy")]
    {
        let program = Program::new().env("CONNECT_API_KEY", "x").env(variable, proxy.url());
        program.words("list --retries 0 -s").arg(server).run().exits(6).never_says("cannot resolve");
    }
    assert!(proxy.requests()[0].line.starts_with("GET http://connect.invalid:3939/__api__/"));
    assert!(proxy.requests()[1].line.starts_with("CONNECT connect.invalid:443 "));
}

#[test]
fn sends_decoded_credentials_without_showing_them() {
    let ca = Ca::new();
    let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
    let proxy = Proxy::start(Accepts::WithCredentials);
    for server in [&tls, &plain] {
        let run = |user_info: &str| {
            let program = support::connect_cache(server).env("CONNECT_SERVER", named(server));
            let program = program.trusting(&ca).env("ALL_PROXY", proxy.url_with(user_info));
            let ran = program.words("list -vv --retries 0").run().says("> GET ");
            ran.never_says("w%rd")
                .never_says("w%25rd")
                .never_says("dXMg")
                .never_says("us er")
                .never_says("wrong")
        };
        run(USER_INFO).exits(0).prints(CACHES);
        let before = server.requests().len();
        let ran = run("us%20er:wrong").exits(6).says("failed: HTTP 407");
        ran.says("the proxy rejected the user name and password in its URL");
        assert_eq!(server.requests().len(), before);
    }
    let with = proxy.requests().iter().filter(|a| a.header("proxy-authorization") == Some(BASIC)).count();
    assert_eq!((with, proxy.requests().len()), (2, 4));
    // The server receives no credentials of the proxy.
    let seen = tls.requests().into_iter().chain(plain.requests());
    assert!(seen.into_iter().all(|request| request.header("proxy-authorization").is_none()));
}

#[test]
fn reports_a_proxy_that_refuses() {
    let ca = Ca::new();
    let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
    for (status, lets) in
        [(403, Accepts::Nobody(403)), (407, Accepts::WithCredentials), (502, Accepts::Nobody(502))]
    {
        let proxy = Proxy::start(lets);
        let ran = list(&tls).trusting(&ca).env("HTTPS_PROXY", proxy.url()).words("--retries 0").run();
        ran.exits(6)
            .prints("")
            .fails_with(&format!("connection through proxy {} failed", proxy.url()))
            .fails_with(&status.to_string())
            .fails_with(if status == 407 { "the proxy requires credentials" } else { "NO_PROXY" });
        // Nothing was sent, so a deletion is not in doubt.
        let program = connect_cache(&tls).trusting(&ca).env("HTTPS_PROXY", proxy.url());
        let ran = program.words("delete -l R -V 4.3.0 --retries 0").run().exits(6);
        ran.says("failed").never_says("dry run");
        let program = connect_cache(&tls).trusting(&ca).env("HTTPS_PROXY", proxy.url());
        let ran = program.words("delete -l R -V 4.3.0 --retries 0 --json").run().exits(6);
        assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
        assert_eq!(proxy.requests().len(), 3);
    }
    let proxy = Proxy::start(Accepts::WithCredentials);
    // A proxy that takes requests in absolute form refuses the request itself.
    let program = connect_cache(&plain).env("HTTP_PROXY", proxy.url());
    let ran = program.words("delete -l R -V 4.3.0 --json").run().exits(6);
    assert_eq!(ran.json()["status"], "refused", "{ran:#?}");
    let ran = list(&plain).env("HTTP_PROXY", proxy.url()).words("--retries 0").run().exits(6).prints("");
    ran.fails_with("HTTP 407").fails_with(
        "; the proxy requires credentials; specify it as SCHEME://USER:PASSWORD@HOST:PORT in HTTPS_PROXY, HTTP_PROXY or \
         ALL_PROXY",
    );
    assert_eq!((tls.connections(), plain.connections()), (0, 0));
}

#[test]
fn sends_refused_credentials_once() {
    let ca = Ca::new();
    let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
    for server in [&tls, &plain] {
        for words in ["list", "delete -l R -V 4.3.0", "purge --all -y", "task abc --wait", "check"] {
            let proxy = Proxy::start(Accepts::WithCredentials);
            let program = connect_cache(server).trusting(&ca).words(words);
            let ran = program.env("ALL_PROXY", proxy.url_with("us%20er:wrong")).run().exits(6);
            let ran = ran.says("HTTP 407; the proxy rejected the user name and password in its URL");
            ran.never_says("retrying").never_says("wrong");
            assert_eq!(proxy.requests().len(), 1, "{words}");
        }
    }
    assert_eq!((tls.connections(), plain.connections()), (0, 0));
}

#[test]
fn reports_an_unreachable_proxy() {
    let (tls, plain) = (server_over_tls(&Ca::new(), Config::default()), Server::start(Config::default()));
    for server in [&tls, &plain] {
        let ran = list(server).env("ALL_PROXY", UNREACHABLE).words("--retries 0").run().exits(6).prints("");
        ran.fails_with(&format!("connection through proxy {UNREACHABLE} failed")).fails_with("HTTPS_PROXY");
        let program = list(server).env("ALL_PROXY", "http://proxy.invalid:3128").words("--retries 0");
        let ran = program.run().exits(6).fails_with("connection through proxy http://proxy.invalid:3128");
        ran.fails_with("cannot resolve its host name").fails_with("HTTPS_PROXY");
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn rejects_an_unusable_proxy_without_a_direct_connection() {
    let (tls, plain) = (server_over_tls(&Ca::new(), Config::default()), Server::start(Config::default()));
    for (value, says) in [
        ("SOCKS4://127.0.0.1:1080", "has a scheme other than http://, socks5:// and socks5h://"),
        ("socks4a://u:hunter2@127.0.0.1:1080", "has a scheme other than"),
        ("https://127.0.0.1:3128", "has a scheme other than"),
        ("ftp://127.0.0.1", "has a scheme other than"),
        ("socks5h://u:hunter2@127.0.0.1:1080/x", "has an invalid URL"),
        ("http://", "has an invalid URL"),
        ("http://hunter2@127.0.0.1:99999", "has an invalid URL"),
        ("http://127.0.0.1:x", "has an invalid URL"),
        ("http://u:hunter2%zz@127.0.0.1:1", "has an invalid URL"),
        ("http://127.0.0.1:1/hunter2", "has an invalid URL"),
        ("user:hunter2@:3128", "has an invalid URL"),
        ("http://hunter2@127.0.0.1:1", "has no password"),
        ("http://hunter2:@127.0.0.1:1", "has no password"),
        ("socks5://hunter2@127.0.0.1:1", "has no password"),
        ("socks5h://hunter2:@127.0.0.1:1", "has no password"),
        ("socks5h://:hunter2@127.0.0.1:1", "has an invalid URL"),
    ] {
        for (server, variables) in
            [(&tls, ["https_proxy", "ALL_PROXY"]), (&plain, ["HTTP_PROXY", "all_proxy"])]
        {
            for variable in variables {
                let ran = list(server).env(variable, value).run().exits(2).prints("").fails_with(says);
                ran.fails_with(variable).never_says("hunter2");
            }
        }
    }
    assert_eq!((tls.connections(), plain.connections()), (0, 0));
}

#[test]
fn selects_the_proxy_by_scheme_and_prefers_lower_case() {
    let ca = Ca::new();
    let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
    let good = Proxy::start(Accepts::All);
    let url = good.url();
    let bare = url.replace("http://", "");
    for (server, variables) in [
        (&tls, vec![("https_proxy", url.as_str()), ("HTTPS_PROXY", UNREACHABLE)]),
        (
            &tls,
            vec![
                ("HTTPS_PROXY", &url),
                ("http_proxy", UNREACHABLE),
                ("HTTP_PROXY", UNREACHABLE),
                ("all_proxy", UNREACHABLE),
            ],
        ),
        (&tls, vec![("all_proxy", &url), ("ALL_PROXY", UNREACHABLE), ("http_proxy", UNREACHABLE)]),
        (&tls, vec![("https_proxy", ""), ("ALL_PROXY", &bare)]),
        (&plain, vec![("http_proxy", &url), ("HTTP_PROXY", UNREACHABLE)]),
        (&plain, vec![("HTTP_PROXY", &url), ("https_proxy", UNREACHABLE), ("ALL_PROXY", UNREACHABLE)]),
        (&plain, vec![("all_proxy", &bare), ("ALL_PROXY", UNREACHABLE), ("HTTPS_PROXY", "socks4://x")]),
    ] {
        let before = good.requests().len();
        let mut program = list(server).trusting(&ca);
        for (name, value) in &variables {
            program = program.env(name, value);
        }
        program.run().exits(0).says_nothing().prints(CACHES);
        assert_eq!(good.requests().len(), before + 1, "{variables:?}");
    }
}

/// Sends a request to `url`, and returns how many connections the server and the proxy then had.
fn connections(server: &Server, proxy: &Proxy, url: &str, environment: &[(&str, &str)]) -> (usize, usize) {
    let before = (server.connections(), proxy.connections());
    let mut program = support::connect_cache(server).words("list -q --retries 0 -s").arg(url);
    for (name, value) in environment {
        program = program.env(name, value);
    }
    let ran = program.run();
    let found = (server.connections() - before.0, proxy.connections() - before.1);
    assert_eq!(ran.status == Some(0), found == (1, 0), "{ran:#?}");
    found
}

#[test]
fn bypasses_the_proxy_for_exceptions() {
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Accepts::Nobody(403));
    // The program does not recognize this name as one of this host.
    let url = server.url().replace("127.0.0.1", "127.1");
    let with_port = url.replace("http://", "");
    for (variable, value, direct) in [
        ("NO_PROXY", "127.1", true),
        ("no_proxy", " example.com , 127.1 ", true),
        ("NO_PROXY", "example.com 127.1", true),
        ("NO_PROXY", "*", true),
        ("NO_PROXY", &with_port, true),
        ("NO_PROXY", ".1", true),
        ("NO_PROXY", "127.1:1", false),
        ("NO_PROXY", "27.1,7.1", false),
        ("NO_PROXY", "127.0.0.1,127.0.0.0/8", false),
        ("NO_PROXY", "", false),
    ] {
        let found = connections(&server, &proxy, &url, &[("HTTP_PROXY", &proxy.url()), (variable, value)]);
        assert_eq!(found, if direct { (1, 0) } else { (0, 1) }, "{value:?}");
    }
    // With an exception, the URL of the proxy need not be usable.
    assert_eq!(
        connections(&server, &proxy, &url, &[("HTTP_PROXY", "socks4://x"), ("NO_PROXY", "127.1")]),
        (1, 0)
    );
}

#[test]
fn contacts_servers_on_loopback_directly() {
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Accepts::All);
    for host in ["127.0.0.1", "localhost", "LOCALHOST"] {
        let url = server.url().replace("127.0.0.1", host);
        for variable in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
            assert_eq!(connections(&server, &proxy, &url, &[(variable, &proxy.url())]), (1, 0), "{host}");
        }
    }
}

#[test]
fn reports_that_only_basic_credentials_can_be_sent() {
    for (challenges, says) in [
        (
            "Negotiate\r\nProxy-Authenticate: NTLM",
            "does not accept Basic credentials, and no others are supported",
        ),
        ("Digest realm=\"x\", nonce=\"y\"", "does not accept Basic credentials, and no others are supported"),
        ("Negotiate\r\nProxy-Authenticate: basic realm=x", "SCHEME://USER:PASSWORD@HOST:PORT"),
        ("Negotiate, Basic realm=x", "SCHEME://USER:PASSWORD@HOST:PORT"),
    ] {
        let reply =
            format!("HTTP/1.1 407 No\r\nProxy-Authenticate: {challenges}\r\nContent-Length: 0\r\n\r\n");
        let (proxy, plain) = (start_replying(reply), Server::start(Config::default()));
        for server in [format!("https://{NAME}"), named(&plain)] {
            let program = connect_cache(&plain).env("ALL_PROXY", &proxy).words("list --retries 0 -s");
            let ran = program.arg(server).run().exits(6);
            ran.fails_with(&format!("connection through proxy {proxy} failed: HTTP 407")).fails_with(says);
        }
    }
}

#[test]
fn names_the_proxy_that_may_have_replied() {
    let run = |scheme: &str, reply: &str| {
        let proxy = start_replying(reply.to_owned());
        let program = Program::new().env("CONNECT_API_KEY", "x").env("ALL_PROXY", &proxy);
        let program = program.words("list -q --retries 0 -s").arg(format!("{scheme}://connect.test:3939"));
        (proxy, program.run().exits(6))
    };
    for (reply, says) in [
        ("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "HTTP 502, not from Connect"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<p>", "expected JSON; the page has no words"),
        ("HTTP/1.1 302 Moved\r\nLocation: http://login.test/\r\nContent-Length: 0\r\n\r\n", "a redirect"),
        ("", "the reply was lost"),
        ("what?\r\n\r\n", "the reply is not HTTP"),
    ] {
        let (proxy, ran) = run("http", reply);
        ran.fails_with(&format!("on http://connect.test:3939 through proxy {proxy}: ")).fails_with(says);
    }
    // A reply to CONNECT is not one to the request.
    for (reply, says) in [
        ("what?\r\n\r\n", "it is not HTTP"),
        ("HTTP/1.1 hello\r\n\r\n", "the status line is malformed"),
        ("HTTP/1.1 200 OK\r\nno header\r\n\r\n", "a header line has no colon"),
    ] {
        let (proxy, ran) = run("https", reply);
        ran.fails_with(&format!("connection through proxy {proxy} failed: {says}"));
    }
    // The error of a reply from Connect does not name the proxy.
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Accepts::All);
    let ran = list(&server).env("HTTP_PROXY", proxy.url()).env("CONNECT_API_KEY", "wrong").run().exits(3);
    ran.fails_with("check the API key").never_says("proxy");
}

/// Starts a proxy that sends this reply to every request, and returns its URL.
pub fn start_replying(reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Read the whole request first: closing the connection with unread data could discard the reply.
            if let Ok(Some(_)) = read_head(&mut BufReader::new(&client)) {
                let _ = (&client).write_all(reply.as_bytes());
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn sends_headers_to_the_server_only() {
    let ca = Ca::new();
    let (plain, secure) = (Server::start(Config::default()), server_over_tls(&ca, Config::default()));
    for server in [&plain, &secure] {
        let proxy = Proxy::start(Accepts::All);
        let program = list(server).trusting(&ca).env("all_proxy", proxy.url());
        program.arg("-H").arg("X-Gate: hunter2").run().exits(0);
        assert_eq!(server.requests()[0].header("x-gate"), Some("hunter2"));
        for request in proxy.requests() {
            let is_connect = request.line.starts_with("CONNECT ");
            assert_eq!(request.header("x-gate").is_some(), !is_connect, "{request:?}");
        }
        assert_eq!(proxy.requests().len(), 1);
    }
}
