//! Caches in columns, for people.

use std::io::IsTerminal;
use std::slice;

use connect_cache::{ContentUsage, RuntimeCache};

const HEADING: [&str; 4] = ["LANGUAGE", "VERSION", "IMAGE", "CONTENT ITEMS"];

/// Returns caches in columns, one line for each. With their usage, the last column is how many content items use their
/// versions, and on a terminal a heading says so. Scripts and `--from` read the lines without one.
pub(crate) fn table(
    caches: &[RuntimeCache],
    usage: Option<&ContentUsage>,
    stream: &impl IsTerminal,
) -> Vec<String> {
    let mut rows = Vec::new();
    if usage.is_some() && !caches.is_empty() && stream.is_terminal() {
        rows.push(HEADING.map(str::to_owned));
    }
    for cache in caches {
        let RuntimeCache { language, version, image_name, .. } = cache.clone();
        let items = usage.map(|usage| usage.of(slice::from_ref(cache)));
        let items = items.map(|items| items.map_or("-".to_owned(), |items| items.to_string()));
        rows.push([language, version, image_name, items.unwrap_or_default()]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let [l, v, i] = [0, 1, 2].map(width);
    let line = |[language, version, image, items]: &[String; 4]| {
        format!("{language:l$}  {version:v$}  {image:i$}  {items}").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
