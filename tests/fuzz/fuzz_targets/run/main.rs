//! Runs the whole program against a server of which some replies are faulty, and checks the program's claims.
//!
//! The program runs in this process. With CONNECT_CACHE_BIN, that binary runs instead.

#![no_main]

mod claims;
mod clock;
mod play;
mod program;
mod scenario;

#[path = "../../../../src/cli/mod.rs"]
mod cli;

use std::sync::{Arc, Mutex};

use connect_cache_fuzz::server::Server;
use connect_cache_fuzz::set_environment;
use libfuzzer_sys::fuzz_target;

use play::Play;
use program::{binary, run_binary, run_here};
use scenario::Scenario;

fuzz_target!(init: { binary(); set_environment(&[]) }, |scenario: Scenario| {
    let play = Arc::new(Mutex::new(Play::new(scenario)));
    let server = {
        let play = play.clone();
        Server::start(move |request| play.lock().expect("no panic").answer(request))
    };
    let args = play.lock().expect("no panic").scenario.args(&server.url(), binary().is_some());
    let ran = match binary() {
        Some(binary) => run_binary(binary, &args),
        None => run_here(|| cli::run(args.iter().map(Into::into)).code()),
    };
    drop(server);
    let play = play.lock().expect("no panic");
    if let Err(problem) = claims::check(&play, &ran) {
        panic!("{problem}\n{args:?}\n{play:#?}\nexit status {:?}\n{}\n{}", ran.status, ran.stdout, ran.stderr);
    }
});
