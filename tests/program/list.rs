//! `connect-cache list`

use connect_test_server::{Endpoint, Installation, Installations, List, Management, Server};

use crate::support::{endpoints, requests_to, run};

fn server() -> Server {
    let caches = [
        "R 4.3.0 Local",
        "Python 3.10.1 Local",
        "Python 3.9.18 ghcr-io-rstudio-content-jammy",
        "Python 3.9.18 Local",
    ];
    Server::builder().caches(caches).start()
}

#[test]
fn shows_a_table_sorted_by_language_version_and_image() {
    run(&server(), "list").exits(0).says_nothing().prints(
        "Python  3.9.18  Local\n\
         Python  3.9.18  ghcr-io-rstudio-content-jammy\n\
         Python  3.10.1  Local\n\
         R       4.3.0   Local\n",
    );
}

#[test]
fn applies_filters() {
    let server = server();
    for (words, expected) in [
        ("-l python -V 3.10.1", "Python  3.10.1  Local\n"),
        ("-l PYTHON -V 3.1*", "Python  3.10.1  Local\n"),
        ("-V ?.3.?", "R  4.3.0  Local\n"),
        ("-I *jammy", "Python  3.9.18  ghcr-io-rstudio-content-jammy\n"),
    ] {
        run(&server, &format!("list {words}")).exits(0).says_nothing().prints(expected);
    }
}

#[test]
fn exits_0_with_a_note_if_no_caches_match() {
    let server = server();
    run(&server, "list -V 9.9.9").exits(0).prints("").says("no runtime caches match");
    run(&server, "list -q -V 9.9.9").exits(0).prints("").says_nothing();
    run(&server, "list --json -V 9.9.9").exits(0).prints("{\"caches\":[]}\n");
    for (version, glob) in [("4.3", "'4.3.*'"), ("4", "'4.*'"), ("4.", "'4.*'")] {
        let says = format!("versions have three parts; use a glob: -V {glob}\n");
        run(&server, &format!("list -V {version}")).exits(0).says(&says);
        run(&server, &format!("purge -y -V {version}")).exits(0).says(&says);
    }
    for version in ["9.9.9", "9.*", "9.x", "?"] {
        run(&server, &format!("list -V {version}")).exits(0).never_says("use a glob");
    }
}

#[test]
fn reports_a_server_without_runtime_caches() {
    let server = Server::builder().without_caches().start();
    let says = format!("there are no runtime caches on {}\n", server.url());
    for words in ["list", "list -l R", "list --orphaned"] {
        let ran = run(&server, words).exits(0).prints("");
        assert_eq!(ran.stderr, says, "{words}");
    }
    run(&server, "list -q").exits(0).prints("").says_nothing();
}

#[test]
fn prints_json_in_the_shape_of_the_api() {
    run(&server(), "list --json -l R")
        .exits(0)
        .says_nothing()
        .prints("{\"caches\":[{\"language\":\"R\",\"version\":\"4.3.0\",\"image_name\":\"Local\"}]}\n");
}

#[test]
fn sends_one_request_with_key_and_user_agent() {
    let server = server();
    run(&server, "list").exits(0);
    let requests = requests_to(&server, Endpoint::List);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), Some("Key admin-key"));
    assert!(requests[0].header("user-agent").unwrap().starts_with("connect-cache/"));
    assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
}

#[test]
fn accepts_a_path_prefix_and_the_api_path() {
    let server = Server::builder().prefix("/connect").start();
    for tail in ["", "/", "/__api__", "/__api__/"] {
        run(&server, &format!("list -q -s {}{tail}", server.url())).exits(0).says_nothing();
    }
    let root = server.url().replace("/connect", "");
    run(&server, &format!("list -s {root}")).exits(6).says("check the server URL, including any path prefix");
}

#[test]
fn explains_missing_permissions() {
    let server = server();
    run(&server, "list -k wrong").exits(3).fails_with("code 30) (").fails_with("; check the API key");
    run(&server, "list -k publisher-key")
        .exits(3)
        .fails_with("code 22) (")
        .fails_with("; use an API key with the administrator role");
    run(&server, "list -k locked-key").exits(3).fails_with("; an administrator can unlock the user");
}

