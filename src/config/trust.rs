//! The certificates that are trusted, and where they are read from.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use crate::config::invalid::InvalidConfig;

/// Where Linux distributions, the BSDs and macOS keep the certificates that the system trusts, in one file.
const BUNDLES: [&str; 8] = [
    "etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Alpine, OpenWrt
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Red Hat
    "etc/pki/tls/certs/ca-bundle.crt",   // Red Hat, older
    "etc/ssl/certs/ca-bundle.crt",       // NixOS
    "etc/ssl/ca-bundle.pem",             // SUSE
    "var/lib/ca-certificates/ca-bundle.pem", // SUSE, newer
    "etc/ssl/cert.pem",                  // Alpine, OpenBSD, macOS
    "usr/local/share/certs/ca-root-nss.crt", // FreeBSD
];
/// Where OpenSSL looks for a certificate by the hash of its subject, beside a bundle or without one.
const HASHED_FILES: &str = "etc/ssl/certs";

/// The largest file that is read.
const MAX_FILE: u64 = 16 << 20;

/// The certificates to trust.
///
/// ```
/// use connect_cache::Trust;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ca.pem");
/// # std::fs::write(&path, connect_test_server::pki::Ca::new().pem())?;
/// let trust = Trust::file(path)?;
/// assert!(matches!(trust, Trust::Certificates(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The files and directories that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; if neither is set, the system's
    /// store; if there is none, the Mozilla roots built into the program.
    ///
    /// They are read by [`Client::new`](crate::Client::new).
    #[default]
    Store,
    /// Only these CA certificates.
    Certificates(CaCertificates),
    /// Any certificate. Any server that answers gets the API key.
    Insecure,
}

impl Trust {
    /// Trusts only the CA certificates in the PEM file at `path`.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the file cannot be read or exceeds 16 MiB, if it contains no certificate, or if one of
    /// its certificates cannot be read.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, InvalidConfig> {
        let path = path.as_ref();
        let place = format!("the CA file {}", path.display());
        Ok(Self::Certificates(CaCertificates::from_file(path, place)?))
    }

    /// Returns the roots for ureq, and where they came from, for messages.
    pub(crate) fn load(&self) -> Result<(RootCerts, String), InvalidConfig> {
        let store = match self {
            Self::Store => {
                let set = |name| Some(env::var_os(name)?.to_string_lossy().trim().to_owned());
                let set = |name| set(name).filter(|value| !value.is_empty());
                match (set("SSL_CERT_FILE"), set("SSL_CERT_DIR")) {
                    (None, None) => system_store(Path::new("/"))?,
                    (file, dirs) => Some(named_store(file, dirs)?),
                }
            }
            Self::Certificates(certificates) => Some(certificates.clone()),
            Self::Insecure => return Ok((RootCerts::WebPki, "any certificate: not verified".to_owned())),
        };
        Ok(match store {
            Some(CaCertificates { certificates, place }) => (certificates.into(), place),
            None => (RootCerts::WebPki, "the Mozilla roots built into connect-cache".to_owned()),
        })
    }
}

/// CA certificates, at least one, and where they came from.
///
/// ```
/// use connect_cache::{CaCertificates, Trust};
///
/// # let pem = connect_test_server::pki::Ca::new().pem();
/// let trust = Trust::Certificates(CaCertificates::from_pem("the CA of the vault", pem)?);
///
/// let error = CaCertificates::from_pem("the CA of the vault", "no PEM").unwrap_err();
/// assert!(error.to_string().starts_with("the CA of the vault contains no certificate"));
/// # Ok::<(), connect_cache::InvalidConfig>(())
/// ```
#[derive(Clone, Debug)]
pub struct CaCertificates {
    certificates: Vec<Certificate<'static>>,
    place: String,
}

impl CaCertificates {
    /// Reads PEM text: UTF-8 with or without a byte order mark, or UTF-16 with one. `place` says in messages where it
    /// came from.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the text contains no certificate, or one that cannot be read.
    pub fn from_pem(place: impl Into<String>, pem: impl Into<Vec<u8>>) -> Result<Self, InvalidConfig> {
        let (place, pem) = (place.into(), ascii(pem.into()));
        let certificates = certificates_in(&pem);
        let (readable, markers) = (certificates.len(), markers(&pem));
        if readable < markers {
            return Err(InvalidConfig::DamagedCertificates { place, readable, markers });
        }
        if readable == 0 {
            return Err(InvalidConfig::NoCertificate { place });
        }
        Ok(Self { certificates, place })
    }

