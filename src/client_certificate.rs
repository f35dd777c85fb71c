//! Client certificates, for servers and gateways that require one.

use std::fmt;
use std::path::Path;

use ureq::tls::ClientCert;

use crate::InvalidConfig;
use crate::der::public_key;
use crate::key_pair::private_key;
use crate::pem::{Sections, certificates};
use crate::trust::{read_file, unreadable};

/// A client certificate with its private key, for servers and gateways that require one.
///
/// `Display` and `Debug` show only the name of the file.
#[derive(Clone)]
pub struct ClientCertificate {
    source: String,
    pub(crate) pair: ClientCert,
}

impl ClientCertificate {
    /// Reads the certificate and any intermediate ones after it from the PEM file `path`, and the private key from the
    /// PEM file `key`, or from `path` if that is `None`.
    ///
    /// # Errors
    /// [`InvalidConfig`] if a file cannot be read or exceeds 1 MiB, the key does not belong to the certificate, or TLS
    /// cannot use them: certificates are of X.509 version 3; keys are RSA (2048, 3072 or 4096 bits), P-256 or P-384,
    /// and not encrypted.
    // If this and `private_key` were inlined, the program would be 1.5 KB larger.
    #[inline(never)]
    pub fn files(path: &Path, key: Option<&Path>) -> Result<Self, InvalidConfig> {
        let read = |path: &Path, source: &str| read_file(path).map_err(|error| unreadable(source, &error));
        let source = format!("the client certificate {}", path.display());
        let key_source = format!("the client key {}", key.unwrap_or(path).display());
        let mut pem = read(path, &source)?;
        let chain = certificates(&source, &pem)?;
        if let Some(key) = key {
            pem = read(key, &key_source)?;
        }
        let invalid = |source: &str, problem: &str| Err(InvalidConfig::new(format!("{source} {problem}")));
        let Some(public) = public_key(chain[0].der(), false) else {
            return invalid(
                &source,
                "is not X.509 version 3, or has an unknown critical extension; have it reissued",
            );
        };
        let Some(section) = Sections(&pem).find(|section| section.label.ends_with(b"PRIVATE KEY")) else {
            return invalid(&key_source, "contains no private key; use --client-key FILE");
        };
        match private_key(public, &section.der.unwrap_or_default()) {
            Ok(key) => Ok(Self { source, pair: ClientCert::new_with_certs(&chain, key) }),
            Err(_) if pem.windows(9).any(|word| word == b"ENCRYPTED") => {
                invalid(&key_source, "is encrypted; decrypt it with openssl pkey -in FILE -out NEW")
            }
            Err(problem) => invalid(&key_source, problem),
        }
    }
}

impl fmt::Display for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}
