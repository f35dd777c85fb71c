//! Every page of help, whole: the files in `tests/program/help` hold them. `UPDATE_EXPECT=1` rewrites them.

use expect_test::expect_file;

use crate::support::Program;

#[test]
fn prints_each_page_as_its_file_holds_it() {
    let page = |words: &str| Program::new().words(words).run().exits(0).says_nothing().stdout;
    expect_file!["help/connect-cache.txt"].assert_eq(&page("--help"));
    expect_file!["help/list.txt"].assert_eq(&page("list --help"));
    expect_file!["help/delete.txt"].assert_eq(&page("delete --help"));
    expect_file!["help/purge.txt"].assert_eq(&page("purge --help"));
    expect_file!["help/task.txt"].assert_eq(&page("task --help"));
    expect_file!["help/check.txt"].assert_eq(&page("check --help"));
}
