//! JSON: reads the values in replies and files, and writes those that the program prints.
//!
//! Serde would compile a reader for each type, and its parser is 20 KB larger than this one. The tests compare the
//! two parsers.

use std::fmt;

/// Deeper values are refused: each level takes a part of the stack.
const MAX_DEPTH: usize = 128;

/// A JSON value. `Display` writes it on one line, without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is spelled.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Fields),
}

/// The members of a JSON object, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, Json)>);

/// Why text could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// The text ends too early.
    Cut,
    /// The text is not JSON.
    Malformed,
    /// The text is JSON, but not what was expected. Says what was found instead.
    Unexpected(String),
}

impl Json {
    /// Reads a value. A byte order mark before it, which some gateways write, is ignored (RFC 8259, section 8.1).
    ///
    /// # Errors
    /// [`Unreadable::Cut`] or [`Unreadable::Malformed`] if it is not exactly one JSON value.
    pub fn read(text: &[u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader::new(text);
        let value = reader.value(0)?;
        match reader.token() {
            None => Ok(value),
            Some(_) => Err(Unreadable::Malformed),
        }
    }
}

impl Json {
    /// Returns an object with these members.
    pub fn object(fields: Vec<(&str, Json)>) -> Self {
        Self::Object(Fields(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    /// Reads values that follow each other, as programs print them on separate lines.
    ///
    /// # Errors
    /// The number of the first that is not JSON, counted from 1.
    pub fn read_all(text: &[u8]) -> Result<Vec<Self>, usize> {
        let mut reader = Reader::new(text);
        let mut values = Vec::new();
        while reader.token().is_some() {
            values.push(reader.value(0).map_err(|_| values.len() + 1)?);
        }
        Ok(values)
    }
}

impl Fields {
    /// Takes the value of a member, if there is one.
    ///
    /// # Errors
    /// If the name occurs twice, since its value is then ambiguous.
    pub fn take(&mut self, name: &str) -> Result<Option<Json>, String> {
        let at = |fields: &Self| fields.0.iter().position(|(known, _)| known == name);
        let Some(first) = at(self) else { return Ok(None) };
        let (_, value) = self.0.remove(first);
        match at(self) {
            Some(_) => Err(format!("duplicate field `{name}`")),
            None => Ok(Some(value)),
        }
    }

    /// Takes a string; `None` if it is missing or null.
    ///
    /// # Errors
    /// If it is something else.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name)? {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` is not a string")),
        }
    }

    /// Takes a Boolean; `None` if it is missing or null.
    ///
    /// # Errors
    /// If it is something else.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take(name)? {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(value)),
            Some(_) => Err(format!("`{name}` is not a Boolean")),
        }
    }

