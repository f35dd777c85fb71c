//! Reading JSON: serde would also read an array as a struct, element by element.

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::value::RawValue;

/// Reads a reply's body, which must be an object.
pub(crate) fn from_json<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(without_mark(body)).map(|Object(value)| value)
}

/// Returns JSON without a byte order mark, which some gateways put before it (RFC 8259, section 8.1).
pub(crate) fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json)
}

/// A value that is an object in JSON.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if !json.starts_with('{') {
            return Err(D::Error::custom("not an object"));
        }
        serde_json::from_slice(json.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

/// Reads null as the default value. A missing field stays an error unless it has a default of its own.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    value: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// Reads an array of objects, or null.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(value: D) -> Result<Vec<T>, D::Error> {
    let objects: Vec<Object<T>> = null_as_default(value)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct List {
        #[serde(deserialize_with = "objects")]
        rows: Vec<Row>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Row {
        word: String,
    }

    #[test]
    fn reads_no_array_as_an_object() {
        let read = |text: &str| from_json::<List>(text.as_bytes());
        let rows =
            |words: &[&str]| List { rows: words.iter().map(|word| Row { word: word.to_string() }).collect() };
        assert_eq!(read(r#" {"rows":[{"word":"a"}, {"word":"b","more":[]}]} "#).unwrap(), rows(&["a", "b"]));
        assert_eq!(read(r#"{"rows":null}"#).unwrap(), rows(&[]));
        assert_eq!(read("\u{feff}{\"rows\":null}").unwrap(), rows(&[]));
        for wrong in
            [r#"[[{"word":"a"}]]"#, r#"{"rows":[["a"]]}"#, r#"{"rows":{"word":"a"}}"#, "{}", "[]", "null", ""]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(r#"{"rows":[{"wo"#).unwrap_err().is_eof());
    }
}
