//! Selects the certificates to trust.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, RootCerts};

use crate::InvalidConfig;
use crate::pem;

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

/// The certificates to trust.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The files and directories that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; if neither is set, the system's
    /// store; if there is none, the Mozilla roots built into the program.
    #[default]
    Store,
    /// Only the CA certificates in this PEM text.
    Certificates {
        /// Where the text came from, for messages: `the CA file /etc/ssl/ca.pem`.
        source: String,
        /// One or more `CERTIFICATE` sections.
        pem: Vec<u8>,
    },
    /// Any certificate. Any server that answers gets the API key.
    Insecure,
}

impl Trust {
    /// Trusts only the CA certificates in the PEM file at `path`.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the file cannot be read or exceeds 1 MiB.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, InvalidConfig> {
        let path = path.as_ref();
        let source = format!("the CA file {}", path.display());
        let pem = read_file(path).map_err(|e| unreadable(&source, &e))?;
        Ok(Self::Certificates { source, pem })
    }

    /// Returns the roots for ureq, and where they came from, for messages.
    pub(crate) fn load(&self) -> Result<(RootCerts, String), InvalidConfig> {
        match self {
            Self::Certificates { source, pem } => {
                let certificates = pem::certificates(source, pem)?;
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
                    let certificates = pem::any_certificates(&pem);
                    if !certificates.is_empty() {
                        return Ok((certificates.into(), source));
                    }
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                // Do not use other roots instead: they may include a CA that the system's administrator removed.
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
        certificates = pem::certificates(&source, &pem)?;
        sources.push(source);
    }
    if let Some(dirs) = dirs {
        for dir in env::split_paths(&dirs) {
            // A directory of certificates holds other files too, and the same certificate under several
            // names: anything else is skipped.
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            for entry in entries {
                let Ok(path) = entry.map(|entry| entry.path()) else { continue };
                // Opening a pipe would wait for a writer.
                if !path.is_file() {
                    continue;
                }
                let Ok(pem) = read_file(&path) else { continue };
                for certificate in pem::any_certificates(&pem) {
                    if !certificates.iter().any(|known: &Certificate| known.der() == certificate.der()) {
                        certificates.push(certificate);
                    }
                }
            }
        }
        sources.push(format!("the directory {} (SSL_CERT_DIR)", PathBuf::from(dirs).display()));
    }
    if certificates.is_empty() {
        return Err(InvalidConfig::new(format!("no CA certificate in {}", sources.join(" and "))));
    }
    Ok((certificates.into(), sources.join(" and ")))
}

/// Reads a file of at most 1 MiB. In text in UTF-16, as PowerShell writes it, the ASCII characters of PEM are kept.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    if matches!(content[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        content.retain(|&byte| byte != 0);
    }
    Ok(content)
}

pub(crate) fn unreadable(source: &str, error: &io::Error) -> InvalidConfig {
    InvalidConfig::new(format!("cannot read {source}: {error}"))
}
