//! SOCKS5 proxies: the requests that they receive, and the errors if they do not connect.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use connect_test_server::pki::Ca;
use connect_test_server::{Action, Config, Endpoint, Fault, Replies, Server};

use crate::proxy::{NAME, named, tunnel};
use crate::support::{Program, connect_cache, endpoints, requests_to, server_over_tls};

const CACHES: &str = "Python  3.7.6  Local\nR       4.3.0  Local\n";

/// A SOCKS5 proxy that connects each client to the requested port on loopback.
struct Proxy {
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

/// How the proxy treats its clients.
#[derive(Clone, Copy)]
enum Behavior {
    Connects,
    /// Connects this many clients, and refuses to connect the others.
    ConnectsTimes(usize),
    RequiresCredentials,
    /// Sends these bytes in reply to the greeting, and closes the connection.
    Greets(&'static [u8]),
    /// Sends these bytes in reply to the request, and closes the connection.
    Replies(&'static [u8]),
}

impl Proxy {
    fn start(behavior: Behavior) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, log) = (listener.local_addr().unwrap(), Arc::<Mutex<_>>::default());
        let proxy = Self { address, log: log.clone() };
        // These threads end with the test program.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let log = log.clone();
                thread::spawn(move || serve(&client, behavior, &log));
            }
        });
        proxy
    }

    /// Returns the clients' requests: the credentials, if any, and the target with the kind of its address.
    fn requests(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

fn take<const N: usize>(mut stream: &TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Reads text that follows its length in one byte.
fn take_text(mut stream: &TcpStream) -> io::Result<String> {
    let mut text = vec![0; take::<1>(stream)?[0].into()];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8(text).unwrap())
}

fn serve(mut client: &TcpStream, behavior: Behavior, log: &Mutex<Vec<String>>) -> io::Result<()> {
    let [version, methods] = take(client)?;
    assert_eq!(version, 5);
    let mut offered = vec![0; methods.into()];
    client.read_exact(&mut offered)?;
    let mut request = String::new();
    match behavior {
        Behavior::Greets(greeting) => return client.write_all(greeting),
        Behavior::RequiresCredentials if !offered.contains(&2) => return client.write_all(&[5, 255]),
        Behavior::RequiresCredentials => {
            client.write_all(&[5, 2])?;
            assert_eq!(take(client)?, [1]);
            request = format!("{}:{} ", take_text(client)?, take_text(client)?);
            if request != "us er:p@ss:w%rd " {
                log.lock().unwrap().push(format!("refused {request}"));
                return client.write_all(&[1, 1]);
            }
            client.write_all(&[1, 0])?;
        }
        Behavior::Connects | Behavior::ConnectsTimes(_) | Behavior::Replies(_) => {
            client.write_all(&[5, 0])?
        }
    }
    let [version, command, reserved, kind] = take(client)?;
    assert_eq!([version, command, reserved], [5, 1, 0]);
    request += &match kind {
        1 => format!("address {}", std::net::Ipv4Addr::from(take::<4>(client)?)),
        4 => format!("address {}", std::net::Ipv6Addr::from(take::<16>(client)?)),
        _ => format!("name {}", take_text(client)?),
    };
    let port = u16::from_be_bytes(take(client)?);
    log.lock().unwrap().push(request);
    if matches!(behavior, Behavior::ConnectsTimes(times) if log.lock().unwrap().len() > times) {
        return client.write_all(b"\x05\x05\0\x01\0\0\0\0\0\0");
    }
    if let Behavior::Replies(reply) = behavior {
        return client.write_all(reply);
    }
    let upstream = TcpStream::connect(("127.0.0.1", port))?;
    // The reply contains the address that the proxy connects from, here of the requested kind, and a name of the greatest
    // length.
    let from = match kind {
        1 => vec![0; 4],
        4 => vec![0; 16],
        _ => [&[255], &[b'x'; 255][..]].concat(),
    };
    client.write_all(&[&[5, 0, 0, kind], &from[..], &[1, 2]].concat())?;
    tunnel(client, &upstream)
}

fn list(server: &Server, url: &str) -> Program {
    connect_cache(server).words("list -q --retries 0 -s").arg(url)
}

#[test]
fn carries_https_and_plain_http() {
    let ca = Ca::new();
    let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
    let proxy = Proxy::start(Behavior::Connects);
    for (server, variable) in [(&tls, "HTTPS_PROXY"), (&plain, "http_proxy"), (&plain, "ALL_PROXY")] {
        let before = server.requests().len();
        let program = connect_cache(server).env("CONNECT_SERVER", named(server)).trusting(&ca);
        let program = program.env(variable, format!("socks5h://{}", proxy.address));
        program.words("list -q").run().exits(0).says_nothing().prints(CACHES);
        // The request is not in absolute form, and has no header for HTTP proxies.
        let request = &server.requests()[before];
        assert!(request.header("host").unwrap().starts_with(NAME), "{request:?}");
        assert_eq!(request.header("proxy-authorization"), None);
    }
    assert_eq!(proxy.requests(), ["name connect.test"; 3]);
}

#[test]
fn uses_one_connection_for_a_run() {
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Behavior::Connects);
    let program = connect_cache(&server).env("CONNECT_SERVER", named(&server));
    let program = program.env("ALL_PROXY", format!("socks5h://{}", proxy.address));
    program.words("delete -q -l R -V 4.3.0").run().exits(0);
    assert!(server.requests().len() > 1);
    assert_eq!((proxy.requests().len(), server.connections()), (1, 1));
}

