//! `connect-cache check`

use connect_cache::{Error, ErrorKind, ExitStatus};
use serde::Serialize;

use crate::cli::advice::explained;
use crate::cli::options::Check;
use crate::cli::session::Session;

/// What was found out, as far as it went.
#[derive(Default, Serialize)]
struct Findings {
    ok: bool,
    server: String,
    /// Whose certificates are trusted; null over plain http.
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
    /// What does not hold.
    check: &'static str,
    explanation: String,
    status: ExitStatus,
}

pub(crate) fn run(check: &Check, session: &Session) -> ExitStatus {
    let mut findings = Findings { server: session.server().to_string(), ..Findings::default() };
    let passed = |line: &str| {
        if !check.json {
            session.output.line(&format!("ok    {line}"));
        }
    };
    let result = examine(session, &mut findings, &passed);
    let status = match result {
        Ok(()) => ExitStatus::Success,
        Err(Failure { check: what, explanation, status }) => {
            if !check.json {
                session.output.line(&format!("FAIL  {what}"));
            }
            session.output.error(&explanation);
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
            explanation: explained(&error, session.server()),
            status: error.exit_status(),
        }
    };

    findings.trust = client.trust_source().map(str::to_owned);
    let settings = client.server_settings().map_err(|error| match &error.kind {
        // Whoever refuses the key has been reached.
        _ if error.exit_status() == ExitStatus::Denied => failed("the key is accepted")(error),
        ErrorKind::Certificate(_) => {
            let trust = findings.trust.as_deref().unwrap_or_default();
            let Failure { explanation, status, check } = failed("the server is reachable")(error);
            Failure { check, explanation: format!("{explanation} (trusted is {trust})"), status }
        }
        _ => failed("the server is reachable")(error),
    })?;
    passed(&format!("the server is reachable: {}", findings.server));
    match &findings.trust {
        Some(trust) => passed(&format!("the connection is encrypted, trusting {trust}")),
        None => passed("the connection is plain http, not encrypted"),
    }
    findings.version = settings.version.filter(|version| !version.is_empty());
    match &findings.version {
        Some(version) => passed(&format!("the server is Connect {version}")),
        None => passed("the server is Connect, and hides its version"),
    }

    let user = client.current_user().map_err(failed("the key is accepted"))?;
    findings.user = Some(user.username.clone());
    match user.username.as_str() {
        "" => passed("the key is accepted"),
        name => passed(&format!("the key is accepted: it is {name}'s")),
    }
    findings.role = Some(user.user_role.clone());
    if !["administrator", ""].contains(&user.user_role.as_str()) {
        return Err(Failure {
            check: "the role is administrator",
            explanation: format!(
                "{} is a {}, and runtime caches are for administrators; use the key of one",
                user.username, user.user_role
            ),
            status: ExitStatus::Denied,
        });
    }
    if !user.user_role.is_empty() {
        passed("the role is administrator");
    }

    let caches = client.runtime_caches().map_err(failed("runtime caches can be managed"))?;
    findings.caches = Some(caches.len());
    passed(&format!("runtime caches can be managed: there are {}", caches.len()));
    Ok(())
}
