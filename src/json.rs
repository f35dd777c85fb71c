//! Reading JSON: every reply becomes the same [`Json`] first, so that serde is compiled for one type only.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(i64),
    /// Any other number.
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Fields),
}

/// The members of a JSON object, in their order.
#[derive(Debug, PartialEq)]
pub(crate) struct Fields(pub(crate) Vec<(String, Json)>);

/// Reads JSON, also after a byte order mark, which some gateways put before it (RFC 8259, section 8.1).
pub(crate) fn read(json: &[u8]) -> serde_json::Result<Json> {
    serde_json::from_slice(json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json))
}

impl Fields {
    /// Takes the value of a member, if there is one. A name that occurs twice has no certain value.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<Json>, String> {
        let at = |fields: &Self| fields.0.iter().position(|(known, _)| known == name);
        let Some(first) = at(self) else { return Ok(None) };
        let (_, value) = self.0.remove(first);
        match at(self) {
            Some(_) => Err(format!("duplicate field `{name}`")),
            None => Ok(Some(value)),
        }
    }

    /// Takes a string; `None` if it is missing or null.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name)? {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` is not a string")),
        }
    }

    /// Takes a string that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("missing field `{name}`"))
    }

    /// Takes an integer that must be there.
    pub(crate) fn integer(&mut self, name: &str) -> Result<i64, String> {
        match self.take(name)? {
            Some(Json::Integer(number)) => Ok(number),
            Some(_) => Err(format!("`{name}` is not an integer")),
            None => Err(format!("missing field `{name}`")),
        }
    }

    /// Takes a Boolean; `None` if it is missing or null.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take(name)? {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(format!("`{name}` is not a Boolean")),
        }
    }

    /// Takes a list; an empty one if it is null, and `None` if it is missing.
    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Json>>, String> {
        match self.take(name)? {
            None => Ok(None),
            Some(Json::Null) => Ok(Some(Vec::new())),
            Some(Json::List(list)) => Ok(Some(list)),
            Some(_) => Err(format!("`{name}` is not a list")),
        }
    }
}

impl TryFrom<Json> for Fields {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        match json {
            Json::Object(fields) => Ok(fields),
            _ => Err("not an object".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = object.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(Fields(fields)))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(Fields(fields)) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        read(text.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn reads_and_writes_every_kind_of_value() {
        let text = r#"{"a":null,"b":[true,-1,1.5,"x\n"],"c":{"d":{}}}"#;
        assert_eq!(serde_json::to_string(&read(text.as_bytes()).unwrap()).unwrap(), text);
        assert_eq!(read(b"\xef\xbb\xbf 18446744073709551615").unwrap(), Json::Float(u64::MAX as f64));
        assert!(read(br#"{"a":["#).unwrap_err().is_eof());
        assert!(read(&b"[".repeat(100_000)).is_err());
    }

    #[test]
    fn reads_no_array_as_an_object() {
        for wrong in ["[]", "null", "1", r#"["caches"]"#] {
            let read: Result<Fields, String> = read(wrong.as_bytes()).unwrap().try_into();
            assert_eq!(read.unwrap_err(), "not an object", "{wrong}");
        }
    }

    #[test]
    fn names_the_field_that_is_missing_or_of_another_type() {
        let text = r#"{"text":"a","number":7,"yes":true,"list":[1],"null":null,"twice":1,"twice":2}"#;
        let all = || fields(text);
        assert_eq!(all().required_text("text").unwrap(), "a");
        assert_eq!(all().integer("number").unwrap(), 7);
        assert_eq!(all().boolean("yes").unwrap(), Some(true));
        assert_eq!(all().list("list").unwrap().unwrap(), [Json::Integer(1)]);
        assert_eq!((all().text("null"), all().boolean("null")), (Ok(None), Ok(None)));
        assert_eq!((all().list("null"), all().list("none")), (Ok(Some(vec![])), Ok(None)));
        assert_eq!(all().required_text("null").unwrap_err(), "missing field `null`");
        assert_eq!(all().integer("none").unwrap_err(), "missing field `none`");
        assert_eq!(all().integer("text").unwrap_err(), "`text` is not an integer");
        assert_eq!(all().text("number").unwrap_err(), "`number` is not a string");
        assert_eq!(all().boolean("text").unwrap_err(), "`text` is not a Boolean");
        assert_eq!(all().list("text").unwrap_err(), "`text` is not a list");
        assert_eq!(all().integer("twice").unwrap_err(), "duplicate field `twice`");
    }
}
