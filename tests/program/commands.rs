//! Printed commands work if they are pasted into a shell.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use connect_test_server::{Plan, Server};

use crate::support::{Program, Ran, binary, connect_cache, run, server_with_tasks_of};

/// Runs the command that the program printed after `text` in a shell that has only
/// `PATH` and `HOME` in its environment.
fn paste(program: &Program, ran: &Ran, text: &str) -> Ran {
    let (_, command) = ran.stderr.split_once(text).unwrap_or_else(|| panic!("no {text:?} in {ran:#?}"));
    let command = command.lines().next().unwrap();
    // Quotes around the whole command belong to the message, and those inside it are for the shell.
    let command = command.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(command);
    let path = program.home();
    let _ = symlink(binary(), path.join("connect-cache"));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env_clear().env("PATH", path).env("HOME", path).current_dir(path);
    let output = shell.output().unwrap();
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

#[test]
fn prints_commands_that_work_when_pasted() {
    let server = server_with_tasks_of(Duration::from_secs(3));
    let shell = Program::new();
    let key = shell.file("the admin's key", "admin-key");
    let run = |words: &str| {
        let program = Program::new().words(words).words("-i -s").arg(server.url());
        program.words("--api-key-file").arg(&key).run()
    };
    let task = run("delete -l R -V 4.3.0 --no-wait").exits(0);
    let printed = format!("--wait -s {} --api-key-file '{}' -i\n", server.url(), key.replace('\'', r"'\''"));
    let task = task.says(&printed);
    let id = task.stdout.trim().to_owned();
    let running = run(&format!("task {id}")).exits(7);
    paste(&shell, &running, "follow it with: ").exits(0).says("succeeded");
    let missing = run("delete -l R -V 9.9.9").exits(4);
    paste(&shell, &missing, "; see ").exits(0).prints_line("Python  3.7.6  Local");
}

#[test]
fn prints_no_secret_in_a_command() {
    let server = server_with_tasks_of(Duration::from_secs(60));
    let ran = run(&server, "delete -k admin-key -l R -V 4.3.0 --timeout 0").exits(7).never_says("admin-key");
    assert!(ran.stderr.trim_end().ends_with(" --wait"), "{ran:#?}");
}

#[test]
fn repeats_a_file_of_headers() {
    let server = Server::builder().start();
    let program = connect_cache(&server);
    program.file("headers", "X-Gate: hunter2\n");
    let ran = program.words("delete -l R -V 9.9.9 -H @headers -H X-More:hunter2").run().exits(4);
    ran.says("; see 'connect-cache list -H @headers'\n").never_says("hunter2");
}

#[test]
fn repeats_a_saved_server_and_a_ca() {
    let server = Server::builder().plan(Plan::lasting(Duration::from_secs(60))).start();
    let program = connect_cache(&server);
    let saved = format!(r#"{{"my server":{{"url":"{}","api_key":"admin-key"}}}}"#, server.url());
    program.file(".rsconnect-python/servers.json", &saved);
    let program = program.words("delete -l R -V 4.3.0 --timeout 0 -n").arg("my server");
    program.run().exits(7).says(" --wait -n 'my server'\n");
}
