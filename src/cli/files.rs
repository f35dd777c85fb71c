//! Reads text files: keys, headers, saved servers, and lists of caches.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const MEBIBYTE: u64 = 1 << 20;

/// Reads the text file called `name`, or standard input if that is `-`: at most 1 MiB.
pub(crate) fn read(name: &str) -> io::Result<String> {
    if name == "-" { text(io::stdin().lock(), 1) } else { text(File::open(name)?, 1) }
}

/// Reads the text file at `path`, which may contain certificates: at most 16 MiB.
pub(crate) fn read_long(path: &Path) -> io::Result<String> {
    text(File::open(path)?, 16)
}

/// Decodes UTF-8 with or without a byte order mark, and UTF-16 with one, as PowerShell writes it.
fn text(from: impl Read, mebibytes: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(mebibytes * MEBIBYTE + 1).read_to_end(&mut bytes)?;
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
    if bytes.len() as u64 > mebibytes * MEBIBYTE {
        return Err(invalid(format!("it is larger than {mebibytes} MiB")));
    }
    let text = match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, text @ ..] => String::from_utf8(text.to_vec()).ok(),
        [0xff, 0xfe, units @ ..] => utf_16(units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => utf_16(units, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    };
    // UTF-16 without a mark may be valid UTF-8, full of zeros.
    let text = text.filter(|text| !text.contains('\0'));
    text.ok_or_else(|| invalid("it is not text in UTF-8, or in UTF-16 with a byte order mark".to_owned()))
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units = bytes.chunks(2).map(|pair| pair.try_into().ok().map(unit));
    String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn decodes_all_of_unicode_in_three_encodings() {
        let expected = "größe 大 😀\r\n";
        let units = || format!("\u{feff}{expected}").encode_utf16().collect::<Vec<_>>();
        for bytes in [
            expected.as_bytes().to_vec(),
            format!("\u{feff}{expected}").into_bytes(),
            units().into_iter().flat_map(u16::to_le_bytes).collect(),
            units().into_iter().flat_map(u16::to_be_bytes).collect(),
        ] {
            assert_eq!(text(bytes.as_slice(), 1).unwrap(), expected, "{bytes:?}");
        }
        // An odd number of bytes, half a surrogate pair, and Latin-1.
        for bytes in [&b"\xff\xfea\0\0"[..], b"\xff\xfe\x3d\xd8", b"gr\xf6\xdfe"] {
            assert!(text(bytes, 1).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn limits_the_length() {
        let long = vec![b'x'; 1 << 20];
        assert!(text(long.as_slice(), 1).is_ok());
        let error = text([long.as_slice(), b"x"].concat().as_slice(), 1).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 MiB");
    }
}
