//! Checks that every command, option, variable and exit status is in each text that documents it.

use std::fs;
use std::path::Path;

use argh::FlagInfo;

use crate::exit_status::MEANINGS;
use crate::help;
use crate::{completions, man, options};

const README: &str = include_str!("../../../README.md");

/// Returns an option's names, and the variable at the end of its description, as in `[env: NAME]`.
fn tokens(flag: &FlagInfo) -> Vec<String> {
    let mut tokens = vec![flag.long.to_owned()];
    tokens.extend(flag.short.map(|short| format!("-{short}")));
    tokens.extend(variable(flag).map(str::to_owned));
    tokens
}

fn variable(flag: &FlagInfo) -> Option<&'static str> {
    let (_, end) = options::program()
        .flags
        .iter()
        .find(|common| common.long == flag.long && common.description == flag.description)?
        .description
        .split_once("[env: ")?;
    end.strip_suffix(']')
}

/// Returns each command's options with its name, and the common options without one.
fn all_flags() -> Vec<(&'static str, &'static FlagInfo<'static>)> {
    let own = options::commands()
        .into_iter()
        .flat_map(|command| options::flags(&command).map(move |flag| (command.name, flag)));
    own.chain(options::flags(&options::program()).map(|flag| ("", flag))).collect()
}

/// Reports whether the text has the token as a whole word: `--name` is not in `--name-it`.
fn has(text: &str, token: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(token)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + token.len()..].starts_with(is_word))
}

/// Returns the man page without the font changes and escapes of roff.
fn man_page() -> String {
    let page = man::page("0.1.0", "2024-12-31");
    ["\\fB", "\\fI", "\\fP"].iter().fold(page, |page, font| page.replace(font, "")).replace("\\-", "-")
}

/// Returns the man page from one heading to the next of the same level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).expect(heading);
    let level = &heading[..3];
    rest.split_once(&format!("\n{level}")).map_or(rest, |(section, _)| section)
}

#[test]
fn finds_whole_words_only() {
    assert!(has("`--name NAME`", "--name"));
    assert!(has("[-dy], -d", "-d"));
    assert!(!has("--name-it and --rename", "--name"));
    assert!(!has("CONNECT_API_KEY_FILE", "CONNECT_API_KEY"));
}

#[test]
fn documents_every_option_in_help_and_man_page() {
    let page = man_page();
    for (command, flag) in all_flags() {
        let heading = if command.is_empty() { ".SH OPTIONS".to_owned() } else { format!(".SS {command}") };
        let topic = Some(command).filter(|name| !name.is_empty());
        for token in tokens(flag) {
            assert!(has(&help::full(topic), &token), "{token} is not in the help of {command:?}");
            assert!(
                has(section(&page, &heading), &token),
                "{token} is not under {heading:?} in the man page"
            );
        }
    }
}

#[test]
fn documents_every_variable_in_the_man_page() {
    let page = man_page();
    let variables: Vec<&str> = all_flags().iter().filter_map(|(_, flag)| variable(flag)).collect();
    assert_eq!(variables.len(), 7, "{variables:?}");
    for variable in variables {
        assert!(has(section(&page, ".SH ENVIRONMENT"), variable), "{variable}");
    }
}

#[test]
fn documents_every_command_in_readme_and_help() {
    for command in options::commands() {
        assert!(has(README, &format!("connect-cache {}", command.name)), "{}", command.name);
        assert!(has(&help::full(None), command.name), "{}", command.name);
    }
}

#[test]
fn lists_exit_statuses_in_the_help() {
    for (code, meaning) in MEANINGS.iter().enumerate() {
        let line = format!("\n  {code}  {meaning}\n");
        assert!(help::full(None).contains(&line), "the help has no line {line:?}");
    }
}

#[test]
fn lists_exit_statuses_in_the_man_page() {
    let page = man_page();
    // Lines may be wrapped anywhere.
    let section = section(&page, ".SH EXIT STATUS").replace('\n', " ");
    for (code, meaning) in MEANINGS.iter().enumerate() {
        let entry = format!(".TP .B {code} {meaning} ");
        assert!(section.contains(&entry), "the man page has no {entry:?}");
    }
}

#[test]
fn lists_exactly_the_exit_statuses_in_the_readme() {
    let (_, rest) =
        README.split_once("\n## Exit statuses\n").expect("README.md has a section on exit statuses");
    let (_, rest) = rest.split_once("\n| --- | --- |\n").expect("the section has a table");
    let mut rows = rest.lines().take_while(|line| line.starts_with('|'));
    for (code, meaning) in MEANINGS.iter().enumerate() {
        let expected = format!("| {code} | {meaning} |");
        assert_eq!(rows.next(), Some(expected.as_str()), "README.md, table of exit statuses");
    }
    assert_eq!(rows.next(), None, "README.md lists an exit status that the program does not have");
}

#[test]
fn completes_every_option_in_every_shell() {
    let texts = [completions::bash(), completions::zsh(), completions::fish()];
    for (command, flag) in all_flags() {
        for text in &texts {
            let long = flag.long.trim_start_matches('-');
            assert!(
                has(text, flag.long) || text.contains(&format!(" -l {long} ")),
                "{command} {long}: {text}"
            );
        }
    }
}

#[test]
fn links_only_to_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let top = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(|name| root.join(name));
    let mut links = 0;
    for file in top.into_iter().chain(docs).filter(|file| file.extension().is_some_and(|name| name == "md")) {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !link.contains("://") {
                links += 1;
                assert!(file.with_file_name(link).is_file(), "{}: {link}", file.display());
            }
        }
    }
    assert!(links > 0);
}

#[test]
fn names_only_tests_that_exist_in_the_table_of_threats() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let table = text.split_once("\n## Threats\n").unwrap().1.split("\n## ").next().unwrap();
    let mut tests = 0;
    for (module, name) in table.split('`').filter_map(|words| words.split_once("::")) {
        tests += 1;
        let source = fs::read_to_string(root.join(format!("tests/program/{module}.rs"))).unwrap_or_default();
        assert!(
            source.contains(&format!("#[test]\nfn {name}() {{")),
            "SECURITY.md: no test {module}::{name}"
        );
    }
    assert!(tests > 0);
}

#[test]
fn takes_the_numbers_of_the_readme_from_the_benchmark() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let benchmark = fs::read_to_string(root.join("docs/bench.md")).unwrap();
    let words: Vec<&str> = README.split_whitespace().collect();
    let measured = words.windows(2).filter(|pair| pair[1].starts_with("MiB") || pair[1].starts_with("ms"));
    let measured: Vec<String> = measured.map(|pair| pair.join(" ")).collect();
    assert!(!measured.is_empty());
    for number in measured {
        let number = number.trim_matches(|c: char| !c.is_alphanumeric());
        assert!(has(&benchmark, number), "docs/bench.md has no {number}");
    }
}

#[test]
fn keeps_the_readme_short() {
    assert!(README.lines().count() <= 150, "README.md: move details to docs/ or the man page");
}
