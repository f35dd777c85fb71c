//! Runs the whole program against a server of which some replies are faulty, and checks the program's claims.

#![no_main]

mod claims;
#[path = "../../../oracle/mod.rs"]
mod oracle;
mod play;
mod scenario;

use connect_cache_fuzz::{is_binary, run, url};
use libfuzzer_sys::fuzz_target;

use play::Play;
use scenario::Scenario;

fuzz_target!(|scenario: Scenario| {
    let args = scenario.args(&url(), is_binary());
    let mut play = Play::new(scenario);
    let ran = run(&args, |request| play.answer(&request));
    if let Err(problem) = claims::check(&play, &ran) {
        panic!(
            "{problem}\n{args:?}\n{play:#?}\nexit status {:?}\n{}\n{}",
            ran.status, ran.stdout, ran.stderr
        );
    }
});
