//! `connect-cache purge --from FILE`

use std::time::Duration;

use connect_test_server::{Endpoint, Fault, Plan, Server};
use serde_json::Value;

use crate::support::{Ran, caches, connect_cache, requests_to, run};

fn server() -> Server {
    let caches = [
        "Python 3.9.18 Local",
        "Python 3.10.1 Local",
        "R 4.1.0 Local",
        "R 4.1.0 ghcr-io-example-r-jammy",
        "R 4.3.0 my",
    ];
    Server::builder().caches(caches).start()
}

/// Runs `purge --from -` with these arguments and this input.
fn purge(server: &Server, words: &str, input: &str) -> Ran {
    connect_cache(server).words("purge --from -").words(words).stdin(input).run()
}

/// Returns the caches that are no longer on the server.
fn deleted(server: &Server) -> Vec<String> {
    let left = caches(server);
    caches(&self::server()).into_iter().filter(|cache| !left.contains(cache)).collect()
}

#[test]
fn deletes_only_the_caches_in_the_file() {
    let pretty = r#"{
      "language": "R",
      "version": "4.1.0",
      "image_name": "ghcr-io-example-r-jammy"
    }"#;
    let both = ["Python 3.9.18 Local", "R 4.1.0 ghcr-io-example-r-jammy"];
    for (input, expected) in [
        ("Python  3.9.18  Local\nR       4.1.0   ghcr-io-example-r-jammy\n", &both[..]),
        ("Python 3.9.18 Local\r\n\r\n  R\t4.1.0\tghcr-io-example-r-jammy", &both),
        ("Python  3.9.18  Local                    0\nR       4.1.0   ghcr-io-example-r-jammy  12\n", &both),
        ("\u{feff}Python  3.9.18  Local  -\n", &both[..1]),
        ("R  4.3.0  my  3\n", &["R 4.3.0 my"]),
        (
            r#"{"caches":[{"language":"Python","version":"3.9.18","image_name":"Local","content":0}]}"#,
            &both[..1],
        ),
        (
            "{\"language\":\"Python\",\"version\":\"3.9.18\",\"image_name\":\"Local\"}\n\
             {\"image_name\":\"ghcr-io-example-r-jammy\",\"version\":\"4.1.0\",\"language\":\"R\",\"more\":[{}]}\n",
            &both,
        ),
        ("\u{feff}{\"language\":\"Python\",\"version\":\"3.9.18\",\"image_name\":\"Local\"}", &both[..1]),
        (pretty, &both[1..]),
        (&format!("[{pretty}]"), &both[1..]),
    ] {
        let server = server();
        purge(&server, "-y", input).exits(0).says(&format!("{} deleted\n", expected.len()));
        assert_eq!(deleted(&server), expected, "{input}");
    }
}

#[test]
fn reads_the_output_of_list() {
    let server = server();
    for words in ["list -I Local", "list -I Local --json", "purge -I Local --dry-run --json"] {
        let shown = run(&server, words).exits(0).stdout;
        let ran = purge(&server, "--dry-run --json", &shown).exits(0).says("3 would be deleted\n");
        assert_eq!(ran.stdout, run(&server, "purge -I Local --dry-run --json").stdout, "{words}");
    }
    let record = run(&server, "delete -l r -V 4.1.0 --json").exits(0).stdout;
    purge(&server, "-y", &record).exits(4).says("no runtime cache R 4.1.0 Local; ");
    assert!(requests_to(&server, Endpoint::Delete).len() == 1);
}

#[test]
fn does_not_split_an_image_name_at_a_space() {
    let server = server();
    for input in ["R  4.3.0  my 3\n", "R       4.3.0  my 3  7\n"] {
        purge(&server, "-y", input).exits(4).says("error: no runtime cache R 4.3.0 my 3; ");
    }
    assert_eq!(deleted(&server), Vec::<String>::new());
}

#[test]
fn reads_a_file() {
    let server = server();
    let program = connect_cache(&server);
    let file = program.file("chosen", "R  4.1.0  Local\n");
    program.words("purge -y --from").arg(file).run().exits(0).says("1 deleted");
    assert_eq!(deleted(&server), ["R 4.1.0 Local"]);
}

#[test]
fn counts_a_repeated_cache_once() {
    let server = server();
    purge(&server, "-y", "R 4.1.0 Local\nR  4.1.0  Local\nR 4.1.0 Local 3\n").exits(0).says("1 deleted\n");
    purge(&server, "-y", "R 9 x\nR 9 x\n").exits(4).says("1 not found\n");
}

