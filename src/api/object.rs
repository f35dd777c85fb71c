//! Reads replies: bytes become the type that was expected.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

/// A value that must be a JSON object. A derived struct alone would also be read from an array, by position.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Object<T>, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Reads a list of objects that must be there; null is an empty one.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let objects: Option<Vec<Object<T>>> = Deserialize::deserialize(deserializer)?;
    Ok(objects.unwrap_or_default().into_iter().map(|Object(object)| object).collect())
}

/// Reads a value for which null means the same as its default.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Returns an error about an object that is not the expected one. Says what was found instead.
pub(crate) fn unexpected(found: impl Into<String>) -> Unreadable {
    Unreadable::Unexpected(found.into())
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The body ends too early.
    Cut,
    /// The body is not JSON.
    NotJson,
    /// The body is JSON, but not what was expected. Says what was found instead.
    Unexpected(String),
    /// The reply to a dry run names a task, which it started.
    DryRunStarted(String),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Eof => Self::Cut,
            Category::Syntax if error.to_string().starts_with("recursion limit") => {
                Self::Unexpected("it is nested too deeply".to_owned())
            }
            Category::Syntax => Self::NotJson,
            // The reader ends an item that is too long.
            Category::Io => Self::Unexpected(error.to_string()),
            Category::Data => Self::Unexpected(without_values(&error.to_string())),
        }
    }
}

/// Reads the object in a body. A byte order mark before it, which some gateways write, is ignored (RFC 8259, section
/// 8.1), and bytes that are not UTF-8 become replacement characters.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Unreadable> {
    let body = String::from_utf8_lossy(body);
    let json = body.strip_prefix('\u{feff}').unwrap_or(&body);
    let Object(object) = serde_json::from_str(json)?;
    Ok(object)
}

/// Returns an error of serde_json without the text that it quotes from the reply, which may be a secret.
fn without_values(error: &str) -> String {
    match (error.find("string \""), error.rfind("\", expected")) {
        (Some(start), Some(end)) => format!("{}string{}", &error[..start], &error[end + 1..]),
        _ => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Unreadable, objects, read};

    #[derive(Deserialize, Debug, PartialEq)]
    struct Row {
        name: String,
    }

    #[derive(Deserialize, Debug)]
    struct Rows {
        #[serde(deserialize_with = "objects")]
        rows: Vec<Row>,
    }

    fn rows(body: &str) -> Result<usize, String> {
        match read::<Rows>(body.as_bytes()) {
            Ok(Rows { rows }) => Ok(rows.len()),
            Err(Unreadable::Unexpected(problem)) => Err(problem),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn reads_objects_and_no_arrays_at_any_level() {
        assert_eq!(rows(r#"{"rows":[{"name":"a"},{"name":"b","more":[[{}]]}],"other":1}"#), Ok(2));
        assert_eq!(rows("\u{feff}{\"rows\":null}"), Ok(0));
        for (body, problem) in [
            (r#"[[{"name":"a"}]]"#, "invalid type: sequence, expected an object"),
            (r#"{"rows":[["a"]]}"#, "invalid type: sequence, expected an object"),
            (r#"{"rows":{}}"#, "invalid type: map, expected a sequence"),
            (r#"{}"#, "missing field `rows`"),
            (r#"{"rows":[{}]}"#, "missing field `name`"),
            (r#"{"rows":[{"name":1}]}"#, "invalid type: integer `1`, expected a string"),
            (r#"{"rows":[],"rows":[]}"#, "duplicate field `rows`"),
            (r#"{"rows":"a \" secret"}"#, "invalid type: string, expected a sequence"),
            ("", "Cut"),
            (r#"{"rows":[{"name":"a"#, "Cut"),
            ("<html>", "NotJson"),
            (r#"{"rows":[]} x"#, "NotJson"),
            (r#"{"rows":[{"name":"\ud800"}]}"#, "NotJson"),
        ] {
            let error = rows(body).unwrap_err();
            assert!(error.starts_with(problem) && !error.contains("secret"), "{body}: {error}");
        }
    }

    #[test]
    fn replaces_bytes_that_are_not_utf_8() {
        let Row { name } = read(b"{\"name\":\"caf\xe9\"}").unwrap();
        assert_eq!(name, "caf\u{fffd}");
    }
}
