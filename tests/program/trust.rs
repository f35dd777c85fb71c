//! Trusted and rejected server certificates, and servers that require a client's.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use connect_test_server::pki::{Ca, Identity, Leaf};
use connect_test_server::{Action, Config, Endpoint, Fault, Plan, Server, Tls};
use ureq::tls::Certificate;

use crate::support::{Program, caches, connect_cache, requests_to, server_over_tls};

const LISTED: &str = "Python  3.7.6  Local\nR       4.3.0  Local\n";

fn server_with(identity: Identity) -> Server {
    Server::builder().tls(identity).start()
}

#[test]
fn trusts_the_ca_of_a_flag_or_variable() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let program = || connect_cache(&server).words("list");

    let flag = program();
    let path = flag.file("ca.pem", &ca.pem());
    flag.arg("--cacert").arg(&path).run().exits(0).says_nothing().prints(LISTED);
    for variable in ["CONNECT_CA_CERTIFICATE", "SSL_CERT_FILE"] {
        let program = program();
        let path = program.file("ca.pem", &ca.pem());
        program.env(variable, &path).run().exits(0).says_nothing().prints(LISTED);
    }
    // An empty variable counts as unset.
    let with_empty = program();
    let path = with_empty.file("ca.pem", &ca.pem());
    with_empty
        .env("SSL_CERT_FILE", &path)
        .env("SSL_CERT_DIR", "")
        .env("CONNECT_CA_CERTIFICATE", "")
        .run()
        .exits(0);
}

#[test]
fn reads_ca_files_up_to_sixteen_mebibytes() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let with_length = |length| {
        let program = connect_cache(&server).words("list --cacert");
        let pem = ca.pem();
        let path = program.file("ca.pem", &format!("{}\n{pem}", "#".repeat(length - pem.len() - 1)));
        program.arg(path).run()
    };
    with_length(16 << 20).exits(0).prints(LISTED);
    with_length((16 << 20) + 1).exits(2).fails_with("ca.pem: it is larger than 16 MiB");
}

#[test]
fn ignores_other_files_in_a_certificate_directory() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let program = || connect_cache(&server).words("list");

    let folder = |with_ca: bool| {
        let program = program();
        program.file("certs/README", "not a certificate\n");
        program.file("certs/empty.pem", "");
        program.file("certs/broken.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
        program.file("certs/sub/inside.pem", &Ca::new().pem());
        program.file("certs/other.pem", &Ca::new().pem());
        if with_ca {
            program.file("certs/ca.pem", &ca.pem());
            // c_rehash gives each certificate in a directory a second name.
            program.file("certs/5ed36f99.0", &ca.pem());
        }
        let path = program.home().join("certs");
        program.env("SSL_CERT_DIR", path)
    };
    folder(true).run().exits(0).says_nothing().prints(LISTED);
    folder(false).run().exits(6).fails_with("no trusted CA issued it");

    let empty = program();
    let path = empty.home().join("none");
    empty.env("SSL_CERT_DIR", &path).run().exits(2).fails_with("none (SSL_CERT_DIR) contains no certificate");
}

#[test]
fn ignores_pipes_in_a_certificate_directory() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let program = connect_cache(&server).words("list").within(Duration::from_secs(10));
    program.file("certs/ca.pem", &ca.pem());
    let folder = program.home().join("certs");
    // Opening a pipe without a writer would wait forever.
    let made = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap();
    assert!(made.success());
    program.env("SSL_CERT_DIR", folder).run().exits(0).prints(LISTED);
}

#[test]
fn combines_ssl_cert_file_and_ssl_cert_dir() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = server_over_tls(&ca, Config::default());
    for (file, folder) in [(&ca, &other), (&other, &ca)] {
        let program = connect_cache(&server).words("list");
        let file = program.file("file.pem", &file.pem());
        program.file("certs/ca.pem", &folder.pem());
        let folder = program.home().join("certs");
        program.env("SSL_CERT_FILE", file).env("SSL_CERT_DIR", folder).run().exits(0).prints(LISTED);
    }
}

