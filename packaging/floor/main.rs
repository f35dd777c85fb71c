//! The smallest program of this kind: one DELETE and one GET, by `floor URL KEY BODY`.
//!
//! `packaging/size.sh` builds it with the dependencies, features and profile of connect-cache, to compare the
//! sizes.

use std::env;
use std::process::ExitCode;

fn run(url: &str, key: &str, body: &str) -> Result<String, ureq::Error> {
    let key = format!("Key {key}");
    let deleted = ureq::delete(url)
        .header("authorization", &key)
        .header("content-type", "application/json")
        .force_send_body()
        .send(body)?
        .body_mut()
        .read_to_string()?;
    let left = ureq::get(url).header("authorization", &key).call()?.body_mut().read_to_string()?;
    Ok(deleted + &left)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, key, body] = &arguments[..] else {
        println!("usage: floor URL KEY BODY");
        return ExitCode::SUCCESS;
    };
    match run(url, key, body) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
