//! A configuration that cannot be used.

use std::error::Error;
use std::{fmt, io};

/// Part of a configuration that cannot be used: a key, a header, an address, a certificate file, a proxy.
///
/// `Display` is one line for people, without any secret. No request has been made. The error of a file has the
/// system's error as its [`source`](Error::source).
///
/// ```
/// use connect_cache::{InvalidConfig, ServerUrl};
///
/// let error = "connect.example.com".parse::<ServerUrl>().unwrap_err();
/// assert_eq!(error.to_string(), "the server URL has no scheme; use https://connect.example.com");
/// match error {
///     InvalidConfig::ServerUrl { intended, .. } => {
///         assert_eq!(intended.as_deref(), Some("https://connect.example.com"));
///     }
///     other => panic!("{other}"),
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidConfig {
    /// There is neither an API key nor a header `Authorization`.
    NoCredentials,
    /// The text is not an API key.
    ApiKey {
        /// Completes the sentence "the API key …": `contains a space`.
        problem: &'static str,
    },
    /// The text is not `NAME: VALUE` in printable ASCII.
    Header,
    /// Only this client may set the header.
    ReservedHeader {
        /// The name, in lower case.
        name: String,
    },
    /// All headers together are longer than 8 KiB.
    HeadersTooLong,
    /// The text is not a server's address.
    ServerUrl {
        /// Completes the sentence "the server URL …": `has no scheme`.
        problem: &'static str,
        /// The address that was probably intended, if it is known.
        intended: Option<String>,
    },
    /// The text is not a proxy's address.
    Proxy {
        /// The variable that contains it, if it is from the environment.
        variable: Option<&'static str>,
        /// Completes the sentence "the proxy …": `has an invalid URL`.
        problem: &'static str,
    },
    /// A file cannot be read.
    Unreadable {
        /// The file's purpose and path: `the CA file /etc/ssl/ca.pem`.
        file: String,
        /// The system's error, or why else it cannot be read.
        error: io::Error,
    },
    /// PEM text, or a directory of such files, contains no certificate.
    NoCertificate {
        /// Where it came from: `the CA file /etc/ssl/ca.pem`.
        place: String,
    },
    /// Some certificates in PEM text cannot be read.
    DamagedCertificates {
        /// Where it came from.
        place: String,
        /// How many can be read.
        readable: usize,
        /// How many `BEGIN … CERTIFICATE` markers there are.
        markers: usize,
    },
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials => f.write_str("neither an API key nor an Authorization header is specified"),
            Self::ApiKey { problem } => write!(f, "the API key {problem}; copy it again"),
            Self::Header => f.write_str("invalid header: expected 'NAME: VALUE' in printable ASCII"),
            Self::ReservedHeader { name } => write!(f, "invalid header: {name} cannot be set"),
            Self::HeadersTooLong => f.write_str("the headers are longer than 8 KiB in total"),
            Self::ServerUrl { problem, intended: None } => write!(f, "the server URL {problem}"),
            Self::ServerUrl { problem, intended: Some(address) } => {
                write!(f, "the server URL {problem}; use {address}")
            }
            Self::Proxy { variable: None, problem } => write!(f, "the proxy {problem}"),
            Self::Proxy { variable: Some(name), problem } => {
                write!(f, "the proxy in {name} {problem}; correct it, or bypass it with NO_PROXY")
            }
            // Some env files keep the quotes around a path.
            Self::Unreadable { file: place, .. } | Self::NoCertificate { place }
                if place.contains(" \"") || place.contains(" '") =>
            {
                write!(f, "cannot read {place}: its path is in quotes; remove them")
            }
            Self::Unreadable { file, error } => write!(f, "cannot read {file}: {error}"),
            Self::NoCertificate { place } => write!(
                f,
                "{place} contains no certificate; PEM text begins with -----BEGIN CERTIFICATE-----; openssl x509 \
                 and openssl pkcs7 -print_certs convert other formats"
            ),
            Self::DamagedCertificates { place, readable, markers } => write!(
                f,
                "{readable} of {markers} certificates in {place} can be read; usual causes are DER, PKCS #7 or \
                 TRUSTED CERTIFICATE instead of plain PEM, indentation, and a lost line break"
            ),
        }
    }
}

impl Error for InvalidConfig {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}