#[test]
fn trusts_only_the_specified_ca() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = server_over_tls(&ca, Config::default());
    let program = connect_cache(&server).words("list").trusting(&other);
    let store = program.file("store.pem", &ca.pem());
    program.env("SSL_CERT_FILE", store).run().exits(6).prints("").fails_with("no trusted CA issued it");

    // The flag overrides its variable.
    let program = connect_cache(&server).trusting(&other).words("list --cacert");
    let path = program.file("flag.pem", &ca.pem());
    program.arg(path).run().exits(0).prints(LISTED);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn rejects_a_private_ca_by_default() {
    let server = server_over_tls(&Ca::new(), Config::default());
    for words in ["list", "check", "task abc --wait"] {
        let connections = server.connections();
        connect_cache(&server)
            .words(words)
            .run()
            .exits(6)
            .says("no trusted CA issued it; specify its CA certificate with --cacert FILE")
            .never_says("retrying");
        assert_eq!(server.connections() - connections, 1, "{words}");
    }
    let ran = connect_cache(&server).words("delete -l R -V 4.3.0 --json").run().exits(6);
    assert_eq!(ran.json()["status"], "not-started");
    ran.says("no trusted CA issued it").never_says("retrying");
    assert_eq!(server.connections(), 4);
    assert!(server.requests().is_empty());
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn explains_each_certificate_problem() {
    let ca = Ca::new();
    let issued = |leaf: Leaf| (ca.issue(&leaf), ca.pem());
    let own_ca = Identity::self_signed(true);
    let own = Identity::self_signed(false);
    let names = |names: &[&str]| Leaf {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Leaf::default()
    };
    for ((identity, trusted), problem, step) in [
        (
            (ca.issue(&Leaf::default()), Ca::new().pem()),
            "no trusted CA issued it",
            "openssl x509 -in FILE -noout -text",
        ),
        ((own, ca.pem()), "no trusted CA issued it", "openssl x509 -in FILE -noout -text"),
        (issued(names(&["other.example"])), "it is for another name", "use a host name in the certificate"),
        (issued(names(&["10.9.8.7"])), "it is for another name", "use a host name in the certificate"),
        (issued(names(&[])), "it has no subject alternative name", "a common name does not count"),
        ((own_ca.clone(), own_ca.cert_pem), "it is a CA certificate", "CA:FALSE"),
        ((Identity::self_signed(true), ca.pem()), "it is a CA certificate", "CA:FALSE"),
        (
            issued(Leaf { is_ca: true, ..Leaf::default() }),
            "it is a CA certificate",
            "reissued without CA:TRUE",
        ),
        (
            issued(Leaf { not_before: -30, not_after: -1, ..Leaf::default() }),
            "it has expired",
            "have it renewed, and check this host's clock",
        ),
        (issued(Leaf { not_before: 1, ..Leaf::default() }), "it is not valid yet", "check this host's clock"),
        (
            issued(Leaf { is_client: true, ..Leaf::default() }),
            "its extended key usage does not include servers",
            "have it reissued with the extended key usage serverAuth",
        ),
        (
            issued(Leaf { has_unknown_extension: true, ..Leaf::default() }),
            "it has an unknown critical extension",
            "have it reissued with that extension not critical",
        ),
        (
            issued(Leaf {
                intermediate: true,
                constraint: Some("example.com".to_owned()),
                ..names(&["localhost", "127.0.0.1"])
            }),
            "its CA is not allowed to issue certificates for this name",
            "name constraints",
        ),
        (
            issued(Leaf { intermediate: true, issuer_is_no_ca: true, ..Leaf::default() }),
            "its issuer is not allowed to issue certificates",
            "have it reissued by a certificate with CA:TRUE",
        ),
    ] {
        let server = server_with(identity);
        let program = connect_cache(&server).words("list --cacert");
        let path = program.file("ca.pem", &trusted);
        let ran = program.arg(path).run().exits(6).prints("").fails_with(problem);
        ran.fails_with(": server certificate rejected").fails_with(step);
        // Nothing was sent or retried.
        assert!(server.requests().is_empty(), "{problem}");
        assert_eq!(server.connections(), 1, "{problem}");
    }
}

#[test]
fn accepts_valid_certificates() {
    let ca = Ca::new();
    let own = Identity::self_signed(false);
    for (identity, trusted) in [
        (ca.issue(&Leaf { intermediate: true, ..Leaf::default() }), ca.pem()),
        (ca.issue(&Leaf::default()), format!("# ours\n{}\n{}", Ca::new().pem(), ca.pem())),
        (own.clone(), own.cert_pem),
    ] {
        let server = server_with(identity);
        let program = connect_cache(&server).words("list --cacert");
        let path = program.file("ca.pem", &trusted);
        program.arg(path).run().exits(0).says_nothing().prints(LISTED);
    }
}

#[test]
fn verifies_host_names_and_addresses() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let by_name = server.url().replace("127.0.0.1", "localhost");
    connect_cache(&server).trusting(&ca).words("list -s").arg(by_name).run().exits(0).prints(LISTED);
}

