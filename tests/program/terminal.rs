//! Prompts, the live line and colors on a pseudo-terminal.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use connect_test_server::{Action, Config, Content, Endpoint, Fault, Plan, Server};
use rexpect::process::{Signal, WaitStatus};
use rexpect::session::{PtySession, spawn_command};
use tempfile::TempDir;

use crate::support::{Ran, caches, connect_cache, endpoints, requests_to, run, server_with_tasks_of};

/// Time limit for each output to appear. It is far longer than any output takes on a loaded machine.
const TIMEOUT_MS: u64 = 60_000;
/// The note at the start of a purge.
const NOTE_ON_INTERRUPTS: &str = "after Ctrl-C, no further deletion starts, and running tasks continue; see what is left with: connect-cache list";
const TABLE: &str = "Python  3.7.6  Local\r\nR       4.3.0  Local\r\n";

/// A run with a terminal as standard input and standard error, and a file as standard output.
struct AtTerminal {
    session: PtySession,
    out: PathBuf,
    _home: TempDir,
}

impl AtTerminal {
    fn start(server: &Server, words: &str) -> Self {
        Self::start_in_shell(server, words, "exec \"$@\" >out")
    }

    /// Starts a run by a shell script, in which `"$@"` is the command line, to redirect streams in another way.
    fn start_in_shell(server: &Server, words: &str, script: &str) -> Self {
        let (plain, home) = connect_cache(server).words(words).into_command();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh"]).arg(plain.get_program()).args(plain.get_args());
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("NO_COLOR", "1");
        command.current_dir(home.path());
        let session = spawn_command(command, Some(TIMEOUT_MS)).unwrap();
        Self { session, out: home.path().join("out"), _home: home }
    }

    /// Waits for the end of the run. Its standard error is the terminal's output that has not been read.
    fn end(mut self) -> Ran {
        let stderr = self.session.exp_eof().unwrap();
        let status = match self.session.process().wait().unwrap() {
            WaitStatus::Exited(_, status) => Some(status),
            WaitStatus::Signaled(_, Signal::SIGINT, _) => None,
            other => panic!("{other:?}"),
        };
        Ran { stdout: std::fs::read_to_string(&self.out).unwrap_or_default(), stderr, status }
    }
}

#[test]
fn deletes_after_yes() {
    for answer in ["y", "yes", "Y", "Yes", " y "] {
        let server = Server::start(Config::default());
        let mut terminal = AtTerminal::start(&server, "purge --all");
        let question = format!("{TABLE}Delete these 2 runtime caches on {}? [y/N] ", server.url());
        assert_eq!(terminal.session.exp_string(&question).unwrap(), "");
        // The program sends no further request before the answer.
        assert_eq!(endpoints(&server), [Endpoint::List]);
        terminal.session.send_line(answer).unwrap();
        let ran = terminal.end().exits(0).says("2 deleted");
        // The answer has ended the line of the question. The terminal of the tests does not echo it.
        let first = format!("deleting 2 runtime caches on {}", server.url());
        assert_eq!(lines(&ran.stderr)[..2], [first.as_str(), NOTE_ON_INTERRUPTS], "{ran:#?}");
        assert_eq!(ran.stdout.lines().count(), 4, "{ran:#?}");
        assert!(!ran.stdout.contains(['\r', '\x1b', '?']), "{ran:#?}");
        assert!(caches(&server).is_empty(), "{answer}");
    }
}

