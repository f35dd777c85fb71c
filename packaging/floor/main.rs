//! The least program that does the main job: it starts one deletion and polls the task until it is finished.
//!
//! `packaging/floor/build.sh` builds it with the dependencies, features and profile of connect-cache: `make size`
//! compares their sizes, `make bench` their times. It reads connect-cache's variables.

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

use argh::FromArgs;
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Delete one Posit Connect runtime cache
#[derive(FromArgs)]
struct Options {
    /// language: R or Python
    #[argh(option, short = 'l')]
    language: String,

    /// version of the language
    #[argh(option, short = 'V')]
    version: String,

    /// image name (default Local)
    #[argh(option, short = 'I', default = "String::from(\"Local\")")]
    image_name: String,
}

#[derive(Serialize)]
struct RuntimeCache {
    language: String,
    version: String,
    image_name: String,
}

#[derive(Deserialize)]
struct Deletion {
    task_id: String,
}

#[derive(Deserialize)]
struct Task {
    output: Vec<String>,
    finished: bool,
    code: i64,
    error: String,
    last: usize,
}

/// Returns an agent that trusts the server's own CA, if there is one, else the Mozilla roots in the binary.
fn agent() -> Result<Agent, Box<dyn Error>> {
    let mut tls = TlsConfig::builder();
    if let Some(file) = env::var_os("CONNECT_CA_CERTIFICATE") {
        tls = tls.root_certs(RootCerts::new_with_certs(&[Certificate::from_pem(&fs::read(file)?)?]));
    }
    // ureq clears its buffers first: those of its default sizes take half the instructions of a deletion over TLS.
    let small = Agent::config_builder().input_buffer_size(16 * 1024).output_buffer_size(4 * 1024);
    Ok(small.tls_config(tls.build()).build().into())
}

fn delete(options: Options) -> Result<Task, Box<dyn Error>> {
    let agent = agent()?;
    let api = format!("{}/__api__/v1", env::var("CONNECT_SERVER")?);
    let key = format!("Key {}", env::var("CONNECT_API_KEY")?);
    let cache =
        RuntimeCache { language: options.language, version: options.version, image_name: options.image_name };

    let mut reply = agent
        .delete(format!("{api}/system/caches/runtime"))
        .header("authorization", &key)
        .header("content-type", "application/json")
        .force_send_body()
        .send(&serde_json::to_vec(&cache)?)?;
    let deletion: Deletion = serde_json::from_slice(&reply.body_mut().read_to_vec()?)?;
    let mut first = 0;
    loop {
        let mut reply = agent
            .get(format!("{api}/tasks/{}?first={first}&wait=16", deletion.task_id))
            .header("authorization", &key)
            .call()?;
        let task: Task = serde_json::from_slice(&reply.body_mut().read_to_vec()?)?;
        task.output.iter().for_each(|line| println!("{line}"));
        if task.finished {
            return Ok(task);
        }
        first = task.last;
    }
}

fn main() -> ExitCode {
    match delete(argh::from_env()) {
        Ok(task) if task.code == 0 && task.error.is_empty() => ExitCode::SUCCESS,
        Ok(task) => {
            eprintln!("error: the task failed with code {}: {}", task.code, task.error);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
