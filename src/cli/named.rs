//! The caches that a file names, for `purge --from`.

use connect_cache::RuntimeCache;
use serde_json::{Deserializer, Value};

use super::files;
use super::values::{self, language};

/// Reads the caches that a file names, `-` for standard input: lines as `list` prints them, `list --json`, or JSON
/// objects that each have a cache's three members, also in an array. Blank lines and lines that begin with `#` are
/// skipped.
pub(crate) fn read(file: &str) -> Result<Vec<RuntimeCache>, String> {
    let caches = files::read(file).map_err(|e| e.to_string()).and_then(|text| parse(&text));
    caches.map_err(|problem| format!("cannot read the caches in {file}: {problem}"))
}

fn parse(text: &str) -> Result<Vec<RuntimeCache>, String> {
    let is_read = |(_, line): &(usize, &str)| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).filter(is_read).collect();
    let is_json = lines.first().is_some_and(|(_, line)| line.trim_start().starts_with(['{', '[']));
    let named = if is_json { from_json(&lines) } else { from_lines(&lines) };
    // The entry is not shown: the file may hold something else, such as a key.
    named.map_err(|place| {
        format!("{place} is not R or Python, a version and an image, as in the output of list or list --json")
    })
}

/// Reads JSON values that follow each other; the error says which cache is the first that is not understood.
fn from_json(lines: &[(usize, &str)]) -> Result<Vec<RuntimeCache>, String> {
    let text: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
    let mut caches = Vec::new();
    for value in Deserializer::from_str(&text.join("\n")).into_iter() {
        let added = value.ok().and_then(|value| add(value, &mut caches));
        added.ok_or_else(|| format!("entry {}", caches.len() + 1))?;
    }
    Ok(caches)
}

/// Adds the caches that a value names: it is one, an array of them, or an object as `list --json` prints it.
fn add(value: Value, caches: &mut Vec<RuntimeCache>) -> Option<()> {
    match value {
        Value::Array(values) => values.into_iter().try_for_each(|value| add(value, caches)),
        Value::Object(mut members) if members.contains_key("caches") => match members.remove("caches")? {
            // Without caches, the API may list null.
            Value::Null => Some(()),
            listed => add(listed, caches),
        },
        value @ Value::Object(_) => {
            let mut cache: RuntimeCache = serde_json::from_value(value).ok()?;
            cache.language = language(&cache.language).ok()?;
            let is_named = !cache.version.is_empty() && !cache.image_name.is_empty();
            is_named.then(|| caches.push(cache))
        }
        _ => None,
    }
}

/// Reads lines, with their numbers; the error says which one is the first that is not understood.
fn from_lines(lines: &[(usize, &str)]) -> Result<Vec<RuntimeCache>, String> {
    let is_count = |word: &&str| word.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let mut caches = Vec::new();
    for (number, line) in lines {
        // `list` puts two spaces between its columns.
        let mut columns: Vec<&str> =
            line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        if columns.len() < 3 {
            columns = line.split_whitespace().collect();
        }
        match columns[..] {
            // A fourth column counts the content items.
            [language, version, image, ref items @ ..] if items.len() < 2 && items.iter().all(is_count) => {
                let language = values::language(language).map_err(|_| format!("line {number}"))?;
                caches.push(RuntimeCache::new(&language, version, image));
            }
            _ => return Err(format!("line {number}")),
        }
    }
    Ok(caches)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_caches_in_json_and_nothing_else() {
        let row = r#"{"language":"r","version":"4.3.0","image_name":"Local","content":3}"#;
        for (text, caches) in [
            (row.to_owned(), Some(1)),
            (format!("{row}\n{row}{row}"), Some(3)),
            (format!("[{row},{row}]"), Some(2)),
            (format!(r#"{{"caches":[{row}]}} {row}"#), Some(2)),
            (r#"{"caches":[]}"#.to_owned(), Some(0)),
            (r#"{"caches":null}"#.to_owned(), Some(0)),
            ("[]".to_owned(), Some(0)),
            ("{}".to_owned(), None),
            (format!("{row}\nnull"), None),
            (format!("[{row},null]"), None),
            (r#"{"caches":1}"#.to_owned(), None),
            (r#"{"language":"R","version":"4.3.0"}"#.to_owned(), None),
            (r#"{"language":"R","version":"4.3.0","image_name":null}"#.to_owned(), None),
            (r#"{"language":"R","version":"4.3.0","image_name":""}"#.to_owned(), None),
            // An array is never read as a cache.
            (r#"["R","4.3.0","Local"]"#.to_owned(), None),
            (r#"[["R","4.3.0","Local"]]"#.to_owned(), None),
            (r#"{"caches":[["R","4.3.0","Local"]]}"#.to_owned(), None),
        ] {
            assert_eq!(parse(&text).ok().map(|caches| caches.len()), caches, "{text}");
        }
    }
}