#[test]
fn shows_the_usage_before_the_prompt() {
    let server = Server::builder().content([Content::items(1500).r("4.3.0")]).start();
    let mut terminal = AtTerminal::start(&server, "purge --all --usage");
    let shown = terminal.session.exp_string("? [y/N] ").unwrap();
    let live = |items| format!("\r\x1b[Kreading the list of content: {items} items, ");
    assert!(shown.contains(&live(0)) && shown.contains(&live(1000)), "{shown:?}");
    let question = format!(
        "\r\x1b[KLANGUAGE  VERSION  IMAGE  CONTENT ITEMS\r\n\
         Python    3.7.6    Local  0\r\nR         4.3.0    Local  1500\r\n\
         2 runtime caches, used by 1500 content items, which rebuild their environments on the next visit\r\n\
         Delete these 2 runtime caches on {}",
        server.url()
    );
    assert!(shown.ends_with(&question), "{shown:?}");
    terminal.session.send_line("n").unwrap();
    terminal.end().exits(2).says("not confirmed");
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn prints_a_heading_over_the_usage_only_on_a_terminal() {
    let server = Server::builder().content([Content::items(7).r("4.3.0")]).start();
    let shown = |words: &str| AtTerminal::start_in_shell(&server, words, "exec \"$@\"").end().exits(0).stderr;
    assert_eq!(
        lines(&shown("list --usage -q")),
        [
            "LANGUAGE  VERSION  IMAGE  CONTENT ITEMS",
            "Python    3.7.6    Local  0",
            "R         4.3.0    Local  7"
        ]
    );
    assert_eq!(lines(&shown("list -q")), ["Python  3.7.6  Local", "R       4.3.0  Local"]);
    assert_eq!(shown("list --usage -q -l R -V 9.*"), "");
    // Standard output is a file, and standard error a terminal.
    for (words, table) in [
        ("list", "Python  3.7.6  Local\nR       4.3.0  Local\n"),
        ("list --usage", "Python  3.7.6  Local  0\nR       4.3.0  Local  7\n"),
        ("purge --all --usage --dry-run", "Python  3.7.6  Local\nR       4.3.0  Local\n"),
    ] {
        AtTerminal::start(&server, words).end().exits(0).prints(table);
    }
}

#[test]
fn deletes_nothing_after_any_other_answer() {
    let server = Server::start(Config::default());
    for answer in ["n", "", "no", "yeah", "j", "yy", "y n"] {
        let mut terminal = AtTerminal::start(&server, "purge -l python");
        let question =
            format!("Python  3.7.6  Local\r\nDelete this runtime cache on {}? [y/N] ", server.url());
        assert_eq!(terminal.session.exp_string(&question).unwrap(), "");
        terminal.session.send_line(answer).unwrap();
        terminal.end().exits(2).prints("").says("error: not confirmed: nothing was deleted");
    }
    assert!(endpoints(&server).iter().all(|&endpoint| endpoint == Endpoint::List));
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn deletes_nothing_after_end_of_input_or_an_interrupt() {
    let server = Server::start(Config::default());
    let prompted = || {
        let mut terminal = AtTerminal::start(&server, "purge --all");
        terminal.session.exp_string("[y/N] ").unwrap();
        terminal
    };
    let mut terminal = prompted();
    terminal.session.send_control('d').unwrap();
    terminal.end().exits(2).prints("").says("not confirmed: nothing was deleted");
    let mut terminal = prompted();
    terminal.session.send_control('c').unwrap();
    let ran = terminal.end().prints("");
    assert_eq!(ran.status, None, "{ran:#?}");
    assert_eq!(endpoints(&server), [Endpoint::List, Endpoint::List]);
    assert_eq!(caches(&server).len(), 2);
}

#[test]
fn prompts_in_quiet_runs() {
    let server = Server::start(Config::default());
    let mut terminal = AtTerminal::start(&server, "purge --all -q");
    assert_eq!(terminal.session.exp_string("? [y/N] ").unwrap().matches("Local").count(), 2);
    terminal.session.send_line("y").unwrap();
    terminal.end().exits(0).never_says("deleted,");
    assert!(caches(&server).is_empty());
}

#[test]
fn prompts_only_before_deletions() {
    for words in ["purge --all -d", "purge -l R -V 9.*", "purge --all --yes"] {
        let server = Server::start(Config::default());
        AtTerminal::start(&server, words).end().exits(0).never_says("[y/N]");
        assert_eq!(caches(&server).is_empty(), words.ends_with("--yes"));
    }
}

#[test]
fn rejects_purges_without_a_terminal_for_the_prompt() {
    let server = Server::start(Config::default());
    for script in [
        "\"$@\" >out 2>err; status=$?; /bin/cat err; exit $status",
        "exec \"$@\" >out </dev/null",
        "echo y | \"$@\" >out",
    ] {
        let terminal = AtTerminal::start_in_shell(&server, "purge --all", script);
        terminal.end().exits(2).prints("").says("error: cannot ask for confirmation: no terminal");
    }
    assert!(server.requests().is_empty());
    assert_eq!(caches(&server).len(), 2);
}

/// Returns the times that the live line showed after `text`.
fn times<'a>(shown: &'a str, text: &str) -> Vec<&'a str> {
    let begin = format!("\r\x1b[K{text}, ");
    shown.split(begin.as_str()).skip(1).map(|rest| rest.split(['\r', '\n', '\x1b']).next().unwrap()).collect()
}

