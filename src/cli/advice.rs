//! The next step after an error.

use connect_cache::{Attempt, Config, Error, ErrorKind, Excerpt, Proxy, ServerUrl, Trust};

const CLIENT_CERTIFICATE: &str = "client certificates are not supported; connect through stunnel";

const WAIT: &str = "wait a while, and run it again";

/// Returns the next step after an error, if one is known. `check` is the command that tests the server, unless that runs.
pub(crate) fn next_step(error: &Error, config: &Config, check: Option<&str>) -> Option<String> {
    let server = &config.server;
    if let Some(pause) = error.retry_after().filter(|&pause| pause > Error::MAX_RETRY_AFTER) {
        return Some(format!("the server asks to retry in {} s", pause.as_secs()));
    }
    let other_scheme = |scheme: &str, does: &str| {
        let address = server.to_string();
        let (_, address) = address.split_once("://")?;
        Some(format!("{does} on this port; use {scheme}://{address}"))
    };
    if let Some(address) = without_dashboard(&error.kind, server) {
        return Some(format!("/connect is the dashboard; use {address} as the server"));
    }
    let deletes = matches!(error.attempt, Attempt::DeleteRuntimeCache | Attempt::CheckRuntimeCache);
    let step = match &error.kind {
        ErrorKind::Name { .. } if config.proxy.as_ref().is_some_and(Proxy::resolves_here) => {
            "check the server URL; if only the proxy can resolve the name, use socks5h:// in the proxy's URL"
        }
        ErrorKind::Name { .. } => {
            "check the server URL; use the full name or a line in the hosts file: no search domain is added, and DNS must \
             answer for IPv4 and IPv6"
        }
        ErrorKind::Connect { .. } => "check the server URL and port, and that the server is running",
        ErrorKind::ProxyAuthentication { basic: false, .. } => {
            "the proxy does not accept Basic credentials, and no others are supported"
        }
        ErrorKind::ProxyAuthentication { refused: true, .. } => {
            "the proxy rejected the user name and password in its URL"
        }
        ErrorKind::ProxyAuthentication { .. } | ErrorKind::Foreign { status: 407, .. } => {
            "the proxy requires credentials; specify it as SCHEME://USER:PASSWORD@HOST:PORT in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY"
        }
        ErrorKind::Proxy { .. } => {
            "check the server URL, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or bypass the proxy with NO_PROXY"
        }
        ErrorKind::UnknownIssuer if matches!(config.trust, Trust::Certificates(_)) => {
            "it has another CA than the CA file, or the server omits an intermediate certificate; see what the file \
             holds with: openssl x509 -in FILE -noout -text"
        }
        ErrorKind::UnknownIssuer => {
            "specify its CA certificate with --cacert FILE; the server may also omit an intermediate certificate"
        }
        ErrorKind::Certificate(certificate) => certificate.correction,
        ErrorKind::NotTls(_) => return other_scheme("http", "the server seems to use plain http"),
        ErrorKind::TlsClosed(_) => {
            "check that this port uses https, and whether a gateway blocks it or requires a client certificate, which stunnel can send"
        }
        ErrorKind::ClientCertificateRequired(_) => CLIENT_CERTIFICATE,
        ErrorKind::TlsAlert(alert) if alert.ends_with("UnrecognisedName") => {
            "the server does not know this host name; check the server URL"
        }
        ErrorKind::Tls(_) | ErrorKind::TlsAlert(_) => {
            "the server must offer TLS 1.2 or 1.3 with a common cipher and an RSA, P-256, P-384 or Ed25519 key; if it requires \
             a client certificate, connect through stunnel"
        }
        ErrorKind::NotHttp(_) if !server.is_https() => {
            return other_scheme("https", "the server may use https");
        }
        ErrorKind::Lost(_) | ErrorKind::NotHttp(_) | ErrorKind::InvalidHttp(_) => {
            "check the network, and any gateway between this host and the server"
        }
        ErrorKind::TimedOut(_) => "check the health of the server, or raise --request-timeout",
        ErrorKind::Redirect { instead: Some(address), .. } => {
            return Some(format!("use {address} as the server"));
        }
        ErrorKind::Redirect { .. } => "a login page or a proxy replied; check the server URL",
        ErrorKind::Api { status, code, .. } => api(*status, *code, error.attempt)?,
        ErrorKind::OutOfTime => "raise --timeout",
        // Go's server and nginx reply so to plain http on an https port.
        ErrorKind::Foreign { status: 400, excerpt: Excerpt { text, .. } }
            if !server.is_https() && text.contains("HTTP request") && text.contains("HTTPS") =>
        {
            return other_scheme("https", "the server uses https");
        }
        // nginx asks for the certificate only after the handshake.
        ErrorKind::Foreign { status: 400, excerpt } if excerpt.text.contains("SSL certificate") => {
            CLIENT_CERTIFICATE
        }
        ErrorKind::DeleteRefused { .. } => {
            "something in front of Connect refuses DELETE requests, perhaps because of their body; allow them there"
        }
        ErrorKind::Encoded { .. } => {
            "make the gateway in front of Connect honor Accept-Encoding, or bypass it"
        }
        ErrorKind::Foreign { status: 429, .. } => WAIT,
        // Before a DELETE, Connect has answered.
        ErrorKind::Foreign { status, .. } if matches!(status, 401 | 403) || deletes && *status < 500 => {
            "a gateway or proxy in front of Connect refused the request"
        }
        ErrorKind::Foreign { status: 500.., .. } => {
            "check that Connect is running, and the gateway in front of it"
        }
        ErrorKind::Malformed { is_json: false, .. } if check.is_some() => {
            let url = if deletes { "" } else { "check the server URL, including any path prefix; " };
            return Some(format!("{url}test it with: {}", check?));
        }
        ErrorKind::Malformed { is_json: false, .. } if deletes => {
            "something in front of Connect replies to DELETE requests itself; have it pass them on"
        }
        // Before a DELETE, Connect has answered.
        ErrorKind::Malformed { .. } if deletes => return None,
        ErrorKind::Foreign { .. } | ErrorKind::Malformed { .. } | ErrorKind::TooLarge => {
            "check the server URL, including any path prefix"
        }
        _ => return None,
    };
    Some(step.to_owned())
}

