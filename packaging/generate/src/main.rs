//! Generates the completions and the man page from the definitions of the options, so that the program contains neither:
//! `connect-cache-generate FOLDER VERSION DATE`.

mod completions;
#[cfg(test)]
mod documented;
mod man;

// These modules are private to the program, so they are compiled here once more, from the same files.
#[allow(dead_code)]
#[path = "../../../src/cli/exit_status.rs"]
mod exit_status;
#[allow(dead_code)]
#[path = "../../../src/cli/help.rs"]
mod help;
#[allow(dead_code)]
#[path = "../../../src/cli/options.rs"]
mod options;
#[allow(dead_code)]
#[path = "../../../src/cli/spelling.rs"]
mod spelling;
#[allow(dead_code)]
#[path = "../../../src/cli/values.rs"]
mod values;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [folder, version, date] = &words[..] else {
        return Err("usage: connect-cache-generate FOLDER VERSION DATE".into());
    };
    let write = |file: &str, text: String| -> std::io::Result<()> {
        let path = Path::new(folder).join(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, text)
    };
    write("completions/connect-cache.bash", completions::bash())?;
    write("completions/_connect-cache", completions::zsh())?;
    write("completions/connect-cache.fish", completions::fish())?;
    write("man/connect-cache.1", man::page(version, date))?;
    Ok(())
}