#[test]
fn shows_the_time_of_a_deletion_on_one_live_line() {
    let server = server_with_tasks_of(Duration::from_millis(2500));
    let ran = AtTerminal::start(&server, "delete -l R -V 4.3.0").end().exits(0);
    assert_eq!(ran.stdout, "Deleting runtime cache...\nSuccessfully deleted runtime cache\n");
    let shown = times(&ran.stderr, "deleting");
    assert!(shown.len() >= 3 && shown.iter().all(|time| time.ends_with(" s")), "{ran:#?}");
    assert!(shown.iter().any(|time| time.starts_with("1.")), "{ran:#?}");
    assert!(shown.iter().any(|time| time.starts_with("2.")), "{ran:#?}");
    // The live line is cleared before the last message.
    let last = ran.stderr.rsplit("\x1b[K").next().unwrap();
    assert!(last.starts_with("deleted R 4.3.0 Local in 2.") && last.ends_with(" s\r\n"), "{ran:#?}");
    // No poll is held for longer than a second, so that the live line is updated each second.
    let waits: Vec<_> = requests_to(&server, Endpoint::Task);
    assert!(waits.iter().all(|poll| poll.param("wait") == Some("1")), "{waits:#?}");

    let server = server_with_tasks_of(Duration::from_millis(1200));
    let ran = AtTerminal::start(&server, "delete -q -l R -V 4.3.0").end().exits(0);
    assert_eq!(ran.stderr, "", "{ran:#?}");
}

#[test]
fn shows_the_progress_of_a_purge_on_one_live_line() {
    let server = Server::builder()
        .caches(["R 4.1.0 Local", "R 4.2.0 Local", "R 4.3.0 Local"])
        .plan_for("R 4.1.0 Local", Plan::failing(1, "no"))
        .plan(Plan::lasting(Duration::from_millis(1500)))
        .start();
    let ran = AtTerminal::start(&server, "purge --all --yes --interval 0.2").end().exits(1);
    assert!(!times(&ran.stderr, "1 of 3 done, 2 running, 1 failed").is_empty(), "{ran:#?}");
    assert!(
        ran.stderr.ends_with("\x1b[K2 deleted, 1 failed\r\n")
            || ran.stderr.ends_with("\r\n2 deleted, 1 failed\r\n")
    );
    assert!(!ran.stdout.contains('\x1b') && ran.stdout.lines().count() == 6, "{ran:#?}");
}

#[test]
fn shows_the_time_of_a_task_on_one_live_line() {
    let server = server_with_tasks_of(Duration::from_millis(1500));
    let id = run(&server, "delete --no-wait -q -l R -V 4.3.0").exits(0).stdout.trim().to_owned();
    let ran = AtTerminal::start(&server, &format!("task {id} --wait")).end().exits(0);
    assert!(!times(&ran.stderr, &format!("following task {id}")).is_empty(), "{ran:#?}");
    assert!(ran.stderr.ends_with(&format!("\r\x1b[Ktask {id} succeeded\r\n")), "{ran:#?}");
}

