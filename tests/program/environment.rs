//! Unusual environments, such as closed streams and a read-only root, and signals at each stage of a deletion.
//!
//! Tests that need a namespace print that they are skipped if the system does not allow one.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use connect_test_server::pki::Ca;
use connect_test_server::{Action, Config, Endpoint, Fault, Server};

use crate::support::{Ran, binary, caches, connect_cache, server_over_tls, server_with_tasks_of};

/// The exit status of a script if the system does not allow the environment that it needs.
const NOT_ALLOWED: i32 = 99;

/// Returns a shell that runs a script, in which `"$0"` is the program. The server, the key and `PATH` are the only
/// variables in its environment.
fn shell(server: &Server, script: &str) -> Command {
    // A program that runs the tests may ignore signals, and its children inherit that.
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal", "sh", "-c", script, &binary()]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("CONNECT_SERVER", server.url()).env("CONNECT_API_KEY", "admin-key").stdin(Stdio::null());
    command
}

fn ran(Output { status, stdout, stderr }: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { stdout: text(stdout), stderr: text(stderr), status: status.code() }
}

fn run(server: &Server, script: &str) -> Ran {
    ran(shell(server, script).output().unwrap())
}

/// Runs a script. Returns `None` if it exits with [`NOT_ALLOWED`], since the system does not allow `feature`.
fn run_if_allowed(server: &Server, feature: &str, script: &str) -> Option<Ran> {
    let ran = run(server, script);
    if ran.status == Some(NOT_ALLOWED) {
        eprintln!("skipped: this system does not allow {feature}");
        return None;
    }
    Some(ran)
}

const LIST: &str = "Python  3.7.6  Local\nR       4.3.0  Local\n";

#[test]
fn needs_no_home_and_no_path() {
    let server = Server::start(Config::default());
    run(&server, "unset PATH; exec \"$0\" list").exits(0).prints(LIST).says_nothing();
    let ran = run(&server, "unset CONNECT_SERVER; exec \"$0\" list").exits(2);
    ran.fails_with("no server specified");
}

#[test]
fn drops_line_ends_that_an_env_file_left_around_values() {
    let server = Server::start(Config::default());
    let set = |end: &str| {
        let program = connect_cache(&server).env("CONNECT_SERVER", format!("{}{end}", server.url()));
        program.env("CONNECT_API_KEY", format!("admin-key{end}")).words("list")
    };
    for end in ["\r", "\r\n", "\n", " \t"] {
        set(end).run().exits(0).prints(LIST).says_nothing();
    }
    let padded = format!(" {} ", server.url());
    connect_cache(&server).words("list -k").arg(" admin-key\r\n").arg("-s").arg(padded).run().exits(0);
    assert!(server.requests().iter().all(|request| request.header("authorization") == Some("Key admin-key")));
    // More than one line is more than a key or a URL.
    let ran = set("\r\nhunter2").run().exits(2).fails_with("the server URL").never_says("hunter2");
    ran.prints("");
    let program = connect_cache(&server).env("CONNECT_API_KEY", "admin-key\r\nhunter2");
    program.words("list").run().exits(2).fails_with("contains a line break").never_says("hunter2");
}

#[test]
fn reports_the_true_status_with_all_streams_closed() {
    let server = Server::start(Config::default());
    let closed = "<&- >&- 2>&-";
    run(&server, &format!("exec \"$0\" delete -l R -V 4.3.0 {closed}")).exits(0);
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
    run(&server, &format!("exec \"$0\" delete -l R -V 4.3.0 {closed}")).exits(4);
    run(&server, &format!("exec \"$0\" purge --all {closed}")).exits(2);
}

