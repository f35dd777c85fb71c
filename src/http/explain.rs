//! What an error of ureq or rustls means, by its type or its text.

use std::error::Error as StdError;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

use ureq::Timeout;

use crate::config::Proxy;
use crate::error::{CertificateProblem, ErrorKind, Excerpt, seconds};
use crate::http::head::BadHead;
use crate::http::resolver::NameError;
use crate::http::{Http, Limits};

type Source = Option<Box<dyn StdError + Send + Sync>>;

impl Http {
    /// Explains an error of ureq. Whether the request was sent is not inferred from the error, since the
    /// same errors occur in every phase.
    pub(super) fn explain(&self, error: ureq::Error, limits: Limits) -> (ErrorKind, Source) {
        let sent = self.wire.sent.load(Relaxed);
        let kind = match error {
            ureq::Error::Other(other) => return (self.explain_ours(other.as_ref()), None),
            ureq::Error::Io(error) => {
                let kind = self.explain_io(&error);
                return (kind, Some(Box::new(error)));
            }
            // ureq reports a refused CONNECT only as text: "proxy server responded 407/407".
            ureq::Error::ConnectProxyFailed(problem) => match &self.proxy {
                Some(proxy) if self.wire.refuses_basic.load(Relaxed) => basic_refused(proxy),
                Some(proxy) if problem.contains("407") => credentials_refused(proxy, "HTTP 407"),
                _ => self.connect_failed(problem),
            },
            // The parts of a long reply arrived in time.
            ureq::Error::Timeout(Timeout::Global) if sent && limits.part.is_some() => ErrorKind::OutOfTime,
            ureq::Error::Timeout(reason) if limits.whole.or(limits.connect).is_some() => {
                let limit = match reason {
                    Timeout::Connect => limits.connect,
                    Timeout::PerRead => limits.part,
                    _ => limits.whole,
                };
                let limit = limit.or(limits.whole).unwrap_or_default();
                if sent {
                    ErrorKind::TimedOut(limit)
                } else {
                    self.connect_failed(format!("no reply within {}", seconds(limit)))
                }
            }
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => ErrorKind::TooLarge,
            ureq::Error::Tls(problem) => ErrorKind::Tls(problem.to_owned()),
            ureq::Error::Protocol(problem) => ErrorKind::InvalidHttp(problem.to_string()),
            error if sent => ErrorKind::Lost(error.to_string()),
            error => self.connect_failed(error.to_string()),
        };
        (kind, None)
    }

    /// Explains an error that a part of this library has passed through ureq.
    fn explain_ours(&self, error: &(dyn StdError + 'static)) -> ErrorKind {
        if let Some(error) = error.downcast_ref::<NameError>() {
            return match &self.proxy {
                Some(proxy) if error.host == proxy.host() => {
                    self.connect_failed(format!("cannot resolve its host name: {error}"))
                }
                _ => ErrorKind::Name { host: self.server.host().to_owned(), problem: error.to_string() },
            };
        }
        let sent = self.wire.sent.load(Relaxed);
        match error.downcast_ref::<BadHead>() {
            // A proxy has replied so to CONNECT.
            Some(bad_head) if !sent => self.connect_failed(bad_head.to_string()),
            Some(BadHead { line, is_http: false, .. }) => {
                let text = String::from_utf8_lossy(line).into_owned();
                ErrorKind::NotHttp(Excerpt { text, ..Excerpt::default() })
            }
            Some(BadHead { problem, line, .. }) => {
                ErrorKind::InvalidHttp(format!("{problem}: {}", String::from_utf8_lossy(line)))
            }
            None => self.connect_failed(error.to_string()),
        }
    }

    fn explain_io(&self, error: &io::Error) -> ErrorKind {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, UnexpectedEof};
        let sent = self.wire.sent.load(Relaxed);
        let socks = self.proxy.as_ref().filter(|proxy| proxy.is_socks());
        if let Some(proxy) = socks.filter(|_| !sent && !self.wire.connected.load(Relaxed)) {
            return socks_problem(proxy, error);
        }
        // rustls' errors come wrapped in an I/O error of this kind, in each phase.
        if error.kind() == InvalidData {
            return self.explain_tls(error.to_string());
        }
        // A connection that cannot be made is refused or times out, so this one was made and then closed.
        let is_direct = self.proxy.is_none() || socks.is_some();
        let is_closed =
            matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe);
        if !sent && is_closed && self.server.is_https() && is_direct {
            return ErrorKind::TlsClosed(error.to_string());
        }
        // rustls' own words for this lead to its documentation.
        let problem = if error.kind() == UnexpectedEof {
            "the connection was closed".to_owned()
        } else {
            error.to_string()
        };
        if sent { ErrorKind::Lost(problem) } else { self.connect_failed(problem) }
    }

    /// Recognizes an error of rustls by its text: a program with these dependencies cannot name its types. The text
    /// is tested with real certificates.
    fn explain_tls(&self, text: String) -> ErrorKind {
        if text.contains("invalid peer certificate") {
            if text.contains("UnknownIssuer") {
                return ErrorKind::UnknownIssuer;
            }
            let (problem, correction) =
                match CERTIFICATE_PROBLEMS.iter().find(|(part, ..)| text.contains(*part)) {
                    Some((_, problem, correction)) => ((*problem).into(), *correction),
                    None => (text.into(), OTHER_KEY),
                };
            return ErrorKind::Certificate(CertificateProblem { problem, correction });
        }
        if text.contains("fatal alert") {
            // The server sends it before it processes a request, which in TLS 1.3 may have been sent already.
            if text.ends_with("CertificateRequired") {
                ErrorKind::ClientCertificateRequired(text)
            } else {
                ErrorKind::TlsAlert(text)
            }
        } else if self.wire.sent.load(Relaxed) {
            ErrorKind::Lost(text)
        } else if text.contains("corrupt message") {
            ErrorKind::NotTls(text)
        } else {
            ErrorKind::Tls(text)
        }
    }

    fn connect_failed(&self, problem: String) -> ErrorKind {
        match &self.proxy {
            Some(proxy) => ErrorKind::Proxy { proxy: proxy.to_string(), problem },
            None => ErrorKind::Connect {
                to: format!("{} port {}", self.server.host(), self.server.port()),
                problem,
            },
        }
    }
}

