//! The next step after an error.

use connect_cache::{Attempt, Error, ErrorKind, ServerUrl};

const CLIENT_CERTIFICATE: &str = "client certificates are not supported; connect through stunnel";

/// Returns the next step after an error, if one is known. `command` completes the words of a command to print.
pub(crate) fn next_step(
    error: &Error,
    server: &ServerUrl,
    command: &dyn Fn(&str) -> String,
) -> Option<String> {
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
        ErrorKind::Name { .. } => "check the server URL and this host's name resolution",
        ErrorKind::Connect { .. } => "check the server URL and port, and that the server is running",
        ErrorKind::ProxyAuthentication { basic: false, .. } => {
            "the proxy does not accept Basic credentials, and no others are supported"
        }
        ErrorKind::ProxyAuthentication { refused: true, .. } => {
            "the proxy rejected the user name and password in its URL"
        }
        ErrorKind::ProxyAuthentication { .. } | ErrorKind::Foreign { status: 407, .. } => {
            "the proxy requires credentials: SCHEME://USER:PASSWORD@HOST:PORT"
        }
        ErrorKind::Proxy { .. } => {
            "check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or bypass the proxy with NO_PROXY"
        }
        ErrorKind::UnknownIssuer => {
            "specify its CA certificate with --cacert FILE; if you did, it has another CA, or the server omits an \
             intermediate certificate"
        }
        ErrorKind::Certificate(certificate) => certificate.correction,
        ErrorKind::NotTls(_) => return other_scheme("http", "the server seems to use plain http"),
        ErrorKind::TlsClosed(_) => {
            "check that this port uses https, and whether a gateway blocks it or requires a client certificate"
        }
        ErrorKind::ClientCertificateRequired(_) => CLIENT_CERTIFICATE,
        ErrorKind::TlsAlert(alert) if alert.ends_with("BadCertificate") => {
            "the server may require a client certificate, which is not supported; connect through stunnel, which \
             sends one"
        }
        ErrorKind::TlsAlert(alert) if alert.ends_with("UnrecognisedName") => {
            "the server does not know this host name; check the server URL"
        }
        ErrorKind::Tls(_) | ErrorKind::TlsAlert(_) => {
            "the server must offer TLS 1.2 or 1.3 with a common cipher and a P-256, P-384 or RSA key; if it requires \
             a client certificate, connect through stunnel"
        }
        ErrorKind::NotHttp(_) if !server.is_https() => {
            return other_scheme("https", "the server may use https");
        }
        ErrorKind::Lost(_) | ErrorKind::NotHttp(_) => {
            "check the network, and any gateway between this host and the server"
        }
        ErrorKind::InvalidHttp(_) => "check any gateway between this host and the server",
        ErrorKind::TimedOut(_) => "check the health of the server, or raise --request-timeout",
        ErrorKind::Redirect { instead: Some(address), .. } => {
            return Some(format!("use {address} as the server"));
        }
        ErrorKind::Redirect { .. } => "a login page or a proxy replied; check the server URL",
        ErrorKind::Api { status, code, .. } => api(*status, *code, error.attempt)?,
        ErrorKind::HttpsRequired { .. } => return other_scheme("https", "the server uses https"),
        ErrorKind::OutOfTime => "raise --timeout",
        // nginx asks for the certificate only after the handshake.
        ErrorKind::Foreign { status: 400, start } if start.contains("SSL certificate") => CLIENT_CERTIFICATE,
        ErrorKind::Foreign { status: 403 | 405 | 501, .. }
        | ErrorKind::Encoded { status: 403 | 405 | 501, .. }
            if deletes =>
        {
            "something in front of Connect blocks DELETE requests; allow them, with their bodies"
        }
        ErrorKind::Malformed { is_json: false, .. } if deletes => {
            return Some(format!(
                "something in front of Connect blocks DELETE requests, or the URL is not Connect's; check with: {}",
                command("check")
            ));
        }
        ErrorKind::Encoded { .. } => {
            "make the gateway in front of Connect honor Accept-Encoding, or bypass it"
        }
        ErrorKind::Foreign { status: 401 | 403, .. } => {
            "a gateway or proxy in front of Connect refused the request"
        }
        ErrorKind::Foreign { status: 500.., .. } => {
            "check that Connect is running, and the gateway in front of it"
        }
        ErrorKind::Foreign { .. } | ErrorKind::Malformed { .. } => {
            "check the server URL, including any path prefix"
        }
        ErrorKind::TooLarge => "check the server URL",
        _ => return None,
    };
    Some(step.to_owned())
}

/// Returns the server's address without the `/connect` of the dashboard, if the reply may be the dashboard's.
fn without_dashboard(kind: &ErrorKind, server: &ServerUrl) -> Option<String> {
    let is_dashboard = match kind {
        ErrorKind::Redirect { instead, .. } => instead.is_none(),
        ErrorKind::Foreign { status: 404 | 405, start } | ErrorKind::Malformed { start, .. } => {
            start.starts_with('<')
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
    };
    Some(match (status, code, attempt) {
        (_, 2, ListRInstallations | ListPythonInstallations) => {
            "this version of Connect does not support --orphaned"
        }
        (_, 2, ListContent) => "this version of Connect does not support --unused and --usage",
        (_, 2, _) => "runtime caches require Connect 2023.05 or later",
        (_, 24 | 30, _) | (401, ..) => "check the API key",
        (_, 50, _) => "an administrator can unlock the user",
        (_, 92, _) => "a gateway may change cookies or headers; bypass it",
        (_, 95, _) => "use a user's API key",
        (403, ..) => "use an administrator's API key",
        (_, 141, _) => "it may be running on another node, or have ended with a restart of the server",
        (_, 179, _) => "use R or Python",
        (_, 12 | 180, DeleteRuntimeCache | CheckRuntimeCache) => {
            "a gateway may strip the bodies of DELETE requests"
        }
        (_, 194, _) => "an administrator of the server can set Server.AllowRuntimeCacheManagement",
        (500.., ..) => "see the server log",
        _ => return None,
    })
}