#[test]
fn keeps_a_closed_stream_from_becoming_the_connection() {
    // Otherwise the connection would get the number of the closed stream, and results would go to the server.
    let server = Server::start(Config::default());
    run(&server, "exec \"$0\" list -v >&-").exits(0);
    run(&server, "exec \"$0\" list -v 2>&-").exits(0).prints(LIST);
    assert!(server.requests().iter().all(|request| request.endpoint == Endpoint::List));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn reports_the_true_status_if_standard_error_is_full() {
    let server = Server::start(Config::default());
    run(&server, "exec \"$0\" delete -l R -V 4.3.0 2>/dev/full").exits(0);
    run(&server, "exec \"$0\" delete -l R -V 4.3.0 2>/dev/full").exits(4);
}

#[test]
fn deletes_nothing_without_a_terminal_for_the_prompt() {
    let server = Server::start(Config::default());
    let ran = run(&server, "exec setsid -w \"$0\" purge --all").exits(2);
    ran.fails_with("cannot ask for confirmation: no terminal");
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn prints_the_same_in_every_locale() {
    let server = Server::start(Config::default());
    // In Turkish, the capital of i is not I.
    for locale in ["C", "POSIX", "de_DE.UTF-8", "tr_TR.UTF-8", "nonsense"] {
        let script = format!("LC_ALL={locale} LANG={locale} LANGUAGE={locale} exec \"$0\" list -l PYTHON");
        run(&server, &script).exits(0).prints("Python  3.7.6  Local\n").says_nothing();
    }
}

#[test]
fn reaches_a_server_by_an_ipv6_literal() {
    let Ok(server) = Server::builder().listen("[::1]:0").try_start() else {
        eprintln!("skipped: this system has no IPv6");
        return;
    };
    run(&server, "exec \"$0\" delete -l R -V 4.3.0 -q").exits(0);
    assert!(server.requests()[0].header("host").unwrap().starts_with("[::1]:"));
}

#[test]
fn runs_in_twenty_megabytes_of_address_space() {
    let server = Server::start(Config::default());
    run(&server, "ulimit -v 20480; exec \"$0\" list").exits(0).prints(LIST).says_nothing();
}

#[test]
fn reaches_a_server_over_ipv6_alone() {
    let server = Server::start(Config::default());
    // The namespace has a loopback interface of its own: nothing listens there, and IPv4 is gone.
    let script = "unshare -rn true 2>/dev/null || exit 99
        exec unshare -rn sh -c 'ip link set lo up && ip addr del 127.0.0.1/8 dev lo || exit 99
        \"$0\" list -s http://[::1]:9 --retries 0' \"$0\"";
    if let Some(ran) = run_if_allowed(&server, "network namespaces", script) {
        ran.exits(6).fails_with("refused");
    }
}

#[test]
fn runs_on_a_read_only_root() {
    let server = Server::start(Config::default());
    let script = "exec unshare -m sh -c 'mount --bind / / 2>/dev/null || exit 99
        mount -o remount,bind,ro / 2>/dev/null || exit 99
        exec chroot / sh -c \"touch /written 2>/dev/null && exit 98; exec \\\"\\$0\\\" list\" \"$0\"' \"$0\"";
    let script = format!("unshare -m true 2>/dev/null || exit 99; {script}");
    if let Some(ran) = run_if_allowed(&server, "a read-only root", &script) {
        ran.exits(0).prints(LIST).says_nothing();
    }
}

#[test]
fn trusts_the_store_of_the_system() {
    let ca = Ca::new();
    let server = server_over_tls(&ca, Config::default());
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("ca.pem");
    std::fs::write(&pem, ca.pem()).unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Ca::new().pem()).unwrap();
    let (pem, other) = (pem.display(), other.display());
    let store = "/etc/ssl/certs/ca-certificates.crt";
    let unreadable = format!("cannot read the system's store {store}");
    for (prepare, status, says) in [
        (format!("mkdir /etc/ssl/certs && cp {pem} {store}"), 0, ""),
        (format!("mkdir /etc/ssl/certs && cp {pem} /etc/ssl/certs/ca-bundle.crt"), 0, ""),
        // OpenWrt's store has no bundle.
        (format!("mkdir /etc/ssl/certs && cp {pem} /etc/ssl/certs/5ed36f99.0"), 0, ""),
        (format!("mkdir /etc/ssl/certs && cp {other} {store} && cp {pem} /etc/ssl/certs/5ed36f99.0"), 0, ""),
        (format!("mkdir /etc/ssl/certs && cp {other} {store}"), 6, "no trusted CA issued it"),
        // Without a store, and with an empty one, the Mozilla roots are trusted.
        ("true".to_owned(), 6, "no trusted CA issued it"),
        (format!("mkdir /etc/ssl/certs && : >{store}"), 6, "no trusted CA issued it"),
        (format!("mkdir -p {store}"), 2, unreadable.as_str()),
    ] {
        let script = format!(
            "unshare -rm true 2>/dev/null && [ -d /etc/ssl ] || exit 99
            exec unshare -rm sh -c 'mount -t tmpfs tmpfs /etc/ssl && {prepare} || exit 99; \"$0\" list' \"$0\""
        );
        if let Some(ran) = run_if_allowed(&server, "mount namespaces", &script) {
            ran.exits(status).prints(if status == 0 { LIST } else { "" }).says(says);
        }
    }
}

#[test]
fn accepts_a_secret_that_all_users_of_a_container_can_read() {
    let server = Server::start(Config::default());
    // Docker mounts secrets with this mode.
    let script = "unshare -rm true 2>/dev/null && [ -d /run ] || exit 99
        exec unshare -rm sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/secrets || exit 99
        echo admin-key >/run/secrets/key && chmod 444 /run/secrets/key && ln -s /run/secrets/key /run/link
        unset CONNECT_API_KEY
        \"$0\" list --api-key-file /run/secrets/key && CONNECT_API_KEY_FILE=/run/link \"$0\" list' \"$0\"";
    if let Some(ran) = run_if_allowed(&server, "mount namespaces", script) {
        ran.exits(0).prints(&LIST.repeat(2)).says_nothing();
    }
}

#[test]
fn needs_no_privileges() {
    let server = Server::start(Config::default());
    let drop = "setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all";
    // The program may be in a directory that only its owner can enter.
    let script = format!("{drop} test -x \"$0\" 2>/dev/null || exit 99; exec {drop} \"$0\" list");
    if let Some(ran) = run_if_allowed(&server, "another user to run the program", &script) {
        ran.exits(0).prints(LIST).says_nothing();
    }
}

#[test]
fn runs_with_a_clock_that_started_years_ago() {
    let server = server_with_tasks_of(Duration::from_millis(300));
    let unshare = "unshare -T --monotonic 300000000 --boottime 300000000";
    let script = format!("{unshare} true 2>/dev/null || exit 99; exec {unshare} \"$0\" delete -qlR -V4.3.0");
    if let Some(ran) = run_if_allowed(&server, "time namespaces", &script) {
        ran.exits(0).says_nothing();
    }
}

/// Starts a deletion, sends it a signal once a request to `stage` has arrived, and returns how it ended.
fn signaled(server: &Server, stage: Endpoint, signal: &str, words: &str) -> Output {
    let mut command = shell(server, &format!("exec \"$0\" {words}"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for("the stage", Duration::from_secs(30), |requests| {
        requests.iter().any(|request| request.endpoint == stage)
    });
    let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    child.wait_with_output().unwrap()
}

#[test]
fn ends_by_a_signal_at_each_stage() {
    for (signal, number) in [("TERM", 15), ("HUP", 1), ("INT", 2)] {
        for stage in [Endpoint::List, Endpoint::Delete, Endpoint::Task] {
            let server = server_with_tasks_of(Duration::from_secs(60));
            // The server never replies, so the program is still waiting when the signal arrives.
            server.fault(Fault::new(stage, Action::Stall).with_effect());
            let output = signaled(&server, stage, signal, "purge -y -l R");
            assert_eq!(output.status.signal(), Some(number), "{signal} at {stage:?}");
            let stderr = String::from_utf8(output.stderr).unwrap();
            let mut lines = stderr.lines();
            let first = lines.next().unwrap_or_default();
            assert_eq!(
                first.starts_with("deleting 1 runtime cache on "),
                stage != Endpoint::List,
                "{stderr}"
            );
            // The task can be resumed if its ID was printed.
            let is_id = |line: &str| line.starts_with("R 4.3.0 Local: task ") && line.ends_with(" started");
            assert_eq!(lines.next().is_some_and(is_id), stage == Endpoint::Task, "{signal}: {stderr}");
            assert_eq!(lines.next(), None);
        }
    }
}

#[test]
fn ignores_a_broken_pipe_signal_at_each_stage() {
    for stage in [Endpoint::List, Endpoint::Delete, Endpoint::Task] {
        let server = server_with_tasks_of(Duration::from_millis(200));
        server.fault(Fault::new(stage, Action::Delay(Duration::from_millis(200))));
        let ran = ran(signaled(&server, stage, "PIPE", "purge -y -l R")).exits(0);
        ran.says("deleted R 4.3.0 Local");
        assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
    }
}
