//! Compares every help page with a golden file. `UPDATE_EXPECT=1` rewrites the files.

use expect_test::expect_file;

use crate::support::Program;

#[test]
fn prints_golden_help() {
    let page = |words: &str| Program::new().words(words).run().exits(0).says_nothing().stdout;
    let brief = |command: &str| {
        let page = page(&format!("{command} -h"));
        assert!(page.lines().count() < 24, "{page}");
        page
    };
    expect_file!["help/connect-cache.txt"].assert_eq(&page("--help"));
    expect_file!["help/connect-cache-brief.txt"].assert_eq(&brief(""));
    expect_file!["help/list-brief.txt"].assert_eq(&brief("list"));
    expect_file!["help/delete-brief.txt"].assert_eq(&brief("delete"));
    expect_file!["help/purge-brief.txt"].assert_eq(&brief("purge"));
    expect_file!["help/task-brief.txt"].assert_eq(&brief("task"));
    expect_file!["help/check-brief.txt"].assert_eq(&brief("check"));
    expect_file!["help/list.txt"].assert_eq(&page("list --help"));
    expect_file!["help/delete.txt"].assert_eq(&page("delete --help"));
    expect_file!["help/purge.txt"].assert_eq(&page("purge --help"));
    expect_file!["help/task.txt"].assert_eq(&page("task --help"));
    expect_file!["help/check.txt"].assert_eq(&page("check --help"));
}