    fn from_file(path: &Path, place: String) -> Result<Self, InvalidConfig> {
        let pem =
            read_file(path).map_err(|error| InvalidConfig::Unreadable { file: place.clone(), error })?;
        Self::from_pem(place, pem)
    }
}

/// Reads the store of the system whose files are in `root`; `None` if it has none.
fn system_store(root: &Path) -> Result<Option<CaCertificates>, InvalidConfig> {
    let (mut bundle, mut certificates, mut places) = (String::new(), Vec::new(), Vec::new());
    for path in BUNDLES.map(|bundle| root.join(bundle)) {
        let file = format!("the system's store {}", path.display());
        // Other roots are no substitute for a bundle that cannot be read: they may include a CA that the system's
        // administrator removed.
        if fs::exists(&path).unwrap_or(true) {
            bundle = read_file(&path).map_err(|error| InvalidConfig::Unreadable { file, error })?;
            certificates = certificates_in(&bundle);
        }
        if !certificates.is_empty() {
            places.push(path.display().to_string());
            break;
        }
    }
    // Debian has each certificate of the bundle as a hashed file, too. Comparing the base64, in which there are no
    // hyphens, is faster than decoding it.
    let known: BTreeSet<&str> = bundle.split('-').collect();
    let is_new = |pem: &String| !pem.split('-').all(|part| known.contains(part));
    let hashed = read_directory(root.join(HASHED_FILES), is_hashed).filter(is_new);
    let hashed: Vec<_> = hashed.flat_map(|pem| certificates_in(&pem)).collect();
    if !hashed.is_empty() {
        places.push(root.join(HASHED_FILES).display().to_string());
    }
    certificates.extend(hashed);
    let place = format!("the system's store {}", places.join(" and "));
    Ok(Some(CaCertificates { certificates, place }).filter(|_| !places.is_empty()))
}

/// Reads the store that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
fn named_store(file: Option<String>, dirs: Option<String>) -> Result<CaCertificates, InvalidConfig> {
    let (mut certificates, mut places) = (Vec::new(), Vec::new());
    if let Some(path) = file {
        let file =
            CaCertificates::from_file(Path::new(&path), format!("the CA file {path} (SSL_CERT_FILE)"))?;
        certificates = file.certificates;
        places.push(file.place);
    }
    if let Some(dirs) = dirs {
        let texts = env::split_paths(&dirs).flat_map(|dir| read_directory(dir, |_| true));
        certificates.extend(texts.flat_map(|pem| certificates_in(&pem)));
        places.push(format!("the directory {dirs} (SSL_CERT_DIR)"));
    }
    let place = places.join(" and ");
    if certificates.is_empty() {
        return Err(InvalidConfig::NoCertificate { place });
    }
    Ok(CaCertificates { certificates, place })
}

/// Returns the certificates in PEM text that can be read.
fn certificates_in(pem: &str) -> Vec<Certificate<'static>> {
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    parse_pem(pem.as_bytes()).filter_map(certificate).collect()
}

/// Counts the `BEGIN … CERTIFICATE` markers in PEM text, wherever in a line they are.
fn markers(pem: &str) -> usize {
    let labels = pem.split("-----BEGIN ").skip(1).filter_map(|section| section.split_once("-----"));
    labels.filter(|(label, _)| label.ends_with("CERTIFICATE")).count()
}

/// Reads the files of a directory whose names are wanted. A directory of certificates holds other files too: what
/// cannot be read is skipped.
fn read_directory(directory: PathBuf, is_wanted: fn(&str) -> bool) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let wanted = entries.filter(move |entry| is_wanted(&entry.file_name().to_string_lossy()));
    // Opening a pipe would wait for a writer.
    let files = wanted.map(|entry| entry.path()).filter(|path| path.is_file());
    files.filter_map(|path| read_file(&path).ok())
}

/// Reports whether a file's name is that of a certificate: the hash of its subject, and a number.
fn is_hashed(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        hash.len() == 8 && u32::from_str_radix(hash, 16).is_ok() && number.parse::<u32>().is_ok()
    })
}

/// Reads a file of at most 16 MiB.
fn read_file(path: &Path) -> io::Result<String> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is larger than 16 MiB"));
    }
    Ok(ascii(content))
}

