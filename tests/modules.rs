//! Checks that each folder of `src/` uses only those below it.

// .clippy.toml allows this in tests, but not in the functions that tests share.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// From the top down.
const LAYERS: [&str; 6] = ["deletion", "client", "http", "api", "config", "error"];

#[test]
fn imports_only_downward_and_from_owners() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (height, layer) in LAYERS.iter().enumerate() {
        let code = code_of(&src, layer);
        for upper in &LAYERS[..height] {
            assert!(!code.contains(&format!("crate::{upper}::")), "{layer} uses {upper}");
        }
        // `use crate::Config` would be an import from lib.rs, which hides who owns a name.
        let from_root = code.lines().find(|line| {
            let import = line.trim().strip_prefix("use crate::");
            import.is_some_and(|import| import.starts_with(|c: char| c.is_uppercase() || c == '{'))
        });
        assert_eq!(from_root, None, "{layer}");
    }
    assert!(code_of(&src, "client").contains("use crate::http::"), "the check reads the code");
}

/// Returns the code of a folder, or of a file of this name.
fn code_of(src: &Path, layer: &str) -> String {
    let folder = src.join(layer);
    if !folder.is_dir() {
        return fs::read_to_string(folder.with_extension("rs")).unwrap();
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}
