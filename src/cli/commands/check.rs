//! `connect-cache check`

use connect_cache::{Error, ErrorKind, RuntimeCache, User, Verdict};
use serde::Serialize;

use crate::cli::exit_status::ExitStatus;
use crate::cli::filters::Filters;
use crate::cli::options::Check;
use crate::cli::session::Session;

/// The findings before the first failure, as `check --json` prints them.
#[derive(Default, Serialize)]
struct Findings {
    ok: bool,
    server: String,
    /// The source of the trusted certificates; null over plain http.
    trust: Option<String>,
    version: Option<String>,
    user: Option<String>,
    role: Option<String>,
    caches: Option<usize>,
    /// The first failure, with the next step.
    error: Option<String>,
}

/// Why the checks ended early.
struct Failure {
    /// The check that failed.
    check: &'static str,
    explanation: String,
    status: ExitStatus,
}

pub(crate) fn run(check: &Check, session: &Session) -> ExitStatus {
    let mut findings = Findings { server: session.server().to_string(), ..Findings::default() };
    let passed = |line: &str| {
        if !check.json {
            session.line(&format!("ok    {line}"));
        }
    };
    let result = examine(session, &mut findings, &passed);
    let status = match result {
        Ok(()) => ExitStatus::Success,
        Err(Failure { check: what, explanation, status }) => {
            if !check.json {
                session.line(&format!("FAIL  {what}"));
            }
            session.error(&explanation);
            findings.error = Some(explanation);
            status
        }
    };
    if check.json {
        findings.ok = status == ExitStatus::Success;
        session.output.json(&findings);
    }
    status
}

fn examine(session: &Session, findings: &mut Findings, passed: &dyn Fn(&str)) -> Result<(), Failure> {
    let client = &session.client;
    let failed = |check| {
        move |error: Error| Failure {
            check,
            explanation: session.explained(&error),
            status: ExitStatus::from(&error),
        }
    };

    findings.trust = client.trust_source().map(str::to_owned);
    let settings = client.server_settings().map_err(|error| {
        let is_certificate = matches!(error.kind, ErrorKind::UnknownIssuer | ErrorKind::Certificate(_));
        // Some servers want a key even here.
        let refuses_key = matches!(error.kind, ErrorKind::Api { status: 401 | 403, .. });
        let check = if refuses_key { "the key gives access" } else { "Connect answers" };
        let mut failure = failed(check)(error);
        if let Some(trust) = findings.trust.as_ref().filter(|_| is_certificate) {
            failure.explanation += &format!(" (trusting {trust})");
        }
        failure
    })?;
    passed(&format!("Connect answers on {}", findings.server));
    match &findings.trust {
        Some(trust) => passed(&format!("the connection is encrypted, trusting {trust}")),
        None => passed("the connection uses plain http, not encrypted"),
    }
    let version = settings.version.filter(|version| !version.is_empty());
    findings.version = version.map(|version| client.mask_key(&version));
    let execution = settings.execution_type.filter(|execution| !execution.is_empty());
    let execution = execution.map(|execution| format!(" (execution: {execution})")).unwrap_or_default();
    match &findings.version {
        Some(version) => passed(&format!("the server is Connect {version}{execution}")),
        None => passed(&format!("the server is Connect, its version is hidden{execution}")),
    }

    match client.current_user() {
        Ok(User { username, user_role, .. }) => {
            let whose = if username.is_empty() { "" } else { &format!(": it belongs to {username}") };
            passed(&format!("the key gives access{whose}"));
            // The server decides what a role allows.
            if !user_role.is_empty() {
                passed(&format!("the role is {user_role}"));
            }
            let known = |name: String| Some(client.mask_key(&name)).filter(|name| !name.is_empty());
            (findings.user, findings.role) = (known(username), known(user_role));
        }
        // Connect has no user for the key of a service principal, which the list accepts if its role allows it.
        Err(error) if matches!(error.kind, ErrorKind::Api { status: 403, code: 22, .. }) => {
            passed("the key gives access: it may belong to a service principal");
        }
        Err(error) => return Err(failed("the key gives access")(error)),
    }

    let caches = client.runtime_caches().map_err(failed("runtime caches can be managed"))?;
    let number = Filters::default().select(caches).len();
    findings.caches = Some(number);
    passed(&format!("runtime caches can be managed: there are {number}"));

    // Some gateways block DELETE, or strip its body. This is a dry run, of a version that no cache has.
    let refusal = client.check_runtime_cache(&RuntimeCache::new("R", "0.0.0", "Local")).err();
    if let Some(error) = refusal.filter(|error| error.verdict() != Verdict::NotFound) {
        return Err(failed("runtime caches can be deleted")(error));
    }
    passed("runtime caches can be deleted: DELETE requests get through");
    Ok(())
}