    /// Takes a string that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("missing field `{name}`"))
    }

    /// Takes an integer that must be there.
    pub(crate) fn integer(&mut self, name: &str) -> Result<i64, String> {
        match self.take(name)? {
            None => return Err(format!("missing field `{name}`")),
            Some(Json::Number(number)) => number.parse().ok(),
            Some(_) => None,
        }
        .ok_or_else(|| format!("`{name}` is not an integer"))
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

    /// Takes a list of objects that must be there; an empty one if it is null.
    pub(crate) fn objects<T: TryFrom<Fields, Error = String>>(
        &mut self,
        name: &str,
    ) -> Result<Vec<T>, String> {
        let list = self.list(name)?.ok_or_else(|| format!("missing field `{name}`"))?;
        list.into_iter().map(|object| Fields::try_from(object)?.try_into()).collect()
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

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<String>> for Json {
    fn from(texts: Vec<String>) -> Self {
        Self::List(texts.into_iter().map(Json::Text).collect())
    }
}

/// `None` is null.
impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(true) => f.write_str("true"),
            Self::Bool(false) => f.write_str("false"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => write_text(text, f),
            Self::List(values) => {
                let mut separator = "[";
                for value in values {
                    write!(f, "{separator}{value}")?;
                    separator = ",";
                }
                f.write_str(if values.is_empty() { "[]" } else { "]" })
            }
            Self::Object(Fields(fields)) => {
                let mut separator = "{";
                for (name, value) in fields {
                    f.write_str(separator)?;
                    write_text(name, f)?;
                    write!(f, ":{value}")?;
                    separator = ",";
                }
                f.write_str(if fields.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        f.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'\n' => f.write_str("\\n"),
            b'\r' => f.write_str("\\r"),
            b'\t' => f.write_str("\\t"),
            byte @ (b'"' | b'\\') => write!(f, "\\{}", char::from(byte)),
            byte => write!(f, "\\u{byte:04x}"),
        }?;
        rest = &rest[at + 1..];
    }
    write!(f, "{rest}\"")
}

/// Reads values from the start of the text that is left.
struct Reader<'a> {
    text: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text: text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text) }
    }

    /// Reads a value at this depth of nesting.
    fn value(&mut self, depth: usize) -> Result<Json, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::Malformed);
        }
        match self.token().ok_or(Unreadable::Cut)? {
            b'n' => self.word(b"null").map(|()| Json::Null),
            b't' => self.word(b"true").map(|()| Json::Bool(true)),
            b'f' => self.word(b"false").map(|()| Json::Bool(false)),
            b'"' => self.text().map(Json::Text),
            b'-' | b'0'..=b'9' => self.number().map(Json::Number),
            b'[' => {
                let mut values = Vec::new();
                while self.is_next(b'[', b']', values.is_empty())? {
                    values.push(self.value(depth + 1)?);
                }
                Ok(Json::List(values))
            }
            b'{' => {
                let mut fields = Vec::new();
                while self.is_next(b'{', b'}', fields.is_empty())? {
                    if self.token().ok_or(Unreadable::Cut)? != b'"' {
                        return Err(Unreadable::Malformed);
                    }
                    let name = self.text()?;
                    self.token();
                    self.word(b":")?;
                    fields.push((name, self.value(depth + 1)?));
                }
                Ok(Json::Object(Fields(fields)))
            }
            _ => Err(Unreadable::Malformed),
        }
    }

    /// Reads `open` or a comma before a value of a list or an object, or `close`; reports whether a value follows.
    fn is_next(&mut self, open: u8, close: u8, is_first: bool) -> Result<bool, Unreadable> {
        if is_first {
            self.word(&[open])?;
        }
        let token = self.token().ok_or(Unreadable::Cut)?;
        if token == close {
            self.text = &self.text[1..];
            return Ok(false);
        }
        if !is_first {
            self.word(b",")?;
        }
        Ok(true)
    }

    /// Skips whitespace and returns the next byte, which remains.
    fn token(&mut self) -> Option<u8> {
        self.any(b" \t\n\r", usize::MAX);
        self.text.first().copied()
    }

    /// Reads these bytes and no others.
    fn word(&mut self, word: &[u8]) -> Result<(), Unreadable> {
        for &byte in word {
            if self.next()? != byte {
                return Err(Unreadable::Malformed);
            }
        }
        Ok(())
    }

    /// Reads a string, and replaces invalid UTF-8 by U+FFFD.
    fn text(&mut self) -> Result<String, Unreadable> {
        self.word(b"\"")?;
        let mut text = Vec::new();
        // The last high surrogate, and the end of the U+FFFD that was written for it. A low surrogate right after it
        // completes the character.
        let mut half = (0, usize::MAX);
        loop {
            let is_special = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\');
            let plain = self.text.iter().position(is_special).ok_or(Unreadable::Cut)?;
            text.extend_from_slice(&self.text[..plain]);
            self.text = &self.text[plain..];
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    let c = match self.next()? {
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        byte @ (b'"' | b'\\' | b'/') => char::from(byte),
                        b'u' => {
                            let unit = self.hex()?;
                            let mut pair = [half.0, unit].into_iter();
                            if half.1 == text.len() && matches!(unit, 0xdc00..0xe000) {
                                text.truncate(text.len() - 3);
                            } else {
                                pair.next();
                            }
                            let c =
                                char::decode_utf16(pair).next().and_then(Result::ok).unwrap_or('\u{fffd}');
                            if matches!(unit, 0xd800..0xdc00) {
                                half = (unit, text.len() + 3);
                            }
                            c
                        }
                        _ => return Err(Unreadable::Malformed),
                    };
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(Unreadable::Malformed),
            }
        }
        Ok(String::from_utf8(text).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Reads the four digits of an escape.
    fn hex(&mut self) -> Result<u16, Unreadable> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?).to_digit(16).ok_or(Unreadable::Malformed)?;
            unit = unit << 4 | digit as u16;
        }
        Ok(unit)
    }

    /// Reads a number as RFC 8259, section 6, defines it.
    fn number(&mut self) -> Result<String, Unreadable> {
        let text = self.text;
        self.any(b"-", 1);
        let zero = self.text.first() == Some(&b'0');
        let digits = self.any(b"0123456789", usize::MAX);
        let mut is_valid = digits > 0 && (digits == 1 || !zero);
        if self.any(b".", 1) == 1 {
            is_valid &= self.any(b"0123456789", usize::MAX) > 0;
        }
        if self.any(b"eE", 1) == 1 {
            self.any(b"+-", 1);
            is_valid &= self.any(b"0123456789", usize::MAX) > 0;
        }
        let number = &text[..text.len() - self.text.len()];
        match is_valid {
            true => Ok(String::from_utf8_lossy(number).into_owned()),
            false if self.text.is_empty() && !number.last().is_some_and(u8::is_ascii_digit) => {
                Err(Unreadable::Cut)
            }
            false => Err(Unreadable::Malformed),
        }
    }

    /// Skips up to `limit` of these bytes, and returns their number.
    fn any(&mut self, bytes: &[u8], limit: usize) -> usize {
        let count = self.text.iter().take(limit).take_while(|byte| bytes.contains(byte)).count();
        self.text = &self.text[count..];
        count
    }

    fn next(&mut self) -> Result<u8, Unreadable> {
        let (&byte, rest) = self.text.split_first().ok_or(Unreadable::Cut)?;
        self.text = rest;
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Json::read(text.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn agrees_with_serde_json() {
        let whole = r#" {"a":null,"b":[true,false,-0,10.5e+3,1E5,""],"c":{"\u00e9\ud83d\ude00\n\"\\\/\b\f":[[],{}]},"é":"😀"} "#;
        let check = |text: &[u8]| {
            let shown = String::from_utf8_lossy(text);
            match (Json::read(text), serde_json::from_slice::<serde_json::Value>(text)) {
                (Ok(json), Ok(value)) => {
                    let written = json.to_string();
                    assert_eq!(
                        serde_json::from_str::<serde_json::Value>(&written).unwrap(),
                        value,
                        "{shown}"
                    );
                    assert_eq!(Json::read(written.as_bytes()).unwrap(), json, "{shown}");
                }
                (Err(error), Err(other)) => {
                    let is_cut = matches!(error, Unreadable::Cut);
                    assert!(is_cut == other.is_eof() || shown.contains('\u{fffd}'), "{shown}: {other}");
                }
                // Serde refuses half of a pair of surrogates, bytes that are not UTF-8, and huge numbers.
                (Ok(json), Err(error)) => {
                    let lenient = shown.contains('\u{fffd}')
                        || json.to_string().contains('\u{fffd}')
                        || error.to_string().contains("out of range");
                    assert!(lenient, "{shown}: {error}");
                }
                (Err(error), Ok(_)) => panic!("{shown}: {error:?}"),
            }
        };
        for number in [
            "1.", "1.,", "1.e1", "1e", "1e+", "1e+,", "-", "-,", "01", "-01", ".5", "+1", "1.5.5", "-0",
            "0.0e-0",
        ] {
            check(number.as_bytes());
            check(format!("[{number}]").as_bytes());
        }
        check(whole.as_bytes());
        for end in 0..whole.len() {
            check(&whole.as_bytes()[..end]);
            for byte in (0..=0x7f).chain([0x80, 0xc3, 0xff]) {
                let mut changed = whole.as_bytes().to_vec();
                changed[end] = byte;
                check(&changed);
                changed.insert(end, b'"');
                check(&changed);
            }
        }
    }

    #[test]
    fn reads_text_with_a_byte_order_mark_or_invalid_characters() {
        assert_eq!(
            Json::read(b"\xef\xbb\xbf 18446744073709551616").unwrap().to_string(),
            "18446744073709551616"
        );
        let lossy = |text: &[u8]| match Json::read(text).unwrap() {
            Json::Text(text) => text,
            other => other.to_string(),
        };
        assert_eq!(lossy(b"\"caf\xe9\""), "caf\u{fffd}");
        assert_eq!(
            lossy(br#""\ud83d\ude00 \ud83d \ude00\ud83d\u0041""#),
            "\u{1f600} \u{fffd} \u{fffd}\u{fffd}A"
        );
        assert_eq!(lossy(br#""\ude00""#), "\u{fffd}");
        assert!(Json::read(&b"[".repeat(100_000)).is_err());
        assert_eq!(Json::from("\u{1}\t \u{1f}~").to_string(), r#""\u0001\t \u001f~""#);
    }

    #[test]
    fn limits_nesting() {
        let nested = |depth| Json::read(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        assert!(nested(MAX_DEPTH + 1).is_ok() && nested(MAX_DEPTH + 2).is_err());
    }

    #[test]
    fn rejects_other_values_than_objects() {
        for wrong in ["[]", "null", "1", r#"["caches"]"#] {
            let read: Result<Fields, String> = Json::read(wrong.as_bytes()).unwrap().try_into();
            assert_eq!(read.unwrap_err(), "not an object", "{wrong}");
        }
    }

    #[test]
    fn names_fields_that_are_missing_duplicate_or_of_another_type() {
        let text =
            r#"{"text":"a","number":7,"yes":true,"list":[1],"null":null,"twice":1,"twice":2,"half":0.5}"#;
        let all = || fields(text);
        assert_eq!(all().required_text("text").unwrap(), "a");
        assert_eq!(all().integer("number").unwrap(), 7);
        assert_eq!(all().boolean("yes").unwrap(), Some(true));
        assert_eq!(all().list("list").unwrap().unwrap(), [Json::from(1)]);
        assert_eq!((all().text("null"), all().boolean("null")), (Ok(None), Ok(None)));
        assert_eq!((all().list("null"), all().list("none")), (Ok(Some(vec![])), Ok(None)));
        assert_eq!(all().required_text("null").unwrap_err(), "missing field `null`");
        assert_eq!(all().integer("none").unwrap_err(), "missing field `none`");
        assert_eq!(all().integer("text").unwrap_err(), "`text` is not an integer");
        assert_eq!(all().integer("half").unwrap_err(), "`half` is not an integer");
        assert_eq!(all().text("number").unwrap_err(), "`number` is not a string");
        assert_eq!(all().boolean("text").unwrap_err(), "`text` is not a Boolean");
        assert_eq!(all().list("text").unwrap_err(), "`text` is not a list");
        assert_eq!(all().integer("twice").unwrap_err(), "duplicate field `twice`");
    }
}