#[test]
fn trusts_any_certificate_with_a_warning_if_insecure() {
    let warning = "warning: the server's certificate is not verified";
    for identity in [
        Identity::self_signed(true),
        Ca::new().issue(&Leaf { names: vec![], not_before: -9, not_after: -1, ..Leaf::default() }),
    ] {
        let server = server_with(identity);
        for words in ["list --insecure", "list -i", "check -i"] {
            let ran = connect_cache(&server).words(words).run().exits(0).says(warning);
            assert_eq!(ran.stderr.lines().count(), 1, "{ran:#?}");
        }
        let by_variable = |value| connect_cache(&server).words("list").env("CONNECT_INSECURE", value).run();
        for value in ["1", "true", "YES", "on"] {
            by_variable(value).exits(0).says(warning);
        }
        by_variable("0").exits(6).never_says(warning);
        connect_cache(&server).words("list -iq").run().exits(0).says_nothing().prints(LISTED);
    }
}

#[test]
fn rejects_unusable_ca_files_without_requests() {
    let ca = Ca::new();
    let pem = ca.pem();
    let lines: Vec<&str> = pem.lines().collect();
    let der = Certificate::from_pem(pem.as_bytes()).unwrap().der().to_vec();
    let other_key = Identity::self_signed(false).key_pem;
    let server = server_over_tls(&ca, Config::default());
    for (content, says) in [
        (String::new(), "contains no certificate"),
        ("hello\n".to_owned(), "contains no certificate"),
        (other_key, "contains no certificate"),
        (pem.replace("CERTIFICATE", "PKCS7"), "openssl pkcs7 -print_certs"),
        (pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), "0 of 1 certificates in the CA file "),
        (pem.replace("CERTIFICATE", "X509 CERTIFICATE"), "0 of 1 certificates in the CA file "),
        (format!("{pem}{}", pem.replace("CERTIFICATE", "ATTRIBUTE CERTIFICATE")), "1 of 2 certificates in "),
        // Whether the base64 of both together can be decoded depends on their padding.
        (format!("{}{pem}", pem.replace("-----END CERTIFICATE-----", "")), " of 2 certificates in "),
        (format!("{pem}-----BEGIN CERTIFICATE-----"), "1 of 2 certificates in "),
        (format!("{pem}{}", pem.replace('\n', "\n    ")), "1 of 2 certificates in "),
        (
            pem.replace('\n', ""),
            "can be read; usual causes are DER, PKCS #7 or TRUSTED CERTIFICATE instead of ",
        ),
        (pem.replace("-----\nMII", "-----MII"), "plain PEM, indentation, and a lost line break"),
        (pem.replacen("MII", "!!!", 1), "0 of 1 certificates in "),
        (lines[..lines.len() - 1].join("\n"), "0 of 1 certificates in "),
    ] {
        for how in ["--cacert", "CONNECT_CA_CERTIFICATE", "SSL_CERT_FILE"] {
            let program = connect_cache(&server).words("list");
            let path = program.file("the-ca.pem", &content);
            let program = match how {
                "--cacert" => program.arg(how).arg(&path),
                variable => program.env(variable, &path),
            };
            program.run().exits(2).prints("").fails_with(says).fails_with("the-ca.pem");
        }
    }
    for missing in ["/nonexistent/ca.pem", "/"] {
        for variable in ["CONNECT_CA_CERTIFICATE", "SSL_CERT_FILE"] {
            let program = connect_cache(&server).words("list").env(variable, missing);
            program.run().exits(2).fails_with("cannot read the CA file").fails_with(missing);
        }
    }
    let program = connect_cache(&server).words("list");
    let path = program.file("the-ca.der", "");
    std::fs::write(&path, der).unwrap();
    program.arg("--cacert").arg(path).run().exits(2).fails_with("contains no certificate; PEM text begins ");
    assert_eq!(server.connections(), 0);
}