#[test]
fn warns_of_plain_http() {
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Behavior::Connects);
    let program = connect_cache(&server).env("ALL_PROXY", format!("socks5h://{}", proxy.address));
    program.words("list -s").arg(named(&server)).run().exits(0).says("is sent unencrypted");
}

#[test]
fn resolves_the_name_locally_or_remotely_by_scheme() {
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Behavior::Connects);
    // 127.1 counts as a name, which the system resolves to 127.0.0.1.
    for (scheme, host, expected) in [
        ("socks5", "127.1", "address 127.0.0.1"),
        ("socks", "127.1", "address 127.0.0.1"),
        ("socks5h", "127.1", "name 127.1"),
        ("socks5", "192.0.2.7", "address 192.0.2.7"),
        ("socks5h", "192.0.2.7", "address 192.0.2.7"),
        ("socks5h", "[fd00::7]", "address fd00::7"),
    ] {
        let url = server.url().replace("127.0.0.1", host);
        let program = list(&server, &url).env("ALL_PROXY", format!("{scheme}://{}", proxy.address));
        program.run().exits(0).prints(CACHES);
        assert_eq!(proxy.requests().pop().as_deref(), Some(expected), "{scheme} {host}");
    }
    let program =
        list(&server, "http://connect.invalid").env("ALL_PROXY", format!("socks5://{}", proxy.address));
    program.run().exits(6).fails_with("cannot resolve host connect.invalid");
    assert_eq!(proxy.requests().len(), 6);
}

#[test]
fn sends_decoded_credentials_without_showing_them() {
    let server = Server::start(Config::default());
    let proxy = Proxy::start(Behavior::RequiresCredentials);
    let run = |user_info: &str| {
        let program = connect_cache(&server).words("list -vv --retries 0 -s").arg(named(&server));
        let ran = program.env("ALL_PROXY", format!("socks5h://{user_info}{}", proxy.address)).run();
        ran.never_says("w%rd").never_says("w%25rd").never_says("us er").never_says("wrong")
    };
    run("us%20er:p%40ss:w%25rd@").exits(0).prints(CACHES);
    assert_eq!(proxy.requests(), ["us er:p@ss:w%rd name connect.test"]);
    let through = |masked: &str| format!("connection through proxy socks5h://{masked}{}", proxy.address);
    run("us%20er:wrong@").exits(6).says(&through("***@")).says("it rejected the user name and password");
    assert_eq!(proxy.requests()[1..], ["refused us er:wrong "]);
    run("").exits(6).says(&through("")).says("it requires a user name and password");
    assert_eq!(server.requests().len(), 1);

    let proxy = Proxy::start(Behavior::Greets(b"\x05\xff"));
    let variable = format!("socks5h://us%20er:w%25rd@{}", proxy.address);
    let program = list(&server, &named(&server)).env("ALL_PROXY", variable);
    program.run().exits(6).fails_with("it does not accept a user name and password").never_says("w%");
}

