//! Compares the reader and the writer of JSON with serde_json's.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use connect_cache::{Json, Unreadable};
use connect_cache_fuzz::{Change, one_of};
use libfuzzer_sys::fuzz_target;

/// Valid JSON in any spelling.
#[derive(Debug)]
struct Text(String);

const BLANKS: [&str; 6] = ["", "", "", " ", "\t", "\r\n"];
const LITERALS: [&str; 3] = ["null", "true", "false"];
const NUMBERS: [&str; 12] =
    ["0", "-0", "1", "12", "-7", "0.5", "10.25e+3", "1E5", "2e-9", "9223372036854775808", "1e400", "-0.0e0"];
const CHARACTERS: [&str; 16] = [
    "a",
    " ",
    "\u{e9}",
    "\u{1f600}",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\b\\f\\r\\t",
    "\\u0000",
    "\\u00e9",
    "\\uD83D\\uDE00",
    "\\ud83d",
    "\\ude00",
    "\u{7f}",
    "\u{feff}",
];

fn blank(input: &mut Unstructured<'_>, text: &mut String) -> arbitrary::Result<()> {
    text.push_str(one_of(&BLANKS, input.arbitrary()?));
    Ok(())
}

fn string(input: &mut Unstructured<'_>, text: &mut String) -> arbitrary::Result<()> {
    text.push('"');
    for _ in 0..input.int_in_range(0..=6)? {
        text.push_str(one_of(&CHARACTERS, input.arbitrary()?));
    }
    text.push('"');
    Ok(())
}

fn value(input: &mut Unstructured<'_>, depth: usize, text: &mut String) -> arbitrary::Result<()> {
    blank(input, text)?;
    match input.int_in_range(0..=if depth > 0 { 4 } else { 2 })? {
        0 => text.push_str(one_of(&LITERALS, input.arbitrary()?)),
        1 => text.push_str(one_of(&NUMBERS, input.arbitrary()?)),
        2 => string(input, text)?,
        kind => {
            let is_object = kind == 3;
            text.push(if is_object { '{' } else { '[' });
            for n in 0..input.int_in_range(0..=4)? {
                if n > 0 {
                    text.push(',');
                }
                if is_object {
                    blank(input, text)?;
                    string(input, text)?;
                    blank(input, text)?;
                    text.push(':');
                }
                value(input, depth - 1, text)?;
            }
            blank(input, text)?;
            text.push(if is_object { '}' } else { ']' });
        }
    }
    blank(input, text)
}

impl<'a> Arbitrary<'a> for Text {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut text = String::new();
        value(input, 5, &mut text)?;
        Ok(Self(text))
    }
}

fuzz_target!(|input: (Text, Change)| {
    let (Text(text), change) = input;
    let mut text = text.into_bytes();
    change.apply(&mut text);
    let shown = String::from_utf8_lossy(&text);
    let all = Json::read_all(&text);
    match (Json::read(&text), serde_json::from_slice::<serde_json::Value>(&text)) {
        (Ok(json), other) => {
            let written = json.to_string();
            assert!(!written.contains(|c| c < ' '), "{shown}: {written}");
            assert_eq!(Json::read(written.as_bytes()).as_ref(), Ok(&json), "{shown}");
            assert_eq!(all, Ok(vec![json]), "{shown}");
            match other {
                Ok(value) => {
                    let again: serde_json::Value = serde_json::from_str(&written).unwrap();
                    assert_eq!(again, value, "{shown}: {written}");
                }
                // Serde rejects half of a surrogate pair, bytes that are not UTF-8, a byte order mark and huge numbers.
                Err(error) => assert!(
                    shown.contains('\u{fffd}')
                        || written.contains('\u{fffd}')
                        || shown.starts_with('\u{feff}')
                        || error.to_string().contains("out of range"),
                    "{shown}: {error}"
                ),
            }
        }
        (Err(error), Err(other)) => {
            // Serde looks for other errors first, and calls an invalid number at the end an error, not cut.
            let is_lenient = ["\u{fffd}", "\u{feff}", "\\u"].iter().any(|part| shown.contains(part))
                || ["out of range", "recursion limit", "invalid number"]
                    .iter()
                    .any(|problem| other.to_string().contains(problem));
            assert!(
                (error == Unreadable::Cut) == other.is_eof() || is_lenient,
                "{shown}: {error:?}, {other}"
            );
        }
        (Err(error), Ok(_)) => panic!("{shown}: {error:?}"),
    }
});
