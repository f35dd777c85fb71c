//! Properties of the program with arbitrary caches and filters.

use connect_test_server::{Cache, Server};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{Ran, connect_cache};

fn cache() -> impl Strategy<Value = Cache> {
    let image = "Local|r-[ab]{1,2}";
    ("R|Python", "[34]\\.[0-9]\\.[01]", image)
        .prop_map(|(language, version, image)| Cache::new(language, version, image))
}

fn filters() -> impl Strategy<Value = Vec<String>> {
    let option = |name: &'static str, value: &'static str| {
        proptest::option::of(value.prop_map(move |value| format!("{name}={value}")))
    };
    let filters = [
        option("-l", "[rR]|python"),
        option("-V", "[34?*]\\.[0-9?*]{1,2}\\.?[01*]?"),
        option("-I", "[Lr*?][a-b*-]{0,4}"),
    ];
    filters.prop_map(|filters| filters.into_iter().flatten().collect())
}

/// Returns the language, version and image of each row.
fn caches<'a>(rows: impl IntoIterator<Item = &'a Value>) -> Vec<[String; 3]> {
    let names = ["language", "version", "image_name"];
    rows.into_iter().map(|row| names.map(|name| row[name].as_str().unwrap().to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deletes_the_caches_that_list_shows(stored in prop::collection::vec(cache(), 0..12), filters in filters()) {
        let server = Server::builder().caches(stored).start();
        let run = |command: &str, filters: &[String]| -> Ran {
            let program = connect_cache(&server).words(command);
            filters.iter().fold(program, |program, filter| program.arg(filter)).run().exits(0)
        };
        let list = run("list --json", &filters).json();
        let all = if filters.is_empty() { " --all" } else { "" };
        let purge = run(&format!("purge -y --json{all}"), &filters);
        let records: Vec<Value> = purge.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (mut listed, mut purged) = (caches(list["caches"].as_array().unwrap()), caches(&records));
        listed.sort();
        purged.sort();
        prop_assert_eq!(listed, purged);
        prop_assert!(records.iter().all(|record| record["status"] == "deleted"));
        prop_assert_eq!(run("list --json", &filters).json()["caches"].as_array().map(Vec::len), Some(0));
    }
}