#[test]
fn sends_refused_credentials_once() {
    let server = Server::start(Config::default());
    for words in ["list", "delete -l R -V 4.3.0", "purge --all -y", "task a --wait", "check"] {
        let proxy = Proxy::start(Behavior::RequiresCredentials);
        let program = connect_cache(&server).words(words).arg("-s").arg(named(&server));
        let program = program.env("ALL_PROXY", format!("socks5h://us%20er:wrong@{}", proxy.address));
        program.run().exits(6).says("the proxy rejected the user name and password in its URL");
        assert_eq!(proxy.requests(), ["refused us er:wrong "], "{words}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn rejects_credentials_without_a_password() {
    let server = Server::start(Config::default());
    for user_info in ["me:@", "me@", ":@", "@"] {
        let proxy = Proxy::start(Behavior::RequiresCredentials);
        let variable = format!("socks5h://{user_info}{}", proxy.address);
        let ran = list(&server, &named(&server)).env("ALL_PROXY", variable).run().exits(2);
        ran.prints("").fails_with("ALL_PROXY has no password");
        assert_eq!(proxy.requests(), Vec::<String>::new());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn leaves_a_deletion_in_doubt_if_its_reply_is_lost() {
    let ca = Ca::new();
    use Endpoint::{Delete, DryRun, List};
    for action in
        [Action::ResetBeforeReply, Action::CloseBeforeReply, Action::CloseInReply, Action::html(502)]
    {
        let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
        let proxy = Proxy::start(Behavior::Connects);
        for server in [&tls, &plain] {
            server.fault(Fault::new(Delete, action.clone()).with_effect());
            let program = connect_cache(server).trusting(&ca).words("delete -l R -V 4.3.0 -s");
            let program = program.arg(named(server)).env("ALL_PROXY", format!("socks5h://{}", proxy.address));
            let ran = program.run().exits(0).says("; the deletion may have started; checking whether");
            let ran = ran.never_says("connection through proxy");
            ran.says("deleted R 4.3.0 Local: no reply confirmed it, but the cache is gone\n");
            // The DELETE is not sent again: the dry run shows that it has worked.
            assert_eq!(endpoints(server), [List, Delete, DryRun], "{action:?}");
        }
    }
    let server = Server::start(Config::default());
    server.fault(Fault::new(Delete, Action::ResetBeforeReply));
    let proxy = Proxy::start(Behavior::Connects);
    let program =
        connect_cache(&server).words("delete -l R -V 4.3.0 --json --retries 0 -s").arg(named(&server));
    let ran = program.env("ALL_PROXY", format!("socks5h://{}", proxy.address)).run().exits(6);
    assert_eq!(ran.json()["status"], "unknown", "{ran:#?}");
    assert_eq!(requests_to(&server, Delete).len(), 1);
}

#[test]
fn repeats_a_poll_whose_reply_is_lost_on_a_kept_connection() {
    use Endpoint::{Delete, List, Task};
    for action in [Action::ResetBeforeReply, Action::CloseBeforeReply] {
        let server = Server::start(Config::default());
        server.fault(Fault::new(Task, action.clone()));
        let proxy = Proxy::start(Behavior::Connects);
        let program = connect_cache(&server).words("delete -l R -V 4.3.0 -s").arg(named(&server));
        let ran = program.env("ALL_PROXY", format!("socks5h://{}", proxy.address)).run().exits(0);
        ran.says("deleted R 4.3.0 Local in ").never_says("connection through proxy");
        assert_eq!(endpoints(&server), [List, Delete, Task, Task], "{action:?}");
        assert_eq!(proxy.requests().len(), 2, "{action:?}");
    }
}

#[test]
fn leaves_no_deletion_in_doubt_that_was_not_sent() {
    let ca = Ca::new();
    let config = || {
        let replies = Replies { close_connections: true, ..Replies::default() };
        Config::default().replies(replies)
    };
    for server in [server_over_tls(&ca, config()), Server::start(config())] {
        // The list was read over the first connection, and there is no second one.
        let proxy = Proxy::start(Behavior::ConnectsTimes(1));
        let program =
            connect_cache(&server).trusting(&ca).words("delete -l R -V 4.3.0 --json --retries 1 -s");
        let program = program.arg(named(&server)).env("ALL_PROXY", format!("socks5h://{}", proxy.address));
        let ran =
            program.run().exits(6).says("connection refused; retrying in ").never_says("may have started");
        assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
        assert_eq!((proxy.requests().len(), endpoints(&server)), (3, vec![Endpoint::List]));
    }
}

#[test]
fn reports_unknown_if_a_second_deletion_cannot_be_sent() {
    let replies = Replies { close_connections: true, ..Replies::default() };
    let server = Server::start(Config::default().replies(replies));
    server.fault(Fault::new(Endpoint::Delete, Action::ResetBeforeReply));
    // The list, the DELETE and five dry runs get through.
    let proxy = Proxy::start(Behavior::ConnectsTimes(7));
    let program = connect_cache(&server).words("delete -l R -V 4.3.0 --json --retries 1 -s");
    let program = program.arg(named(&server)).env("ALL_PROXY", format!("socks5h://{}", proxy.address));
    let ran = program.run().exits(6);
    assert_eq!(ran.json()["status"], "unknown", "{ran:#?}");
    assert_eq!((requests_to(&server, Endpoint::Delete).len(), server.requests().len()), (1, 7));
    // Both the DELETE and the dry run after it were tried twice.
    assert_eq!(proxy.requests().len(), 7 + 4, "{ran:#?}");
}

#[test]
fn names_a_proxy_that_does_not_connect() {
    let ca = Ca::new();
    let (tls, plain) = (server_over_tls(&ca, Config::default()), Server::start(Config::default()));
    for (behavior, says) in [
        (Behavior::Greets(b""), "it closed the connection"),
        (Behavior::Greets(b"\x05"), "it closed the connection"),
        (Behavior::Greets(b"\x05\x01"), "it requires a user name and password"),
        (Behavior::Greets(b"\x05\xff"), "it requires a user name and password"),
        (Behavior::Greets(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak SOCKS5"),
        (Behavior::Replies(b""), "it closed the connection"),
        (
            Behavior::Replies(b"\x05\x01\0\x01\0\0\0\0\0\0"),
            "it did not connect to the server: general SOCKS server failure",
        ),
        (
            Behavior::Replies(b"\x05\x02\0\x01\0\0\0\0\0\0"),
            "it did not connect to the server: connection not allowed by ruleset",
        ),
        (
            Behavior::Replies(b"\x05\x03\0\x01\0\0\0\0\0\0"),
            "it did not connect to the server: network unreachable",
        ),
        (
            Behavior::Replies(b"\x05\x04\0\x01\0\0\0\0\0\0"),
            "it did not connect to the server: host unreachable",
        ),
        (
            Behavior::Replies(b"\x05\x05\0\x01\0\0\0\0\0\0"),
            "it did not connect to the server: connection refused; check the server URL, ",
        ),
        (Behavior::Replies(b"\x05\x06\0\x01\0\0\0\0\0\0"), "it did not connect to the server: TTL expired"),
        (Behavior::Replies(b"\x05\x09\0\x01\0\0\0\0\0\0"), "it did not connect to the server: unknown error"),
        (Behavior::Replies(b"\x04\0\0\x01\0\0\0\0\0\0"), "it does not speak SOCKS5"),
        (Behavior::Replies(b"\x05\0\0\x01\0\0\0"), "it closed the connection"),
    ] {
        let proxy = Proxy::start(behavior);
        for server in [&tls, &plain] {
            let variable = format!("socks5h://{}", proxy.address);
            let ran = list(server, &named(server)).trusting(&ca).env("ALL_PROXY", &variable).run().exits(6);
            ran.fails_with(&format!("connection through proxy {variable} failed: {says}"))
                .prints("")
                // None of these failures is one of TLS.
                .never_says("TLS")
                .never_says("certificate")
                .never_says("use http");
            // Nothing was sent, so a deletion is not in doubt.
            let program = connect_cache(server).words("delete -l R -V 4.3.0 --json -q --retries 0 -s");
            let ran = program.arg(named(server)).trusting(&ca).env("ALL_PROXY", &variable).run().exits(6);
            assert_eq!(ran.json()["status"], "not-started", "{ran:#?}");
        }
    }
    let program = list(&plain, &named(&plain)).env("ALL_PROXY", "socks5h://127.0.0.1:1");
    let ran = program.run().exits(6).fails_with("connection through proxy socks5h://127.0.0.1:1 failed");
    ran.never_says("it did not connect");
    for greeting in [b"\x05\x01", b"\x05\xff"] {
        let variable = format!("socks5h://user:hunter2@{}", Proxy::start(Behavior::Greets(greeting)).address);
        let ran = list(&plain, &named(&plain)).env("ALL_PROXY", &variable).run().exits(6);
        ran.fails_with("it does not accept a user name and password").never_says("hunter2");
    }
    let program = list(&plain, &named(&plain)).env("ALL_PROXY", "socks5h://proxy.invalid");
    program
        .run()
        .exits(6)
        .fails_with("connection through proxy socks5h://proxy.invalid:1080")
        .fails_with("cannot resolve its host name");
    assert_eq!((tls.connections(), plain.connections()), (0, 0));
}

#[test]
fn gives_up_on_a_proxy_that_stalls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("socks5h://{}", listener.local_addr().unwrap());
    let server = Server::start(Config::default());
    let program = list(&server, &named(&server)).within(Duration::from_secs(9));
    let program = program.words("--request-timeout 0.1").env("ALL_PROXY", &proxy);
    program.run().exits(6).fails_with(&format!("connection through proxy {proxy} failed: no reply within"));
}

#[test]
fn reports_a_407_of_the_server_as_its_own() {
    let server = Server::start(Config::default());
    let page = Action::html(407);
    server.fault(Fault::new(Endpoint::List, page));
    let proxy = Proxy::start(Behavior::Connects);
    let program = list(&server, &named(&server)).env("ALL_PROXY", format!("socks5h://{}", proxy.address));
    program.run().exits(6).fails_with("HTTP 407, not from Connect");
}