/// Returns the error of a request whose credentials, or lack of them, a proxy refused.
pub(crate) fn credentials_refused(proxy: &Proxy, problem: &str) -> ErrorKind {
    let (problem, refused) = (problem.to_owned(), proxy.credentials().is_some());
    ErrorKind::ProxyAuthentication { proxy: proxy.to_string(), problem, basic: true, refused }
}

/// Returns the error of a request that a proxy answered with 407, and accepts no Basic credentials.
pub(crate) fn basic_refused(proxy: &Proxy) -> ErrorKind {
    let (problem, refused) = ("HTTP 407".to_owned(), proxy.credentials().is_some());
    ErrorKind::ProxyAuthentication { proxy: proxy.to_string(), problem, basic: false, refused }
}

/// Explains an error of ureq's SOCKS handshake, by its text.
fn socks_problem(proxy: &Proxy, error: &io::Error) -> ErrorKind {
    let text = error.to_string();
    let problem = match text.as_str() {
        "password authentication failed" => {
            return credentials_refused(proxy, "it rejected the user name and password");
        }
        "no acceptable auth methods" | "unknown auth method" => {
            let does = if proxy.credentials().is_some() { "does not accept" } else { "requires" };
            return credentials_refused(proxy, &format!("it {does} a user name and password"));
        }
        "invalid response version" => "it does not speak SOCKS5".to_owned(),
        _ if error.kind() == io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        // The proxy's reply about the server.
        _ if error.kind() == io::ErrorKind::Other => format!("it did not connect to the server: {text}"),
        _ => text,
    };
    ErrorKind::Proxy { proxy: proxy.to_string(), problem }
}

/// Parts of rustls' texts about a server's certificate, the problem and its correction. The first that occurs decides.
#[rustfmt::skip]
static CERTIFICATE_PROBLEMS: [(&str, &str, &str); 16] = [
    ("not valid for any names", "it has no subject alternative name",
     "have it reissued with the server's name as subject alternative name; a common name does not count"),
    ("not valid for name", "it is for another name", OTHER_NAME),
    ("CaUsedAsEndEntity", "it is a CA certificate",
     "have it reissued without CA:TRUE, which openssl req -x509 sets: -addext basicConstraints=critical,CA:FALSE"),
    ("not valid yet", "it is not valid yet", NOT_YET),
    ("xpired", "it has expired", "have it renewed, and check this host's clock"),
    ("UnsupportedCertVersion", "it is not X.509 version 3",
     "have it reissued as version 3, with a subject alternative name"),
    ("extended key usage", "its extended key usage does not include servers",
     "have it reissued with the extended key usage serverAuth, or none"),
    ("NameConstraintViolation", "its CA is not allowed to issue certificates for this name",
     "have it reissued by a CA whose name constraints permit its names"),
    ("CriticalExtension", "it has an unknown critical extension",
     "have it reissued with that extension not critical"),
    ("SignatureAlgorithmForPublicKey", "its signature algorithm does not fit the key of its issuer",
     "have it reissued with the hash that fits the key of its CA: SHA-256 for P-256, SHA-384 for P-384"),
    ("SignatureAlgorithm", "its signature algorithm is weak or unknown", OTHER_KEY),
    ("BadSignature", "its signature is wrong, or a key is too short", OTHER_KEY),
    ("PathLenConstraint", "its chain of issuers is too long", SHORTER_CHAIN),
    ("MaximumPathDepth", "its chain of issuers is too long", SHORTER_CHAIN),
    ("EndEntityUsedAsCa", "its issuer is not allowed to issue certificates",
     "have it reissued by a certificate with CA:TRUE that permits it"),
    ("BadEncoding", "it is malformed", OTHER_KEY),
];

