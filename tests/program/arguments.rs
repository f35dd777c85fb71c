//! Arguments, environment variables, and the errors about them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use connect_test_server::{Action, Config, Endpoint, Fault, Server};

use crate::support::{Program, connect_cache, run};

#[test]
fn prints_one_screen_of_help_on_standard_error_without_arguments() {
    let brief = Program::new().words("-h").run().exits(0).says_nothing().stdout;
    let ran = Program::new().run().exits(2).prints("");
    assert_eq!(ran.stderr, brief);
    assert!(brief.lines().count() < 24, "{brief}");
}

#[test]
fn prints_help_on_standard_output() {
    for words in ["--help", "help", "-h help", "-h --help"] {
        let ran = Program::new().words(words).run().exits(0).says_nothing();
        assert!(ran.stdout.starts_with("Usage: connect-cache [options] COMMAND"), "{ran:#?}");
        assert!(
            ran.stdout.contains(
                "\n  7  the task is still running, or the time ran out before a deletion started\n"
            ),
            "{ran:#?}"
        );
    }
    for words in ["delete --help", "delete -h --help", "help delete", "delete -l R help", "help delete -h"] {
        let ran = Program::new().words(words).run().exits(0).says_nothing();
        assert!(ran.stdout.starts_with("Usage: connect-cache delete -l LANG -V VERSION"), "{ran:#?}");
        assert!(ran.stdout.contains("\nConnection options:\n"), "{ran:#?}");
    }
    for words in ["-h", "-qh"] {
        let ran = Program::new().words(words).run().exits(0).says_nothing();
        assert!(ran.stdout.starts_with("Usage: connect-cache [options] COMMAND"), "{ran:#?}");
        assert!(ran.stdout.contains("'connect-cache --help' for all options"), "{ran:#?}");
    }
    for words in ["delete -h", "-h delete", "delete -dh", "delete -l R -h"] {
        let ran = Program::new().words(words).run().exits(0).says_nothing();
        assert!(ran.stdout.starts_with("Usage: connect-cache delete -l LANG -V VERSION"), "{ran:#?}");
        assert!(ran.stdout.ends_with("\nCommon options: connect-cache --help\n"), "{ran:#?}");
    }
}

#[test]
fn prints_the_version_and_the_commit() {
    let version = concat!("connect-cache ", env!("CARGO_PKG_VERSION"));
    let printed = Program::new().words("--version").run().exits(0).says_nothing().stdout;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(root).output();
    let commit = git.ok().filter(|git| git.status.success() && root.join(".git").exists());
    // Another binary may have been built from another commit.
    if std::env::var_os("CONNECT_CACHE_BIN").is_some() {
        assert!(printed.starts_with(version) && printed.lines().count() == 1, "{printed}");
    } else if let Some(commit) = commit {
        let commit = String::from_utf8(commit.stdout).unwrap();
        let versions = ["", "-dirty"].map(|dirty| format!("{version} ({}{dirty})\n", commit.trim()));
        assert!(versions.contains(&printed), "{printed}");
    } else {
        assert_eq!(printed, format!("{version}\n"));
    }
}

#[test]
fn accepts_options_before_and_after_the_command() {
    let server = Server::start(Config::default());
    let url = server.url();
    for words in [
        format!("-s {url} -k admin-key list -l R"),
        format!("list -lR -s{url} -kadmin-key"),
        format!("--server={url} list --language=R --api-key=admin-key"),
        format!("-qs {url} list -l=R -k admin-key --"),
    ] {
        Program::new().words(&words).run().exits(0).prints("R  4.3.0  Local\n");
    }
}

