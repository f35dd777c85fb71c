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
    Ok(content)
}