#[test]
fn counts_a_cache_that_was_already_gone_as_no_failure() {
    let server = Server::start(Config::default());
    let missing = Action::error(404, 4, "The requested object does not exist.");
    server.fault(Fault::new(Endpoint::Delete, missing).with_effect());
    let ran = AtTerminal::start(&server, "purge --all --yes").end().exits(0);
    assert_eq!(lines(&ran.stderr).last(), Some(&"1 deleted, 1 absent"), "{ran:#?}");
    ran.never_says("not-found:").never_says("absent:").never_says("1 failed");
}

/// Returns the lines that remain on the terminal.
fn lines(shown: &str) -> Vec<&str> {
    shown.lines().map(|line| line.rsplit("\x1b[K").next().unwrap()).collect()
}

fn server_of_twelve_with_a_failure() -> Server {
    Server::builder()
        .caches((10..22).map(|n| format!("R 4.{n}.0 Local")))
        .plan_for("R 4.14.0 Local", Plan::failing(1, "disk on fire"))
        .start()
}

#[test]
fn prints_one_line_per_cache_of_a_purge_on_a_terminal() {
    let server = server_of_twelve_with_a_failure();
    let ran = AtTerminal::start_in_shell(&server, "purge --all --yes", "exec \"$@\"").end().exits(1);
    let shown = lines(&ran.stderr);
    assert_eq!(shown[0], format!("deleting 12 runtime caches on {}", server.url()));
    assert_eq!(shown[1], NOTE_ON_INTERRUPTS);
    // Each cache has a line for its task, then one for its end. The failure adds that its cache is checked, and the two
    // lines of its task.
    let (body, end) = shown[2..].split_at(12 + 12 + 1 + 2);
    for n in 10..22 {
        let begin = format!("R 4.{n}.0 Local: task ");
        assert!(body.iter().any(|line| line.starts_with(&begin) && line.ends_with(" started")), "{shown:#?}");
    }
    assert!(
        body.contains(&"R 4.14.0 Local: the task failed; checking whether the cache is still there"),
        "{shown:#?}"
    );
    let failed = body.iter().position(|line| line.starts_with("error: ")).unwrap();
    assert_eq!(body[failed - 2], "R 4.14.0 Local: Deleting runtime cache...");
    assert!(body[failed].contains("R 4.14.0 Local failed: disk on fire (task "), "{shown:#?}");
    assert_eq!(body.iter().filter(|line| line.starts_with("deleted R 4.")).count(), 11, "{shown:#?}");
    assert!(end[0].starts_with("failed: R 4.14.0 Local (task ") && end[0].ends_with(')'), "{shown:#?}");
    assert_eq!(end[1..], ["11 deleted, 1 failed"]);

    // The error about a single cache is on the screen, and a dry run cannot be interrupted in the middle of a deletion.
    let ran = AtTerminal::start(&server, "purge -V 4.14.0 --yes").end().exits(1).says("Ctrl-C");
    assert!(!lines(&ran.stderr).iter().any(|line| line.starts_with("failed: ")), "{ran:#?}");
    AtTerminal::start(&server, "purge --all --dry-run").end().exits(0).never_says("Ctrl-C");
}

