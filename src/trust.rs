//! Whose certificates are trusted, and what is wrong with one that is refused.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{env, fmt};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::config::InvalidConfig;

/// Where Linux distributions, the BSDs and macOS keep the certificates that the system trusts.
const SYSTEM_STORES: [&str; 7] = [
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Red Hat
    "/etc/pki/tls/certs/ca-bundle.crt",   // Red Hat, older
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/var/lib/ca-certificates/ca-bundle.pem", // SUSE, newer
    "/etc/ssl/cert.pem",                  // Alpine, OpenBSD, macOS
    "/usr/local/share/certs/ca-root-nss.crt", // FreeBSD
];

/// The largest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// Whose certificates to trust.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// The files and folders that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; where neither is set, the
    /// system's store; where there is none, the Mozilla roots built into the program.
    #[default]
    Store,
    /// Only the CA certificates in this PEM text.
    Certificates {
        /// Where the text came from, in words: `the CA file /etc/ssl/ca.pem`.
        source: String,
        /// One or more `CERTIFICATE` sections.
        pem: Vec<u8>,
    },
    /// Any certificate. Whoever answers gets the key.
    Insecure,
}

impl Trust {
    /// Only the CA certificates in the PEM file at `path`.
    ///
    /// # Errors
    /// [`InvalidConfig`] where the file cannot be read or is larger than 1 MiB.
    pub fn file(path: &str) -> Result<Self, InvalidConfig> {
        let source = ["the CA file ", path].concat();
        let pem = read_file(Path::new(path)).map_err(|e| unreadable(&source, &e))?;
        Ok(Self::Certificates { source, pem })
    }

    /// The roots to hand to ureq, and where they came from, in words.
    pub(crate) fn load(&self) -> Result<(RootCerts, String), InvalidConfig> {
        match self {
            Self::Certificates { source, pem } => {
                let certificates = strict(source, pem)?;
                Ok((certificates.into(), source.clone()))
            }
            Self::Insecure => Ok((RootCerts::WebPki, "any certificate: not verified".to_owned())),
            Self::Store => load_store(),
        }
    }
}

fn load_store() -> Result<(RootCerts, String), InvalidConfig> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let (file, dirs) = (set("SSL_CERT_FILE"), set("SSL_CERT_DIR"));
    if file.is_none() && dirs.is_none() {
        for path in SYSTEM_STORES {
            let source = format!("the system's store {path}");
            match read_file(Path::new(path)) {
                Ok(pem) => {
                    let certificates = lenient(&pem);
                    if !certificates.is_empty() {
                        return Ok((certificates.into(), source));
                    }
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                // Other roots than the system's would trust what its administrator may have taken out.
                Err(error) => return Err(unreadable(&source, &error)),
            }
        }
        return Ok((RootCerts::WebPki, "the Mozilla roots built into connect-cache".to_owned()));
    }

    let mut certificates = Vec::new();
    let mut sources = Vec::new();
    if let Some(file) = file {
        let path = PathBuf::from(file);
        let source = format!("the CA file {} (SSL_CERT_FILE)", path.display());
        let pem = read_file(&path).map_err(|e| unreadable(&source, &e))?;
        certificates = strict(&source, &pem)?;
        sources.push(source);
    }
    if let Some(dirs) = dirs {
        for dir in env::split_paths(&dirs) {
            // A folder of certificates holds other things too, and the same certificate under
            // several names: what is no certificate is passed over.
            for path in fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
                // Opening a pipe would wait for somebody to write to it.
                if !path.is_file() {
                    continue;
                }
                for certificate in read_file(&path).map(|pem| lenient(&pem)).unwrap_or_default() {
                    if !certificates.iter().any(|known: &Certificate| known.der() == certificate.der()) {
                        certificates.push(certificate);
                    }
                }
            }
        }
        sources.push(format!("the folder {} (SSL_CERT_DIR)", PathBuf::from(dirs).display()));
    }
    if certificates.is_empty() {
        return Err(InvalidConfig::new(format!("there is no CA certificate in {}", sources.join(" and "))));
    }
    Ok((certificates.into(), sources.join(" and ")))
}

/// The certificates in `pem`, all of which must be whole.
fn strict(source: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, InvalidConfig> {
    let broken = || InvalidConfig::new(format!("{source} has a broken certificate in it"));
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) if is_whole(certificate.der()) => {
                certificates.push(certificate)
            }
            Ok(PemItem::Certificate(_)) | Err(_) => return Err(broken()),
            Ok(_) => {}
        }
    }
    if certificates.is_empty() {
        return Err(InvalidConfig::new(format!(
            "{source} has no certificate in it; PEM text begins with -----BEGIN CERTIFICATE-----"
        )));
    }
    Ok(certificates)
}

/// The whole certificates in `pem`, whatever else is in it.
fn lenient(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) if is_whole(certificate.der()) => Some(certificate),
            _ => None,
        })
        .collect()
}