const OTHER_NAME: &str =
    "use a host name in the certificate, or have it reissued with this one as subject alternative name";
const NOT_YET: &str = "check this host's clock, and the start date of the certificate";
const OTHER_KEY: &str = "have it and the certificates of its CAs reissued with keys of RSA (2048 bits or more; PKCS #1 signatures with SHA-2), P-256 (with SHA-256), P-384 (with SHA-384) or Ed25519";
const SHORTER_CHAIN: &str =
    "have it reissued with fewer intermediate certificates, or with a longer path length in those of its CAs";

#[cfg(test)]
mod tests {
    use std::mem::discriminant;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    fn http() -> Http {
        Http::new(&Config::new("http://host:1".parse().unwrap(), "key".parse().unwrap()), None)
    }

    fn tls_problem(text: String, sent: bool) -> ErrorKind {
        let http = http();
        http.wire.sent.store(sent, Relaxed);
        http.explain_tls(text)
    }

    #[test]
    fn names_the_limit_that_was_exceeded() {
        let http = http();
        let none = Limits::default();
        let [whole, connect, part] = [30, 10, 5].map(|seconds| Some(Duration::from_secs(seconds)));
        for (reason, limits, says) in [
            (Timeout::Connect, Limits { whole, connect, part }, "no reply within 10 s"),
            (Timeout::Connect, Limits { whole, connect: None, part: None }, "no reply within 30 s"),
            (Timeout::PerRead, Limits { whole, connect, part }, "no reply within 5 s"),
            (Timeout::Global, Limits { whole, connect, part }, "no reply within 30 s"),
            // The limit was the system's.
            (Timeout::Connect, none, "timeout: connect"),
        ] {
            let (kind, _) = http.explain(ureq::Error::Timeout(reason), limits);
            assert!(matches!(&kind, ErrorKind::Connect { problem, .. } if problem == says), "{kind:?}");
        }
        http.wire.sent.store(true, Relaxed);
        let (kind, _) = http.explain(ureq::Error::Timeout(Timeout::Global), none);
        assert!(matches!(&kind, ErrorKind::Lost(problem) if problem == "timeout: global"), "{kind:?}");
    }

    #[test]
    fn recognizes_alerts_wherever_they_occur() {
        let problem = |alert: &str, sent| tls_problem(format!("received fatal alert: {alert}"), sent);
        for sent in [false, true] {
            assert!(matches!(problem("CertificateRequired", sent), ErrorKind::ClientCertificateRequired(_)));
            for alert in ["HandshakeFailure", "BadCertificate", "UnrecognisedName", "InternalError"] {
                assert!(matches!(problem(alert, sent), ErrorKind::TlsAlert(_)), "{alert}");
            }
        }
        for (text, sent, expected) in [
            ("cannot decrypt peer's message", true, ErrorKind::Lost as fn(String) -> ErrorKind),
            ("cannot decrypt peer's message", false, ErrorKind::Tls),
            ("received corrupt message of type InvalidContentType", true, ErrorKind::Lost),
            ("received corrupt message of type InvalidContentType", false, ErrorKind::NotTls),
        ] {
            let kinds =
                [tls_problem(text.to_owned(), sent), expected(String::new())].map(|kind| discriminant(&kind));
            assert_eq!(kinds[0], kinds[1], "{text} {sent}");
        }
    }

    #[test]
    fn recognizes_problems_of_certificates() {
        for (text, says) in [
            ("Other(OtherError(UnsupportedCertVersion))", "version 3"),
            ("Other(OtherError(PathLenConstraintViolated))", "too long"),
            ("Other(OtherError(MaximumPathDepthExceeded))", "too long"),
            ("Other(OtherError(EndEntityUsedAsCa))", "its issuer is not allowed"),
            ("BadSignature", "its signature is wrong"),
            ("BadEncoding", "malformed"),
            ("ExpiredContext { .. }", "expired"),
            (
                "UnsupportedSignatureAlgorithmContext { signature_algorithm_id: [6, 9], .. }",
                "weak or unknown",
            ),
            ("UnsupportedSignatureAlgorithmForPublicKeyContext { .. }", "does not fit the key"),
            ("Other(OtherError(Surprise))", "Surprise"),
        ] {
            match tls_problem(format!("invalid peer certificate: {text}"), false) {
                ErrorKind::Certificate(CertificateProblem { problem, .. }) => {
                    assert!(problem.contains(says), "{text}: {problem}");
                }
                other => panic!("{text}: {other}"),
            }
        }
        let unknown = tls_problem("invalid peer certificate: UnknownIssuer".to_owned(), false);
        assert!(matches!(unknown, ErrorKind::UnknownIssuer));
    }
}