#[test]
fn deletes_over_a_new_connection_if_the_server_closed_the_first_during_the_prompt() {
    let server = Server::start(Config::default());
    let list = r#"{"caches":[{"language":"R","version":"4.3.0","image_name":"Local"}]}"#;
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{list}", list.len());
    server.fault(Fault::new(Endpoint::List, Action::Raw(reply.into())));
    let mut terminal = AtTerminal::start(&server, "purge --all");
    terminal.session.exp_string("[y/N] ").unwrap();
    // The program's socket leaves the state ESTABLISHED, 01, when it receives the end of the connection.
    let port: u16 = server.url().rsplit(':').next().unwrap().parse().unwrap();
    let has_ended = || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        !sockets.lines().any(|line| line.contains(&format!(":{port:04X} 01 ")))
    };
    let started_at = Instant::now();
    while !has_ended() {
        assert!(started_at.elapsed() < Duration::from_millis(TIMEOUT_MS), "the connection is still open");
        std::thread::sleep(Duration::from_millis(2));
    }
    terminal.session.send_line("y").unwrap();
    terminal.end().exits(0).says("1 deleted");
    assert_eq!(endpoints(&server)[..2], [Endpoint::List, Endpoint::Delete]);
    assert!(requests_to(&server, Endpoint::DryRun).is_empty());
}

#[test]
fn prints_task_output_of_a_verbose_purge_on_a_terminal() {
    let server = server_of_twelve_with_a_failure();
    let ran = AtTerminal::start_in_shell(&server, "purge --all --yes -v", "exec \"$@\"").end().exits(1);
    for n in 10..22 {
        assert!(ran.stderr.contains(&format!("R 4.{n}.0 Local: Deleting runtime cache...\r\n")), "{ran:#?}");
        assert!(ran.stderr.contains(&format!("R 4.{n}.0 Local: task ")), "{ran:#?}");
    }
}

#[test]
fn measures_the_time_of_each_cache_from_its_own_start() {
    let server = server_with_tasks_of(Duration::from_millis(1200));
    let started_at = Instant::now();
    let ran = run(&server, "purge --all -y --max-running 1").exits(0);
    let total = started_at.elapsed();
    let seconds = |cache: &str| {
        let (_, rest) = ran.stderr.split_once(&format!("deleted {cache} in ")).unwrap();
        rest.split_once(" s\n").unwrap().0.parse::<f64>().unwrap()
    };
    // The deletions run one after the other, so their times add up to at most the time of the run, on a busy machine
    // too.
    let (first, second) = (seconds("Python 3.7.6 Local"), seconds("R 4.3.0 Local"));
    assert!(first >= 1.0 && second >= 1.0 && first + second <= total.as_secs_f64() + 0.1, "{ran:#?}");
}

#[test]
fn restarts_the_clock_after_the_prompt() {
    let server = Server::start(Config::default());
    let mut terminal = AtTerminal::start(&server, "purge -l R --timeout 1.5");
    terminal.session.exp_string("[y/N] ").unwrap();
    // The answer comes after the timeout, which must not count the time of the prompt.
    std::thread::sleep(Duration::from_millis(1600));
    terminal.session.send_line("y").unwrap();
    let ran = terminal.end().exits(0);
    assert!(times(&ran.stderr, "0 of 1 done, 1 running, 0 failed").iter().all(|time| time.starts_with("0.")));
}

#[test]
fn does_not_wrap_the_live_line() {
    let server = server_with_tasks_of(Duration::from_millis(1200));
    let ran = AtTerminal::start(&server, "delete -l R -V 4.3.0").end().exits(0);
    let drawn = ran.stderr.matches("\r\x1b[Kdeleting, ").count();
    assert!(drawn > 0 && ran.stderr.matches("\x1b[?7l\r\x1b[Kdeleting, ").count() == drawn, "{ran:#?}");
    assert_eq!(ran.stderr.matches(" s\x1b[?7h").count(), drawn, "{ran:#?}");
}

#[test]
fn writes_no_control_sequences_to_a_dumb_terminal() {
    let server = server_with_tasks_of(Duration::from_millis(1200));
    let script = "unset NO_COLOR; TERM=dumb exec \"$@\"";
    let ran = AtTerminal::start_in_shell(&server, "delete -l R -V 4.3.0", script).end().exits(0);
    assert!(!ran.stderr.contains('\x1b') && !ran.stderr.replace("\r\n", "").contains('\r'), "{ran:#?}");
    let ran = AtTerminal::start_in_shell(&server, "delete -l R -V 9.9.9", script).end().exits(4);
    assert!(!ran.stderr.contains('\x1b'), "{ran:#?}");
}