/// Returns the ASCII characters of a text, which are all that PEM has. A byte order mark is none, and UTF-16, as
/// PowerShell writes it, has zeros between them.
fn ascii(mut text: Vec<u8>) -> String {
    if !text.is_ascii() {
        text.retain(|byte| matches!(byte, 1..=127));
    }
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// Returns a certificate whose DER is these bytes, of which nothing here looks at the content.
    fn pem(base64: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    }

    const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

    /// Reads the store of a system with these files. Returns the number of certificates, and where they are from.
    fn store(files: &[(&str, &str)]) -> Option<(usize, String)> {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let store = system_store(root.path()).unwrap()?;
        Some((store.certificates.len(), store.place.replace(root.path().to_str().unwrap(), "")))
    }

    #[test]
    fn finds_the_systems_store_as_openssl_does() {
        let (a, b, c) = (pem("MAA="), pem("MAAA"), pem("MAAB"));
        let both = format!("{a}{b}");
        for (files, expected) in [
            (&[][..], None),
            (&[(BUNDLE, ""), ("etc/ssl/certs/README", "")], None),
            (&[(BUNDLE, &both)], Some((2, "the system's store /etc/ssl/certs/ca-certificates.crt"))),
            (
                &[("etc/ssl/certs/ca-bundle.crt", &a)],
                Some((1, "the system's store /etc/ssl/certs/ca-bundle.crt")),
            ),
            // An empty bundle is no store.
            (&[(BUNDLE, "\n"), ("etc/ssl/cert.pem", &a)], Some((1, "the system's store /etc/ssl/cert.pem"))),
            // The first bundle is the store.
            (
                &[(BUNDLE, &a), ("etc/ssl/cert.pem", &both)],
                Some((1, "the system's store /etc/ssl/certs/ca-certificates.crt")),
            ),
            // OpenWrt has hashed files alone.
            (
                &[("etc/ssl/certs/002c0b4f.0", &a), ("etc/ssl/certs/002c0b4f.1", &b)],
                Some((2, "the system's store /etc/ssl/certs")),
            ),
            // Debian has the certificates of the bundle as hashed files, too.
            (
                &[(BUNDLE, &both), ("etc/ssl/certs/002c0b4f.0", &a)],
                Some((2, "the system's store /etc/ssl/certs/ca-certificates.crt")),
            ),
            (
                &[(BUNDLE, &both), ("etc/ssl/certs/002C0B4F.10", &c)],
                Some((3, "the system's store /etc/ssl/certs/ca-certificates.crt and /etc/ssl/certs")),
            ),
            // OpenSSL does not look at other names, such as those of revocation lists.
            (
                &[
                    ("etc/ssl/certs/002c0b4f.r0", &a),
                    ("etc/ssl/certs/002c0b4f.", &a),
                    ("etc/ssl/certs/002c0b4f", &a),
                    ("etc/ssl/certs/002c0b4.0", &a),
                    ("etc/ssl/certs/002c0b4g.0", &a),
                    ("etc/ssl/certs/ours.pem", &a),
                    ("etc/ssl/certs/sub/002c0b4f.0", &a),
                ],
                None,
            ),
        ] {
            let expected = expected.map(|(number, place)| (number, place.to_owned()));
            assert_eq!(store(files), expected, "{files:?}");
        }
    }

    #[test]
    fn rejects_a_bundle_that_cannot_be_read() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(BUNDLE)).unwrap();
        let error = system_store(root.path()).err().unwrap();
        assert!(error.to_string().starts_with("cannot read the system's store "), "{error}");
        assert!(error.source().unwrap().downcast_ref::<io::Error>().is_some());
    }

    #[test]
    fn counts_certificates_and_their_markers() {
        let (a, b) = (pem("MAA="), pem("MAAA"));
        let key = a.replace("CERTIFICATE", "PRIVATE KEY");
        for (text, expected) in [
            (format!("{a}{b}"), Ok(2)),
            (format!("{a}{b}{a}"), Ok(3)),
            (format!("# ours\n{key}\n{a}\n-----BEGIN X-----"), Ok(1)),
            (a.replace('\n', "\r\n"), Ok(1)),
            (a.replace('\n', "\r"), Ok(1)),
            (a.replace("CERTIFICATE", "CERTIFICATE REQUEST"), Err((0, 0))),
            (key, Err((0, 0))),
            ("-----BEGIN CERTIFICATE".to_owned(), Err((0, 0))),
            (a.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), Err((0, 1))),
            (format!("{b}{}", a.replace("CERTIFICATE", "X509 CERTIFICATE")), Err((1, 2))),
            (a.replace('\n', ""), Err((0, 1))),
            (format!("{b}  {}", a.replace('\n', "\n  ")), Err((1, 2))),
        ] {
            let found = match CaCertificates::from_pem("the CA file x", text.clone()) {
                Ok(store) => Ok(store.certificates.len()),
                Err(InvalidConfig::DamagedCertificates { readable, markers, .. }) => Err((readable, markers)),
                Err(InvalidConfig::NoCertificate { .. }) => Err((0, 0)),
                Err(other) => panic!("{text}: {other}"),
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