#[test]
fn names_the_quotes_that_an_env_file_kept_around_a_path() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    for quote in ['"', '\''] {
        for variable in ["CONNECT_CA_CERTIFICATE", "SSL_CERT_FILE"] {
            let program = connect_cache(&server).words("list");
            let path = program.file("ca.pem", &ca.pem());
            let ran = program.env(variable, format!("{quote}{path}{quote}")).run().exits(2);
            ran.fails_with(&path).fails_with("its path is in quotes; remove them");
        }
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn reports_damage_inside_a_certificate_as_an_unknown_issuer() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let pem = ca.pem();
    let lines: Vec<&str> = pem.lines().collect();
    // Each full line of base64 is 48 bytes. Without one, the text is still valid base64, but of invalid DER.
    let without_line = [&lines[..3], &lines[4..]].concat().join("\n");
    for content in [without_line, pem.replacen("MII", "AII", 1)] {
        let program = connect_cache(&server).words("list --cacert");
        let path = program.file("ca.pem", &content);
        program.arg(path).run().exits(6).prints("").fails_with("no trusted CA issued it");
    }
}

#[test]
fn reads_every_certificate_of_a_file() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let both = format!("{}{}", Ca::new().pem(), ca.pem());
    let utf16 = |bytes: fn(u16) -> [u8; 2]| {
        "\u{feff}".encode_utf16().chain(both.encode_utf16()).flat_map(bytes).collect()
    };
    for content in [
        format!("\u{feff}{both}").into_bytes(),
        both.replace('\n', "\r\n").into_bytes(),
        both.replace('\n', "\n\n").into_bytes(),
        format!("a - b -- c\n{both}-----BEGIN X-----").into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ] {
        let program = connect_cache(&server).words("list --cacert");
        let path = program.file("ca.pem", "");
        std::fs::write(&path, &content).unwrap();
        program.arg(path).run().exits(0).says_nothing().prints(LISTED);
    }
}

/// Starts a server that requires client certificates from the authority that issued its own certificate.
fn server_for_clients(ca: &Ca) -> Server {
    let identity = ca.issue(&Leaf::default());
    Server::builder().tls(Tls { identity, client_ca: Some(ca.pem()) }).start()
}

#[test]
fn reports_a_required_client_certificate_without_doubt_or_retry() {
    let ca = Ca::new();
    let server = server_for_clients(&ca);
    for words in ["list", "delete -l R -V 4.3.0"] {
        let connections = server.connections();
        let ran = connect_cache(&server).trusting(&ca).words(words).run().exits(6);
        ran.says(
            "the server requires a client certificate: received fatal alert: CertificateRequired; client \
             certificates are not supported; connect through stunnel",
        )
        .never_says("dry run")
        .never_says("retrying");
        assert_eq!(server.connections() - connections, 1, "{words}");
    }
    let ran = connect_cache(&server).trusting(&ca).words("delete -l R -V 4.3.0 --json").run().exits(6);
    assert_eq!(ran.json()["status"], "not-started");
    assert!(server.requests().is_empty());
}

#[test]
fn explains_a_certificate_required_after_the_handshake() {
    // As nginx replies.
    let body = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n";
    let server = Server::start(Config::default());
    let reply = Action::Reply { status: 400, headers: vec![], body: body.to_owned() };
    server.fault(Fault::new(Endpoint::List, reply));
    let ran = connect_cache(&server).words("list").run().exits(6);
    ran.fails_with("; client certificates are not supported; connect through stunnel");
    // The same status from Connect's own gateway may have another reason.
    server.fault(Fault::new(Endpoint::List, Action::html(400)));
    connect_cache(&server).words("list").run().exits(6).never_says("stunnel");
}