#[test]
fn colors_errors_and_warnings_on_a_terminal() {
    let server = Server::start(Config::default());
    let colored = |words: &str, script: &str| {
        AtTerminal::start_in_shell(&server, words, &format!("unset NO_COLOR; {script} exec \"$@\" >out"))
            .end()
    };
    let failing = "delete -i -l R -V 9.9.9";
    colored(failing, "")
        .says("\x1b[31merror:\x1b[0m no runtime cache R 9.9.9 Local; ")
        .says("\x1b[33mwarning:\x1b[0m the server");
    colored("lst", "").says("\x1b[31merror:\x1b[0m unknown command");
    colored(failing, "NO_COLOR= TERM=xterm").says("\x1b[31merror:\x1b[0m ");
    colored(failing, "NO_COLOR=1").says("error: no runtime cache R 9.9.9 Local; ").never_says("\x1b[3");
    run(&server, failing).says("error: no runtime cache R 9.9.9 Local; ").never_says("\x1b");
}

#[test]
fn explains_interrupts_at_the_start_of_a_wait() {
    let server = server_with_tasks_of(Duration::from_millis(300));
    let words = format!("delete -l R -V 4.3.0 -s {}", server.url());
    let ran = AtTerminal::start(&server, &words).end().exits(0);
    let started = lines(&ran.stderr)[1].to_owned();
    let id = started.split(' ').nth(4).unwrap();
    let resume = format!("resume with: connect-cache task {id} --wait -s {}", server.url());
    let interrupt = "Ctrl-C stops following, not the task";
    assert_eq!(started, format!("R 4.3.0 Local: task {id} started; {interrupt}; {resume}"));
    let ran = AtTerminal::start(&server, &format!("task {id} --wait")).end().exits(0);
    assert_eq!(lines(&ran.stderr)[0], format!("following task {id}; Ctrl-C stops following, not the task"));
    AtTerminal::start(&server, "delete -l Python -V 3.7.6 --no-wait").end().exits(0).never_says("Ctrl-C");
    run(&server, &format!("task {id} --wait")).exits(0).never_says("Ctrl-C");
}

#[test]
fn prompts_for_all_caches_that_a_file_names() {
    let server = Server::start(Config::default());
    let script = "echo 'R 4.3.0 Local' >f; echo 'R 9.9.9 Local' >>f; exec \"$@\" >out";
    let mut terminal = AtTerminal::start_in_shell(&server, "purge --from f", script);
    // Whether a cache that is not listed exists is found out after the answer.
    let table = "R  4.3.0  Local\r\nR  9.9.9  Local\r\n";
    let question = format!("{table}Delete these 2 runtime caches on {}? [y/N] ", server.url());
    assert_eq!(terminal.session.exp_string(&question).unwrap(), "");
    terminal.session.send_line("n").unwrap();
    terminal.end().exits(2);
    assert_eq!(endpoints(&server), [Endpoint::List]);
    let mut terminal = AtTerminal::start_in_shell(&server, "purge --from f", script);
    terminal.session.exp_string(&question).unwrap();
    terminal.session.send_line("y").unwrap();
    let ran = terminal.end().exits(4).says("error: no runtime cache R 9.9.9 Local; ");
    assert_eq!(lines(&ran.stderr).last(), Some(&"1 deleted, 1 not found"), "{ran:#?}");
    assert_eq!(caches(&server), ["Python 3.7.6 Local"]);
    // There is no prompt if a file names no cache.
    AtTerminal::start_in_shell(&server, "purge --from f", ": >f; exec \"$@\" >out")
        .end()
        .exits(0)
        .never_says("[y/N]");
}
