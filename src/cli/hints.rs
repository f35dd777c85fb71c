//! What to do next about an error.

use crate::{CertificateProblem, Error, ErrorKind, ServerUrl};

/// The next step, where there is one to name.
pub(crate) fn next_step(error: &Error, server: &ServerUrl) -> Option<String> {
    if let Some(pause) = error.retry_after {
        if pause > crate::retry::MAX_RETRY_AFTER {
            return Some(format!("the server asks to come back in {} s", pause.as_secs()));
        }
    }
    let other_scheme = |scheme: &str, does: &str| {
        let (_, address) = server.to_string().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        Some(format!("{does} on this port: try {scheme}://{address}"))
    };
    let step = match &error.kind {
        ErrorKind::Name { .. } => "check the server's address and this host's name resolution",
        ErrorKind::Connect { .. } => "check that the server runs, and its address and port",
        ErrorKind::Proxy { problem, .. } if problem.contains("407") => PROXY_CREDENTIALS,
        ErrorKind::Proxy { .. } => {
            "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; NO_PROXY goes around the proxy"
        }
        ErrorKind::Certificate(problem) => certificate(problem),
        ErrorKind::Tls(problem) if problem.contains("corrupt message") => {
            return other_scheme("http", "the server seems to speak plain http");
        }
        ErrorKind::Tls(problem) if problem.contains("was closed") => {
            "check that this port speaks https, and what stands in between"
        }
        ErrorKind::Tls(_) => {
            "the server has to offer TLS 1.2 or 1.3 with a common cipher and a P-256, P-384 or RSA key"
        }
        ErrorKind::Lost(problem) if problem.contains("invalid HTTP version") && !server.is_https() => {
            return other_scheme("https", "the server may speak https");
        }
        ErrorKind::Lost(_) => "check the connection, and what stands between this host and the server",
        ErrorKind::TimedOut(_) => "check that the server is well; --request-timeout sets the limit",
        ErrorKind::Redirect { instead: Some(address), .. } => {
            return Some(format!("use {address} as the server"));
        }
        ErrorKind::Redirect { .. } => "a login page or a proxy answered: check the server's address",
        ErrorKind::Api { status, code, .. } => return api(*status, *code, error.attempt).map(str::to_owned),
        // What Go's and nginx's servers say to plain http on their https port.
        ErrorKind::Foreign { status: 400, start }
            if !server.is_https() && start.contains("HTTP request") && start.contains("HTTPS") =>
        {
            return other_scheme("https", "the server speaks https");
        }
        ErrorKind::Foreign { status: 401 | 403, .. } => {
            "something in front of Connect refused: a gateway or a proxy"
        }
        ErrorKind::Foreign { status: 407, .. } => PROXY_CREDENTIALS,
        ErrorKind::Foreign { status: 500.., .. } => "check that Connect runs, and the gateway in front of it",
        ErrorKind::Foreign { .. } | ErrorKind::Malformed { .. } => {
            "check the server's address, a path prefix included"
        }
        ErrorKind::TooLarge => "check that the address is Connect's",
    };
    Some(step.to_owned())
}

const PROXY_CREDENTIALS: &str = "the proxy wants credentials: http://USER:PASSWORD@HOST:PORT";

fn certificate(problem: &CertificateProblem) -> &'static str {
    match problem {
        CertificateProblem::UnknownIssuer => "name its CA's certificate with --cacert FILE",
        CertificateProblem::WrongName => {
            "use a name that the certificate is for, or have it reissued with this name as subject alternative name"
        }
        CertificateProblem::NoSubjectAltName => {
            "have it reissued with the server's name as subject alternative name; a common name does not count"
        }
        CertificateProblem::CaUsedAsServer => {
            "have it reissued without CA:TRUE, which openssl req -x509 sets: \
             -addext basicConstraints=critical,CA:FALSE"
        }
        CertificateProblem::Expired => "have it renewed, and check this host's clock",
        CertificateProblem::NotYetValid => {
            "check this host's clock, and from when on the certificate is valid"
        }
        CertificateProblem::Other(_) => {
            "have it reissued with an RSA, P-256 or P-384 key and a SHA-2 signature"
        }
    }
}

/// By Connect's error code (API reference, "Error codes").
fn api(status: u16, code: i64, attempt: &str) -> Option<&'static str> {
    let of_caches = attempt.contains("runtime cache");
    Some(match (status, code) {
        (_, 2) if attempt.ends_with("that the server offers") => {
            "this Connect cannot tell; select without --orphaned"
        }
        (_, 2) => "Connect 2023.05 or later is needed for runtime caches",
        (_, 4) if of_caches => "connect-cache list shows the caches there are",
        (_, 24) | (401, _) => "check the API key",
        (_, 50) => "an administrator can unlock the user",
        (_, 95) => "use an API key of a user's",
        (403, _) => "use the key of an administrator",
        (_, 141) => "it may run on another node of the cluster, or has ended with a restart of the server",
        (_, 179) => "the languages are R and Python",
        (_, 180) => "name the language, the version in three parts, and the image",
        (_, 194) => "it has to be enabled in the server's configuration",
        (500.., _) => "see the server's log",
        _ => return None,
    })
}