#[test]
fn explains_that_the_server_is_too_old() {
    let old = Server::builder().management(Management::Missing).start();
    run(&old, "list").exits(5).fails_with("runtime caches require Connect 2023.05 or later");
    let disabled = Server::builder().management(Management::Disabled).start();
    run(&disabled, "list").exits(5).fails_with("Runtime cache management is disabled. (HTTP 400, code 194)");
}

#[test]
fn selects_versions_that_the_server_no_longer_offers() {
    let offered =
        [Installation::local("3.10.1"), Installation::in_image("3.9.18", "ghcr.io/rstudio/content:jammy")];
    let server = Server::builder()
        .caches(server().caches())
        .installations_python(offered)
        .installations_r(Installations::local("4.4.0"))
        .start();
    run(&server, "list --orphaned").exits(0).says_nothing().prints(
        "Python  3.9.18  Local\n\
         R       4.3.0   Local\n",
    );
    run(&server, "list --orphaned -l r").exits(0).prints("R  4.3.0  Local\n");
    // The second run, which selects R, does not request the installations of Python.
    assert_eq!(endpoints(&server).iter().filter(|&&e| e == Endpoint::InstallationsPython).count(), 1);
}

#[test]
fn excludes_caches_that_may_be_in_use_from_orphaned_ones() {
    let caches = ["R 4.3.0 Local", "Quarto 1.4.0 Local"];
    let server = Server::builder().caches(caches).installations_r([]).start();
    run(&server, "list --orphaned")
        .exits(0)
        .prints("")
        .says("no R cache counts as orphaned: the server reports no installation of it")
        .says("no Quarto cache counts as orphaned: the server reports no installation of it");

    let server = Server::builder().caches(caches).installations_r(Installations::Missing).start();
    let ran = run(&server, "list --orphaned").exits(5).prints("");
    ran.says("cannot list the server's R installations")
        .says("; this version of Connect does not support --orphaned");
}

#[test]
fn explains_the_spelling_of_image_names() {
    let server = server();
    run(&server, "list -I ghcr.io/rstudio/content:jammy")
        .exits(0)
        .prints("")
        .says("the server may list images in another spelling than 'ghcr.io/rstudio/content:jammy'; use a glob: -I '*jammy*'");
    run(&server, "purge -y -I ghcr.io/rstudio/content:jammy")
        .exits(0)
        .says("may list images in another spelling");
    for other in ["list -I *:jammy", "list -I jammy", "list -V 9.9.9"] {
        run(&server, other).exits(0).never_says("spelling");
    }
}

#[test]
fn counts_a_repeated_row_once() {
    let server = Server::builder().list(List { rows_twice: true, ..List::default() }).start();
    run(&server, "list").exits(0).prints("Python  3.7.6  Local\nR       4.3.0  Local\n");
    run(&server, "check").exits(0).prints_line("ok    runtime caches can be managed: there are 2");
    run(&server, "purge --all -y").exits(0).says("2 deleted");
    assert_eq!(requests_to(&server, Endpoint::Delete).len(), 2);
}

#[test]
fn reads_null_as_an_empty_list() {
    let server =
        Server::builder().list(List { null_if_empty: true, ..List::default() }).without_caches().start();
    run(&server, "list --json").exits(0).prints("{\"caches\":[]}\n");
}

#[test]
fn ignores_the_image_names_of_installations() {
    let server = Server::builder()
        .caches([
            "R 4.3.0 ghcr-io-rstudio-r-jammy",
            "R 4.3.0 ghcr-io-rstudio-r-focal",
            "R 4.2.0 ghcr-io-rstudio-r-jammy",
        ])
        .installations_r([Installation::in_image("4.3.0", "ghcr.io/rstudio/r:jammy")])
        .start();
    // No installation has R 4.2.0. Whether one uses the second image is not known.
    run(&server, "list --orphaned").exits(0).prints("R  4.2.0  ghcr-io-rstudio-r-jammy\n");
    run(&server, "list -I *focal").exits(0).prints("R  4.3.0  ghcr-io-rstudio-r-focal\n");
}

#[test]
fn advises_more_time_if_none_is_left_for_the_request() {
    let server = server();
    let ran = run(&server, "list --timeout 0 --request-timeout 0.000000001").exits(6);
    let url = server.url();
    ran.says(&format!("error: cannot list the runtime caches on {url}: timed out; raise --timeout\n"));
    assert_eq!(server.connections(), 0);
}