#[test]
fn rejects_mistakes_on_one_line_without_requests() {
    let server = Server::start(Config::default());
    for (words, says) in [
        ("lst", "unknown command 'lst' (did you mean list?); see 'connect-cache --help'"),
        ("list --frob", "unknown option --frob; see 'connect-cache list --help'"),
        ("list extra", "unexpected argument 'extra'"),
        ("task", "task requires ID"),
        ("list --interval x", "invalid --interval 'x': expected seconds from 0 to 31536000"),
        ("list --timeout 31536000.1", "invalid --timeout '31536000.1': expected seconds from 0 to 31536000"),
        ("list --timeout 9999h", "invalid --timeout '9999h': expected seconds from 0 to 31536000"),
        ("list --timeout inf", "invalid --timeout 'inf': expected seconds"),
        ("list --timeout 3d", "invalid --timeout '3d': expected seconds from 0 to 31536000"),
        ("list --request-timeout -1", "invalid --request-timeout '-1': expected seconds"),
        ("list --retries 1000", "invalid --retries '1000': expected a whole number from 0 to 100"),
        ("list --server localhost:3939", "has no scheme; use https://localhost:3939"),
        ("list --server https://user:hunter2@host", "contains user info"),
        ("list --server https://host/?x", "has a query or a fragment; use https://host"),
        ("purge", "no filter specified"),
        ("purge --all -l R", "--all cannot be combined with filters"),
        ("purge --all --max-running 0", "invalid --max-running '0': expected a whole number from 1 to 100"),
        ("purge --all", "cannot ask for confirmation: no terminal; use --yes"),
        ("list --api-key-file /nonexistent", "cannot read the key file /nonexistent"),
        ("list --cacert /nonexistent", "cannot read the CA file /nonexistent"),
    ] {
        run(&server, words).exits(2).prints("").fails_with(says).never_says("hunter2");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn rejects_values_that_no_cache_can_have_without_requests() {
    let server = Server::start(Config::default());
    let r = "expected R or Python";
    for (option, value, says) in [
        ("-l", "Quarto", format!("invalid --language 'Quarto': {r}; see")),
        ("-l", "Pyhton", format!("invalid --language 'Pyhton': {r} (did you mean Python?)")),
        ("-l", "python3", format!("invalid --language 'python3': {r} (did you mean Python?)")),
        ("-l", "", "invalid --language '': it is empty".to_owned()),
        ("-l", "R\r", format!("invalid --language 'R\\r': {r}")),
        ("-V", "", "invalid --version '': it is empty".to_owned()),
        ("-V", "4.3.0\r", "invalid --version '4.3.0\\r': it contains a control character".to_owned()),
        ("-V", " 4.3.0", "invalid --version ' 4.3.0': it begins or ends with a blank".to_owned()),
        ("-I", "", "invalid --image-name '': it is empty".to_owned()),
        ("-I", "Local\r", "invalid --image-name 'Local\\r': it contains a control character".to_owned()),
        ("-I", "Local ", "invalid --image-name 'Local ': it begins or ends with a blank".to_owned()),
    ] {
        for (words, others) in [
            ("list", ""),
            ("purge --yes", ""),
            ("purge --dry-run --json", ""),
            ("delete", "-l R -V 4.3.0"),
            ("delete --json --ignore-not-found", "-l R -V 4.3.0"),
        ] {
            let others: Vec<&str> = others.split_whitespace().collect();
            let others = others.chunks(2).filter(|other| other[0] != option).flatten();
            let program = others.fold(connect_cache(&server).words(words), |program, word| program.arg(word));
            program.arg(option).arg(value).run().exits(2).prints("").fails_with(&says);
        }
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn names_the_command_that_does_it_here() {
    for (words, says) in [
        ("ls", "unknown command 'ls' (did you mean list?)"),
        ("rm -l R -V 4.3.0", "unknown command 'rm' (did you mean delete?)"),
        ("version", "unknown command 'version' (did you mean --version?)"),
        ("system caches list", "unknown command 'system' (did you mean list?)"),
        ("system caches delete -l R -V 4.3.0", "unknown command 'system' (did you mean delete?)"),
    ] {
        Program::new().words(words).run().exits(2).prints("").fails_with(says);
    }
}

#[test]
fn explains_arguments_that_a_command_does_not_take() {
    let server = Server::start(Config::default());
    for (words, says) in [
        ("delete R 4.3.0", "unexpected argument 'R'; use -l R -V 4.3.0; see 'connect-cache delete --help'"),
        (
            "delete R 4.3.1 content-base-jammy",
            "unexpected argument 'R'; use -l R -V 4.3.1 -I content-base-jammy; see",
        ),
        (
            "delete -l R 4.3.1 ghcr.io/a/b:c",
            "unexpected argument '4.3.1'; use -V 4.3.1 -I ghcr.io/a/b:c; see",
        ),
        // It may be a key.
        (
            "delete R 4.3.1 kB7xQ2mZ9vTfL4pWc1sYhN8dRgJ6uEa3",
            "unexpected argument 'R'; use -l R -V 4.3.1; see",
        ),
        ("delete R 4.3.1 part-of -k key", "unexpected argument; see"),
        ("list -l R 4.3.0", "unexpected argument '4.3.0'; use -V 4.3.0"),
        ("purge python", "unexpected argument 'python'; use -l python"),
        // As the shell passes -V 3.* in a directory with files of such names.
        ("purge -y -V 3.9.5 3.9.6", "unexpected argument '3.9.6'; quote globs, since the shell expands them"),
        ("list -I Makefile README.md", "unexpected argument; quote globs, since the shell expands them"),
        (
            "purge -y -I 3.8.1 3.9.6 docs",
            "unexpected argument '3.9.6'; quote globs, since the shell expands them",
        ),
        (
            "delete -l Python -V 3.9.5 3.9.6 Makefile",
            "unexpected argument '3.9.6'; an image needs -I, and only purge takes globs, in quotes; see",
        ),
        ("delete -l R -V 4.3.0 -iLocal", "unknown option -L; -i is --insecure, and the image is -I; see"),
        ("delete -l R -V 4.3.0 -i=Local", "unknown option -=; -i is --insecure, and the image is -I; see"),
        (
            "delete -l R -V 4.3.0 -i Local",
            "unexpected argument 'Local'; -i is --insecure, and the image is -I",
        ),
        ("list -i *-jammy", "unexpected argument; -i is --insecure, and the image is -I"),
    ] {
        run(&server, words).exits(2).prints("").fails_with(says);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn names_the_glob_for_a_version_of_two_parts() {
    let server = Server::start(Config::default());
    let says = "no runtime cache R 4.3 Local; versions have three parts; delete all of 4.3 with: connect-cache purge";
    run(&server, "delete -l R -V 4.3").exits(4).says(&format!("{says} -l R -V '4.3.*' -I Local\n"));
    let ran = run(&server, "delete -l R -V 4.3.* -I content-*").exits(4);
    ran.says("; only filters take globs; use: connect-cache purge -l R -V '4.3.*' -I 'content-*'\n");
    run(&server, "purge -y -V 4.3").exits(0).says("versions have three parts; use a glob: -V '4.3.*'");
}

#[test]
fn names_quotes_that_an_env_file_kept_around_a_path() {
    let server = Server::start(Config::default());
    let program = || connect_cache(&server).without("CONNECT_API_KEY").words("list -q");
    let with = program();
    let key = with.file("key", "admin-key\n");
    for quote in ['"', '\''] {
        let ran = program().env("CONNECT_API_KEY_FILE", format!("{quote}{key}{quote}")).run().exits(2);
        ran.fails_with(&format!(
            "cannot read the key file {quote}{key}{quote}: its path is in quotes; remove them"
        ));
    }
    let list = |name: &str, value: &str| {
        let program = program().env("CONNECT_API_KEY", "admin-key").env(name, value).words("--retries 0 -s");
        program.arg("https://connect.invalid").run()
    };
    let removes = |place: &str| format!("cannot read {place}: its path is in quotes; remove them");
    list("SSL_CERT_FILE", "\"/ca.pem\"")
        .exits(2)
        .fails_with(&removes("the CA file \"/ca.pem\" (SSL_CERT_FILE)"));
    list("SSL_CERT_DIR", "'/certs'").exits(2).fails_with(&removes("the directory '/certs' (SSL_CERT_DIR)"));
    list("CONNECT_CA_CERTIFICATE", "'/ca.pem'").exits(2).fails_with(&removes("the CA file '/ca.pem'"));
    for name in ["HTTPS_PROXY", "ALL_PROXY"] {
        list(name, "\"http://127.0.0.1:1\"")
            .exits(2)
            .fails_with(&format!("the proxy in {name} is in quotes; "));
    }
    // Line ends around it are dropped.
    program().env("CONNECT_API_KEY_FILE", format!("{key}\r\n")).run().exits(0);
    list("SSL_CERT_FILE", "/ca.pem\r\n")
        .exits(2)
        .fails_with("the CA file /ca.pem (SSL_CERT_FILE): No such file");
    // A file may have such a name.
    let with = program();
    with.file("\"key\"", "admin-key\n");
    with.env("CONNECT_API_KEY_FILE", "\"key\"").run().exits(0);
}

#[test]
fn rejects_text_that_is_not_utf_8() {
    let server = Server::start(Config::default());
    let ran = connect_cache(&server).words("list -V").arg(OsStr::from_bytes(b"\xff")).run();
    ran.exits(2).fails_with("an argument is not valid UTF-8");
    let ran =
        connect_cache(&server).env("CONNECT_SERVER", OsStr::from_bytes(b"http://\xff")).words("list").run();
    ran.exits(2).fails_with("invalid CONNECT_SERVER: not UTF-8");
}

#[test]
fn requires_a_server_and_a_key() {
    Program::new().words("list").run().exits(2).fails_with("no server specified; use --server URL");
    let ran = Program::new().words("list -s http://localhost:1").run();
    ran.exits(2).fails_with("no API key specified; use --api-key-file FILE, or set CONNECT_API_KEY");
}

#[test]
fn prefers_flags_to_variables_and_ignores_empty_variables() {
    let server = Server::start(Config::default());
    let program = || connect_cache(&server).words("list -q");
    program().env("CONNECT_API_KEY", "wrong").words("-k admin-key").run().exits(0);
    program().env("CONNECT_SERVER", "").run().exits(2).fails_with("no server specified");
    program().env("CONNECT_API_KEY", "").run().exits(2).fails_with("no API key specified");
    program().env("CONNECT_INSECURE", "").env("CONNECT_CA_CERTIFICATE", "").run().exits(0);
    program()
        .env("CONNECT_INSECURE", "perhaps")
        .run()
        .exits(2)
        .fails_with("invalid CONNECT_INSECURE 'perhaps': expected 1, true");
    program()
        .env("CONNECT_TASK_TIMEOUT", "soon")
        .run()
        .exits(2)
        .fails_with("invalid CONNECT_TASK_TIMEOUT 'soon': expected seconds");
    program().env("CONNECT_TASK_TIMEOUT", "soon").words("--timeout 5").run().exits(0);
    program().env("CONNECT_TASK_TIMEOUT", "2h").words("--request-timeout 1.5m --interval 30s").run().exits(0);
    program().env("CONNECT_REQUEST_TIMEOUT", "nan").run().exits(2).fails_with("CONNECT_REQUEST_TIMEOUT");
}

#[test]
fn takes_the_key_from_flag_file_and_variables_in_this_order() {
    let server = Server::start(Config::default());
    let program = || connect_cache(&server).words("list -q");
    let with_file = |content: &str| {
        let program = program();
        let path = program.file("key", content);
        (program, path)
    };
    let (program_, path) = with_file("\n admin-key \r\n");
    program_.env("CONNECT_API_KEY", "wrong").words("--api-key-file").arg(&path).run().exits(0);
    let (program_, path) = with_file("wrong");
    program_.words("-k admin-key --api-key-file").arg(&path).run().exits(0);
    let (program_, path) = with_file("admin-key");
    program_.without("CONNECT_API_KEY").env("CONNECT_API_KEY_FILE", &path).run().exits(0);
    let (program_, path) = with_file("wrong");
    program_.env("CONNECT_API_KEY_FILE", &path).run().exits(0);
    program().words("--api-key-file -").stdin("admin-key\n").run().exits(0);
    let ran = program().words("--api-key-file -").stdin("two words").run().exits(2);
    ran.fails_with("from standard input: ").never_says("words");
}

#[test]
fn rejects_unsendable_keys_without_showing_them() {
    let server = Server::start(Config::default());
    for key in ["sec\nret", "sec\r\nx-injected: ret", "s\u{e9}cret", "sec ret", " "] {
        let ran = connect_cache(&server).words("list -k").arg(key).run();
        ran.exits(2).fails_with("the API key").never_says("ret").never_says("\u{e9}");
    }
    let program = connect_cache(&server);
    for (content, says) in [("", "is empty"), ("sec\nret", "contains a line break")] {
        let path = program.file("key", content);
        connect_cache(&server).words("list --api-key-file").arg(path).run().exits(2).fails_with(says);
    }
    let padded =
        program.file("padded", &format!("{:\n<65535}{}", "admin-key", "\n".repeat((1 << 20) - 65535)));
    connect_cache(&server).words("list -q --api-key-file").arg(padded).run().exits(0);
    let requests = server.requests().len();
    let big = program.file("big", &"x".repeat((1 << 20) + 1));
    connect_cache(&server)
        .words("list --api-key-file")
        .arg(big)
        .run()
        .exits(2)
        .fails_with("larger than 1 MiB");
    assert_eq!(server.requests().len(), requests);
}

#[test]
fn suggests_the_intended_url() {
    let server = Server::start(Config::default());
    for (address, says) in [
        ("\"https://host:3939\"", "contains quotes; remove them"),
        ("https:\\\\host\\x", "contains backslashes instead of slashes"),
        (
            "https://b\u{fc}cher.example/rsc",
            "has a host name that is not ASCII; write it in its ASCII form, xn--\u{2026}",
        ),
        ("https://host:3939/connect/#/content/1", "a query or a fragment; use https://host:3939"),
    ] {
        let ran = connect_cache(&server).env("CONNECT_SERVER", address).words("list").run();
        let ran = ran.exits(2).fails_with("the server URL ").fails_with(says);
        assert!(ran.stderr.trim_end().ends_with(says), "{ran:#?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn drops_the_api_path_from_the_server_url() {
    let server = Server::start(Config::default());
    let url = format!("{}/__api__/v1/system/caches/runtime/", server.url());
    connect_cache(&server).env("CONNECT_SERVER", url).words("list -q").run().exits(0);
}

#[test]
fn suggests_the_url_without_the_dashboard() {
    let server = Server::builder().prefix("/connect").start();
    // A server may really be under the prefix /connect.
    connect_cache(&server).words("list -q").run().exits(0);
    let root = server.url().strip_suffix("/connect").unwrap().to_owned();
    let headers = vec![("Location".to_owned(), format!("{}/#/login", server.url()))];
    let redirect = Action::Reply { status: 302, headers, body: String::new() };
    for action in [Action::html(200), Action::html(404), redirect] {
        server.fault(Fault::new(Endpoint::List, action));
        let ran = connect_cache(&server).words("list").run().exits(6);
        ran.fails_with(&format!("; /connect is the dashboard; use {root} as the server"));
    }
    // A gateway that is down is not the dashboard.
    server.fault(Fault::new(Endpoint::List, Action::html(502)).times(usize::MAX));
    connect_cache(&server).words("list --retries 0").run().exits(6).never_says("dashboard");
}

#[test]
fn drops_text_pasted_with_a_key() {
    let server = Server::start(Config::default());
    let program = || connect_cache(&server).without("CONNECT_API_KEY").words("list -q");
    for key in [
        "\u{feff}admin-key",
        "'admin-key'",
        "Key admin-key",
        "CONNECT_API_KEY=admin-key",
        "export CONNECT_API_KEY=\"admin-key\"",
    ] {
        program().words("-k").arg(key).run().exits(0);
        program().env("CONNECT_API_KEY", key).run().exits(0);
        let program_ = program();
        let path = program_.file("key", &format!("{key}\r\n"));
        program_.words("--api-key-file").arg(path).run().exits(0);
    }
    assert!(server.requests().iter().all(|r| r.header("authorization") == Some("Key admin-key")));
}

#[test]
fn reads_a_key_file_in_utf_16() {
    let server = Server::start(Config::default());
    let units = || "\u{feff}admin-key\r\n".encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    for bytes in [&little, &big] {
        let program = connect_cache(&server);
        let path = program.file("key", "");
        std::fs::write(&path, bytes).unwrap();
        program.words("list -q --api-key-file").arg(path).run().exits(0);
    }
    let program = connect_cache(&server);
    let path = program.file("key", "");
    std::fs::write(&path, [&little[..], b"\x07"].concat()).unwrap();
    program.words("list -q --api-key-file").arg(path).run().exits(2).fails_with("cannot read the key file ");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn rejects_text_that_may_not_be_a_key() {
    let server = Server::start(Config::default());
    for (key, says) in [
        ("\"hunter2", "a quote on only one side"),
        ("TOKEN=hunter2", "an equals sign"),
        ("Bearer hunter2", "a space"),
        ("CONNECT_API_KEY=", "is empty"),
        ("\u{201c}hunter2\u{201d}", "characters that no key has"),
    ] {
        let ran = connect_cache(&server).words("list").env("CONNECT_API_KEY", key).run();
        ran.exits(2).fails_with(says).never_says("hunter2");
        let ran = connect_cache(&server).words("list -k").arg(key).run();
        ran.exits(2).fails_with(says).never_says("hunter2");
    }
    assert_eq!(server.connections(), 0);
}
