//! The caches that a file names, for `purge --from`.

use connect_cache::{Fields, Json, RuntimeCache};

use super::files;

/// Reads the caches that a file names, `-` for standard input: lines as `list` prints them, `list --json`, or JSON
/// objects that each have a cache's three members, also in an array.
pub(crate) fn read(file: &str) -> Result<Vec<RuntimeCache>, String> {
    let caches = files::read(file).map_err(|e| e.to_string()).and_then(|text| parse(&text));
    caches.map_err(|problem| format!("cannot read the caches in {file}: {problem}"))
}

fn parse(text: &str) -> Result<Vec<RuntimeCache>, String> {
    let text = text.trim();
    let named = match text.starts_with(['{', '[']) {
        true => from_json(text),
        false => from_lines(text),
    };
    let has_empty = |cache: &RuntimeCache| {
        [&cache.language, &cache.version, &cache.image_name].iter().any(|word| word.is_empty())
    };
    match named {
        Ok(caches) if caches.is_empty() || caches.iter().any(has_empty) => {
            Err("it contains no caches".to_owned())
        }
        Ok(caches) => Ok(caches),
        // The entry is not shown: the file may hold something else, such as a key.
        Err(entry) => Err(format!(
            "invalid entry {entry}; use the output of list or list --json, or one JSON object per line"
        )),
    }
}

/// Reads JSON: caches, lists of caches, and objects as `list --json` prints them; the error is the number of the
/// first that is none of these.
fn from_json(text: &str) -> Result<Vec<RuntimeCache>, usize> {
    let mut caches = Vec::new();
    for (number, json) in (1_usize..).zip(Json::read_all(text.as_bytes())?) {
        add(json, &mut caches).map_err(|_| number)?;
    }
    Ok(caches)
}

fn add(json: Json, caches: &mut Vec<RuntimeCache>) -> Result<(), String> {
    if let Json::List(list) = json {
        return list.into_iter().try_for_each(|json| add(json, caches));
    }
    let mut fields = Fields::try_from(json)?;
    match fields.take("caches")? {
        Some(list @ Json::List(_)) => add(list, caches),
        Some(Json::Null) => Ok(()),
        Some(_) => Err("`caches` is not a list".to_owned()),
        None => fields.try_into().map(|cache| caches.push(cache)),
    }
}

/// Reads lines, of which blank ones do not count; the error is the number of the first that is not understood.
fn from_lines(text: &str) -> Result<Vec<RuntimeCache>, usize> {
    let mut caches = Vec::new();
    for line in text.lines() {
        // `list` puts two spaces between its columns.
        let mut columns: Vec<&str> =
            line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
        if columns.len() < 3 {
            columns = line.split_whitespace().collect();
        }
        match columns[..] {
            [] => {}
            [language, version, image] => caches.push(RuntimeCache::new(language, version, image)),
            // The fourth column counts the content items.
            [language, version, image, content]
                if content.bytes().all(|b| b.is_ascii_digit() || b == b'-') =>
            {
                caches.push(RuntimeCache::new(language, version, image));
            }
            _ => return Err(caches.len() + 1),
        }
    }
    Ok(caches)
}
