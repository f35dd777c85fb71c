//! Caches in columns, for people.

use connect_cache::{ContentUsage, RuntimeCache};

use crate::cli::escape::escape;
use crate::cli::session::Session;

/// Returns caches in columns, for people; the last one is how many content items use their versions.
pub(crate) fn table(caches: &[RuntimeCache], usage: Option<&ContentUsage>, session: &Session) -> String {
    let number = |cache: &RuntimeCache| match usage.map(|usage| usage.of(std::slice::from_ref(cache))) {
        Some(Some(items)) => items.to_string(),
        Some(None) => "-".to_owned(),
        None => String::new(),
    };
    let rows: Vec<[_; 4]> = (caches.iter())
        .map(|cache| {
            let RuntimeCache { language, version, image_name, .. } = session.shown(cache);
            let [language, version, image_name] =
                [language, version, image_name].map(|name| escape(&name).into_owned());
            [language, version, image_name, number(cache)]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), if usage.is_some() { width(2) } else { 0 }, 0];
    let mut text = String::new();
    for row in &rows {
        for (word, width) in row.iter().zip(widths) {
            text.push_str(word);
            if width > 0 {
                text.extend(std::iter::repeat_n(' ', width - word.chars().count() + 2));
            }
        }
        text.push('\n');
    }
    text
}