#[test]
fn explains_plain_http_on_an_https_port() {
    let server = server_over_tls(&Ca::new(), Config::default());
    let plain = server.url().replace("https://", "http://");
    let ran = connect_cache(&server).words("list -s").arg(&plain).run().exits(6).prints("");
    ran.fails_with("the server uses https on this port; use https://127.0.0.1:");
    assert!(server.requests().is_empty());
    // Another page that mentions HTTPS says nothing about the port.
    let server = Server::start(Config::default());
    let reply =
        Action::Reply { status: 400, headers: vec![], body: "<h1>Secured by HTTPS Guard</h1>".to_owned() };
    server.fault(Fault::new(Endpoint::List, reply));
    connect_cache(&server).words("list").run().exits(6).never_says("uses https");
}

#[test]
fn explains_https_on_a_plain_http_port() {
    let server = Server::start(Config::default());
    let https = server.url().replace("http://", "https://");
    let words = "list --retries 0 -s";
    let ran = connect_cache(&server).words(words).arg(&https).run().exits(6).prints("");
    ran.fails_with("TLS failed").fails_with("use plain http on this port; use http://127.0.0.1:");
    // Nothing was sent, so a deletion is not in doubt.
    let words = "delete -l R -V 4.3.0 --retries 0 -s";
    connect_cache(&server).words(words).arg(&https).run().exits(6).never_says("dry run");
    assert!(requests_to(&server, Endpoint::Delete).is_empty());
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn explains_a_connection_closed_before_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    // The thread ends with the test process.
    thread::spawn(move || listener.incoming().for_each(drop));
    for words in ["list --retries 0 -s", "delete -l R -V 4.3.0 --retries 0 -s"] {
        let program = Program::new().env("CONNECT_API_KEY", "admin-key").words(words);
        let ran = program.arg(&url).run().exits(6).prints("");
        ran.says("TLS failed: connection closed during the handshake: ")
            .says("; check that this port uses https, and whether a gateway blocks it")
            .never_says("dry run");
    }
}

#[test]
fn explains_an_alert_during_the_handshake() {
    for (alert, says) in [
        (40, "HandshakeFailure; the server must offer TLS 1.2 or 1.3 with a common cipher"),
        (112, "UnrecognisedName; the server does not know this host name; check the server URL"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        // A fatal alert (RFC 8446, section 6). The thread ends with the test process.
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let _ = client.read(&mut [0; 1 << 14]);
                let _ = client.write_all(&[21, 3, 3, 0, 2, 2, alert]);
            }
        });
        let program = Program::new().env("CONNECT_API_KEY", "admin-key").words("list -s");
        program.arg(&url).run().exits(6).prints("").fails_with("received fatal alert: ").fails_with(says);
    }
}

#[test]
fn reports_a_lost_reply_over_https_as_lost() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    for (action, says) in [
        (Action::ResetBeforeReply, "Connection reset by peer"),
        (Action::CloseBeforeReply, "the connection was closed; check the network"),
    ] {
        server.fault(Fault::new(Endpoint::List, action));
        let ran = connect_cache(&server).trusting(&ca).words("list --retries 0").run().exits(6);
        ran.fails_with(": the reply was lost: ").fails_with(says);
    }
}

#[test]
fn reports_a_refused_connection_over_https() {
    let program = Program::new().env("CONNECT_API_KEY", "admin-key");
    let ran = program.words("list --retries 0 -s https://127.0.0.1:9").run().exits(6).prints("");
    ran.fails_with("connection to 127.0.0.1 port 9 failed: Connection refused")
        .fails_with("; check the server URL and port, and that the server is running")
        .never_says("TLS");
}

#[test]
fn uses_one_connection_for_a_deletion() {
    let ca = Ca::new();
    let plan = Plan::lasting(Duration::from_millis(1500));
    let server = server_over_tls(&ca, Config::default().plan(plan));
    let ran = connect_cache(&server).trusting(&ca).words("delete -l R -V 4.3.0").run().exits(0);
    assert_eq!(ran.stdout, "Deleting runtime cache...\nSuccessfully deleted runtime cache\n");
    assert!(server.requests().len() >= 3);
    assert_eq!(server.connections(), 1);
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
}
