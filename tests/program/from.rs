//! `connect-cache purge --from FILE`

use std::time::Duration;

use connect_test_server::{Endpoint, Fault, MissingCache, Plan, Server};
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
    purge(&server, "-y", "r 9 x\nR 9 x\n").exits(4).says("1 not found\n");
    let server = self::server();
    purge(&server, "-y", "PYTHON 3.9.18 Local\nPython 3.9.18 Local\npython 3.9.18 Local\n")
        .exits(0)
        .says("1 deleted\n");
    assert_eq!(deleted(&server), ["Python 3.9.18 Local"]);
}

#[test]
fn deletes_nothing_if_the_input_is_invalid() {
    let row = r#"{"language":"R","version":"4.1.0","image_name":"Local"}"#;
    let server = server();
    for (input, says) in [
        ("R 4.1.0 Local\nS3cret\n", "in -: line 2 is not R or Python, a version"),
        ("R  4.1.0  Local\nR  4.1.0\n", "in -: line 2 is not R or Python, a version"),
        ("R  4.1.0  Local  x\n", "in -: line 1 is not"),
        ("R  4.1.0  Local  1  2\n", "in -: line 1 is not"),
        ("R  4.1.0  Local\n{}\n", "in -: line 2 is not R or Python, a version"),
        (&format!("R  4.1.0  Local\n{row}\n"), "in -: line 2 is not R or Python, a version"),
        (&format!("{row}\nR  4.1.0  Local\n"), "in -: entry 2 is not R or Python, a version"),
        (&format!("{row}\n{{\"language\":\"R\",\"vers"), "in -: entry 2 is not R or Python, a version"),
        (&format!("{row}\n[\"R\",\"4.1.0\",\"Local\"]\n"), "in -: entry 2 is not R or Python, a version"),
        (&format!("{row}\n{{}}\n"), "in -: entry 2 is not R or Python, a version"),
        (&format!("{row}\nnull\n"), "in -: entry 2 is not R or Python, a version"),
        (&format!("[{row},1]\n"), "in -: entry 2 is not"),
        (&format!("{{\"caches\":[{row},[\"R\",\"4.1.0\",\"Local\"]]}}"), "in -: entry 2 is not"),
        (&format!("{{\"caches\":[{row},null]}}"), "in -: entry 2 is not"),
        (r#"{"language":"R","version":"","image_name":"Local"}"#, "in -: entry 1 is not"),
        (r#"{"language":"","version":"4.1.0","image_name":"Local"}"#, "in -: entry 1 is not R or Python"),
        ("# all\nR 4.1.0 Local\nJulia 1.9.0 Local\n", "in -: line 3 is not R or Python"),
        (&format!("[{row},{}]", row.replace("R", "Julia")), "in -: entry 2 is not R or Python"),
        // UTF-16 without a byte order mark.
        ("R\0 \x004\0.\0", "in -: it is not text in UTF-8, or in UTF-16 with a byte order mark"),
        (r#"{"language":"R","version":"4.1.0","image_name":""}"#, "in -: entry 1 is not"),
        (r#"{"language":"R","version":4.1,"image_name":"Local"}"#, "in -: entry 1 is not"),
        (r#"{"language":"R","version":"4.1.0","image_name":null}"#, "in -: entry 1 is not"),
        (&"R  4.1.0  Local\n".repeat(70_000), "larger than 1 MiB"),
    ] {
        purge(&server, "-y --ignore-not-found", input)
            .exits(2)
            .prints("")
            .fails_with(says)
            .never_says("S3cret");
    }
    for file in ["/nonexistent", "/"] {
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
        ["R 4.1 Local not-found", "R 4.1.0 local not-found", "R 4.1.* * not-found", "R 4.1.0 Local deleted"]
    );
    let ran = ran.says("error: no runtime cache R 4.1.0 local; see 'connect-cache list'\n");
    assert_eq!(ran.stderr.lines().last(), Some("1 deleted, 3 not found"));
    assert_eq!(deleted(&server), ["R 4.1.0 Local"]);

    let ran =
        purge(&server, "-y --json --ignore-not-found", "R 4.1.0 Local\nR 4.1.0 ghcr-io-example-r-jammy\n");
    let ran = ran.exits(0).says("R 4.1.0 Local does not exist\n").says("\n1 deleted, 1 absent\n");
    assert!(ran.stdout.contains("\"status\":\"absent\""), "{ran:#?}");
    purge(&server, "-y", "R 8.0.0 x\n").exits(4).prints("").says("\n1 not found\n");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
    let empty = Server::builder().without_caches().start();
    purge(&empty, "-y", "R 8.0.0 x\n")
        .exits(4)
        .says("error: no runtime cache R 8.0.0 x; ")
        .says("\n1 not found\n");
}

#[test]
fn decides_a_row_that_is_not_listed_as_delete_does() {
    for kind in MissingCache::ALL {
        let server = Server::builder().missing_cache(kind).start();
        purge(&server, "-y", "R 4.3.0 Local\nR 9.9.9 Local\n").exits(4).says("\n1 deleted, 1 not found\n");
        let ran = purge(&server, "-y --ignore-not-found", "R 9.9.9 Local\nPython 9.9.9 x\n").exits(0);
        ran.says("R 9.9.9 Local does not exist\n").says("\n2 absent\n");
        // A dry run is about the same rows.
        let ran = purge(&server, "-d", "Python 3.7.6 Local\nR 9.9.9 Local\n").exits(4);
        ran.prints("Python  3.7.6  Local\n").says("\n1 would be deleted, 1 not found\n");
        assert_eq!(requests_to(&server, Endpoint::Delete).len(), 1);
    }
    // A cache that is not listed is deleted if a dry run tells that it exists.
    let server = Server::builder().unlisted(["R 4.2.0 Local"]).start();
    purge(&server, "-y", "R 4.2.0 Local\n").exits(0).says("1 deleted\n");
    assert!(!server.has("R 4.2.0 Local"));
}

#[test]
fn has_nothing_to_do_for_an_empty_file() {
    for input in ["", " \n\n", "# nothing\n", "{\"caches\":[]}\n", "{\"caches\":null}", "[]"] {
        let server = server();
        for words in ["-y", "-d", "-y --json"] {
            let ran = purge(&server, words, input).exits(0).prints("");
            assert_eq!(ran.stderr, "nothing to do: standard input names no caches\n", "{input:?}");
        }
        purge(&server, "-y -q", input).exits(0).prints("").says_nothing();
        assert!(server.requests().is_empty());
    }
    // So a plan can be carried out twice.
    let server = server();
    let plan = run(&server, "list -l Python").exits(0).stdout;
    purge(&server, "-y", &plan).exits(0).says("2 deleted\n");
    purge(&server, "-y", &run(&server, "list -l Python").exits(0).stdout).exits(0).says("nothing to do");
}

#[test]
fn reads_the_plan_of_a_dry_run() {
    let server = server();
    let ran = run(&server, "purge -I Local --dry-run -q").exits(0).says_nothing();
    let plan = "Python  3.9.18  Local\nPython  3.10.1  Local\nR       4.1.0   Local\n";
    assert_eq!(ran.stdout, plan);
    assert_eq!(run(&server, "list -I Local").exits(0).stdout, plan);
    // A person removes a line, and turns another one into a comment.
    let plan = plan.replace("Python  3.9.18  Local\n", "").replace("R ", "# keep this: R ");
    purge(&server, "-y", &plan).exits(0).says("1 deleted\n");
    assert_eq!(deleted(&server), ["Python 3.10.1 Local"]);
}

#[test]
fn skips_comments_and_blank_lines() {
    for input in [
        "# unused since May\n\nR  4.1.0  Local\n  # R  4.3.0  my\n\t\n",
        "# unused since May\n{\"language\":\"R\",\"version\":\"4.1.0\",\"image_name\":\"Local\"}\n\n# the end",
    ] {
        let server = server();
        purge(&server, "-y", input).exits(0).says("1 deleted\n");
        assert_eq!(deleted(&server), ["R 4.1.0 Local"], "{input}");
    }
}

#[test]
fn reads_utf_16_with_a_byte_order_mark() {
    // PowerShell's `>` writes this.
    let units: Vec<u16> =
        "\u{feff}Python  3.9.18  Local\r\nR       4.1.0   Local\r\n".encode_utf16().collect();
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let server = server();
        let program = connect_cache(&server);
        let text: Vec<u8> = units.iter().flat_map(|&unit| bytes(unit)).collect();
        std::fs::write(program.home().join("plan"), text).unwrap();
        program.words("purge -y --from plan").run().exits(0).says("2 deleted\n");
        assert_eq!(deleted(&server), ["Python 3.9.18 Local", "R 4.1.0 Local"]);
    }
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
    for words in ["-y --api-key-file -", "-y -H @-", "-d --api-key-file - -H @-"] {
        let ran = purge(&server, words, "R 4.1.0 Local\n");
        ran.exits(2).fails_with("only one option can read standard input");
    }
    assert!(server.requests().is_empty());
}
