//! Small files: keys and saved servers.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No file that is read here is longer.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a file of at most 1 MiB.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    read_limited(File::open(path)?)
}

/// Reads standard input, at most 1 MiB.
pub(crate) fn read_stdin() -> io::Result<Vec<u8>> {
    read_limited(io::stdin().lock())
}

fn read_limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    // A byte order mark is no part of a text.
    if content.starts_with("\u{feff}".as_bytes()) {
        content.drain(..3);
    }
    Ok(content)
}

/// Returns a file's text if it is UTF-8, or ASCII in UTF-16, as PowerShell writes files.
pub(crate) fn text(content: Vec<u8>) -> Option<String> {
    let utf16 = content.strip_prefix(b"\xff\xfe").or(content.strip_prefix(b"\xfe\xff")).unwrap_or(&content);
    for high in [0, 1] {
        let pairs = utf16.chunks_exact(2);
        let is_ascii = |pair: &[u8]| pair[high] == 0 && pair[1 - high].is_ascii();
        if pairs.remainder().is_empty() && pairs.clone().all(is_ascii) {
            return Some(pairs.map(|pair| char::from(pair[1 - high])).collect());
        }
    }
    String::from_utf8(content).ok()
}