/// Whether `der` is built as a certificate is: well-formed ASN.1, one SEQUENCE of two SEQUENCEs and a BIT
/// STRING (RFC 5280, section 4.1). rustls drops a root that is not, silently, and the server's certificate
/// would then have an "unknown issuer".
fn is_whole(der: &[u8]) -> bool {
    let Some((mut parts, [])) = split_der(der) else { return false };
    for tag in [0x30, 0x30, 0x03] {
        match split_der(parts) {
            Some((_, rest)) if parts.first() == Some(&tag) => parts = rest,
            _ => return false,
        }
    }
    der.first() == Some(&0x30) && parts.is_empty() && is_der(der, 0)
}

/// Whether `bytes` are ASN.1 values in DER, down to the innermost.
fn is_der(mut bytes: &[u8], depth: u32) -> bool {
    // Certificates nest about ten deep; the limit is for those who make them up.
    const DEEPEST: u32 = 32;
    while let Some(&tag) = bytes.first() {
        let Some((content, rest)) = split_der(bytes) else { return false };
        let constructed = tag & 0x20 != 0;
        if constructed && (depth == DEEPEST || !is_der(content, depth + 1)) {
            return false;
        }
        bytes = rest;
    }
    true
}

/// The content of the value that `bytes` begin with, and what is behind it.
fn split_der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    // No certificate has the end-of-content mark of indefinite lengths, or a tag of several bytes.
    if tag == 0 || tag & 0x1f == 0x1f {
        return None;
    }
    let (length, bytes) = match *bytes {
        [short @ ..=0x7f, ..] => (usize::from(short), &bytes[1..]),
        [0x81, a, ..] => (usize::from(a), &bytes[2..]),
        [0x82, a, b, ..] => (usize::from(a) << 8 | usize::from(b), &bytes[3..]),
        [0x83, a, b, c, ..] => (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c), &bytes[4..]),
        _ => return None,
    };
    bytes.split_at_checked(length)
}

/// The content of a file of at most 1 MiB.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    Ok(content)
}

fn unreadable(source: &str, error: &io::Error) -> InvalidConfig {
    InvalidConfig::new(format!("cannot read {source}: {error}"))
}

/// Why a server's certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// No trusted CA issued it.
    UnknownIssuer,
    /// It is for other names than the server's.
    WrongName,
    /// It has no subject alternative name; the common name alone has not counted since 2000 (RFC 2818).
    NoSubjectAltName,
    /// It is marked as a CA's certificate, and a server must not show one of those as its own.
    CaUsedAsServer,
    /// Its time is over, or this host's clock is wrong.
    Expired,
    /// Its time has not begun, or this host's clock is wrong.
    NotYetValid,
    /// Anything else, in the TLS library's words.
    Other(String),
}

impl CertificateProblem {
    /// Recognises the text of a TLS error. rustls' own types are out of reach behind ureq; the text is
    /// tested with real certificates.
    pub(crate) fn recognise(text: &str) -> Option<Self> {
        let (_, problem) = text.split_once("invalid peer certificate: ")?;
        Some(if problem.contains("UnknownIssuer") {
            Self::UnknownIssuer
        } else if problem.contains("not valid for any names") {
            Self::NoSubjectAltName
        } else if problem.contains("not valid for name") || problem.contains("NotValidForName") {
            Self::WrongName
        } else if problem.contains("CaUsedAsEndEntity") {
            Self::CaUsedAsServer
        } else if problem.contains("not valid yet") || problem.contains("NotValidYet") {
            Self::NotYetValid
        } else if problem.contains("expired") || problem.contains("Expired") {
            Self::Expired
        } else {
            Self::Other(problem.to_owned())
        })
    }
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "no trusted CA issued it",
            Self::WrongName => "it is for another name",
            Self::NoSubjectAltName => "it has no subject alternative name",
            Self::CaUsedAsServer => "it is marked as a CA's certificate",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::Other(text) => text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn a_certificate_is_two_sequences_and_a_bit_string_in_one() {
        let certificate = |inner: &[u8]| {
            let parts = [&[0x30, inner.len() as u8][..], inner, &[0x30, 2, 5, 0, 3, 1, 0]].concat();
            [&[0x30, 0x82, 0, parts.len() as u8][..], &parts].concat()
        };
        let whole = certificate(&[0x31, 2, 0x05, 0]);
        assert!(is_whole(&whole));
        let deep: Vec<u8> = (0..60).rev().flat_map(|n| [0x30, 2 * n]).collect();
        for broken in [
            &whole[..whole.len() - 1],
            &[&whole[..], &[0]].concat(),
            &certificate(&deep),
            &certificate(&[0x31, 3, 0x05, 0]),
            &certificate(&[0, 0, 0, 0]),
            &[0x30, 0],
            &[0x30, 3, 2, 1, 5],
            &[0x30, 0x80, 0, 0],
            &[0x30],
            b"hello",
            b"",
        ] {
            assert!(!is_whole(broken), "{broken:?}");
        }
    }
}