/// Returns the server's address without the `/connect` of the dashboard, if the reply may be the dashboard's.
fn without_dashboard(kind: &ErrorKind, server: &ServerUrl) -> Option<String> {
    let is_dashboard = match kind {
        ErrorKind::Redirect { instead, .. } => instead.is_none(),
        ErrorKind::Foreign { status: 404 | 405, excerpt } | ErrorKind::Malformed { excerpt, .. } => {
            excerpt.is_page
        }
        _ => false,
    };
    let address = server.to_string();
    let address = address.strip_suffix("/connect").filter(|_| is_dashboard)?;
    // The host's own name may be `connect`.
    address.parse::<ServerUrl>().is_ok().then(|| address.to_owned())
}

/// Returns the next step by Connect's error code (API reference, "Error codes").
fn api(status: u16, code: i64, attempt: Attempt) -> Option<&'static str> {
    use Attempt::{
        CheckRuntimeCache, DeleteRuntimeCache, ListContent, ListPythonInstallations, ListRInstallations,
        PollTask,
    };
    Some(match (status, code, attempt) {
        (_, 2, ListRInstallations | ListPythonInstallations) => {
            "this version of Connect does not support --orphaned"
        }
        (_, 2, ListContent) => "this version of Connect does not support --unused and --usage",
        (_, 2, _) => "runtime caches require Connect 2023.05 or later",
        (_, 29, _) => "the API key has expired; create another one",
        (_, 24 | 30, _) | (401, ..) => "check the API key",
        (_, 99, _) => "the server is in restricted mode, which its administrator has to end",
        (_, 277, _) | (429, ..) => WAIT,
        (_, 50, _) => "an administrator can unlock the user",
        (_, 92, _) => "a gateway may change cookies or headers; bypass it",
        (_, 95, _) => "use a user's API key",
        (_, 19..=22, _) | (403, ..) => {
            "use an API key with the administrator role, which a key can lack even if its user has it"
        }
        (_, 141, _) | (404, 4, PollTask) => {
            "no node knows the task: it may have ended with a restart of the server, or be running on another node"
        }
        (_, 179, _) => "use R or Python",
        (_, 12 | 87 | 121 | 180, DeleteRuntimeCache | CheckRuntimeCache) => {
            "a gateway may strip the bodies of DELETE requests"
        }
        (_, 194, _) => {
            "an administrator of the server can set Server.AllowRuntimeCacheManagement, or the variable \
             CONNECT_SERVER_ALLOWRUNTIMECACHEMANAGEMENT=true"
        }
        (500.., ..) => "see the server log",
        _ => return None,
    })
}