#[test]
fn deletes_nothing_if_the_input_is_invalid() {
    let row = r#"{"language":"R","version":"4.1.0","image_name":"Local"}"#;
    let server = server();
    for (input, says) in [
        ("", "cannot read the caches in -: it contains no caches"),
        (" \n\n", "cannot read the caches in -: it contains no caches"),
        ("{\"caches\":[]}\n", "cannot read the caches in -: it contains no caches"),
        ("R 4.1.0 Local\nS3cret\n", "invalid entry 2; use"),
        ("R  4.1.0  Local\nR  4.1.0\n", "invalid entry 2; use"),
        ("R  4.1.0  Local  x\n", "entry 1; use"),
        ("R  4.1.0  Local  1  2\n", "entry 1; use"),
        ("R  4.1.0  Local\n{}\n", "invalid entry 2; use"),
        (&format!("R  4.1.0  Local\n{row}\n"), "invalid entry 2; use"),
        (&format!("{row}\nR  4.1.0  Local\n"), "invalid entry 2; use"),
        (&format!("{row}\n{{\"language\":\"R\",\"vers"), "invalid entry 2; use"),
        (&format!("{row}\n[\"R\",\"4.1.0\",\"Local\"]\n"), "invalid entry 2; use"),
        (&format!("{row}\n{{}}\n"), "invalid entry 2; use"),
        (&format!("{row}\nnull\n"), "invalid entry 2; use"),
        (&format!("[{row},1]\n"), "entry 1; use"),
        ("[]", "cannot read the caches in -: it contains no caches"),
        (&format!("{{\"caches\":[{row},[\"R\",\"4.1.0\",\"Local\"]]}}"), "entry 1; use"),
        (&format!("{{\"caches\":[{row},null]}}"), "entry 1; use"),
        ("{\"caches\":null}", "cannot read the caches in -: it contains no caches"),
        (r#"{"language":"R","language":"R","version":"4.1.0","image_name":"Local"}"#, "entry 1; use"),
        (
            r#"{"language":"R","version":"","image_name":"Local"}"#,
            "cannot read the caches in -: it contains no caches",
        ),
        (r#"{"language":"R","version":4.1,"image_name":"Local"}"#, "entry 1; use"),
        (r#"{"language":"R","version":"4.1.0","image_name":null}"#, "entry 1; use"),
        (&"R  4.1.0  Local\n".repeat(70_000), "larger than 1 MiB"),
    ] {
        purge(&server, "-y --ignore-not-found", input)
            .exits(2)
            .prints("")
            .fails_with(says)
            .never_says("S3cret");
    }
    for file in ["/nonexistent", "/", ""] {
        let ran = connect_cache(&server).words("purge -y --from").arg(file).run();
        ran.exits(2).prints("").fails_with(&format!("cannot read the caches in {file}: "));
    }
    let program = connect_cache(&server);
    std::fs::write(program.home().join("latin1"), b"R  4.1.0  Local\n\xff").unwrap();
    program
        .words("purge -y --from latin1")
        .run()
        .exits(2)
        .prints("")
        .fails_with("cannot read the caches in latin1: it is not text in UTF-8");
    assert!(server.requests().is_empty());
}

#[test]
fn reports_caches_that_are_not_listed() {
    let input = "R  4.1.0  Local\nr  4.1.0  Local\nR  4.1.0  local\nR  4.1  Local\nR  4.1.*  *\n";
    let server = server();
    let ran = purge(&server, "-y --json", input).exits(4);
    let statuses: Vec<String> = (ran.stdout.lines())
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|r| {
            format!("{} {} {} {}", r["language"], r["version"], r["image_name"], r["status"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        statuses,
        [
            "R 4.1 Local not-found",
            "R 4.1.0 local not-found",
            "R 4.1.* * not-found",
            "r 4.1.0 Local not-found",
            "R 4.1.0 Local deleted"
        ]
    );
    let ran = ran.says("error: no runtime cache r 4.1.0 Local; see 'connect-cache list'\n");
    assert_eq!(ran.stderr.lines().last(), Some("1 deleted, 4 not found"));
    assert_eq!(deleted(&server), ["R 4.1.0 Local"]);

    let ran =
        purge(&server, "-y --json --ignore-not-found", "R 4.1.0 Local\nR 4.1.0 ghcr-io-example-r-jammy\n");
    let ran = ran.exits(0).says("R 4.1.0 Local does not exist\n").says("\n1 deleted, 1 already gone\n");
    assert!(ran.stdout.contains("\"status\":\"absent\""), "{ran:#?}");
    purge(&server, "-y", "R 8.0.0 x\n").exits(4).prints("").says("\n1 not found\n");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
    let empty = Server::builder().without_caches().start();
    purge(&empty, "-y", "R 8.0.0 x\n")
        .exits(4)
        .says("there are no runtime caches on")
        .says("\n1 not found\n");
}

#[test]
fn exits_4_only_if_nothing_worse_happened() {
    for (plan, status) in
        [(Plan::failing(1, "no"), 1), (Plan::lasting(Duration::from_secs(60)), 7), (Plan::default(), 4)]
    {
        let server = Server::builder().plan(plan).start();
        purge(&server, "-y --timeout 1", "R 4.3.0 Local\nR 9.9.9 Local\n").exits(status).says("1 not found");
    }
    let server = server();
    server.fault(Fault::new(Endpoint::List, connect_test_server::Action::error(403, 22, "no")));
    purge(&server, "-y", "R 9.9.9 Local\n").exits(3).prints("");
}

#[test]
fn rejects_a_file_with_filters() {
    let server = server();
    for words in ["-l R", "-V *", "-I *", "--orphaned", "--unused", "--usage", "--all"] {
        let ran = purge(&server, &format!("-y {words}"), "R 4.1.0 Local\n");
        ran.exits(2).fails_with("--from cannot be combined with filters, --usage or --all");
    }
    run(&server, "purge --all -y --ignore-not-found")
        .exits(2)
        .fails_with("--ignore-not-found requires --from");
    purge(&server, "", "R 4.1.0 Local\n")
        .exits(2)
        .fails_with("cannot ask for confirmation: standard input names");
    let ran = purge(&server, "-y --api-key-file -", "R 4.1.0 Local\n");
    ran.exits(2).fails_with("--from - cannot be combined with --api-key-file -");
    assert!(server.requests().is_empty());
}
