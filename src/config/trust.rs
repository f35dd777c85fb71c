//! The certificates that are trusted, and where they are read from.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::{env, fmt};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::invalid::InvalidConfig;

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
        Ok(Self::Certificates(Store::of_file(path, place)?.into_certificates()))
    }

    /// Returns the roots for ureq, and where they came from, for messages.
    pub(crate) fn load(&self) -> Result<(RootCerts, String), InvalidConfig> {
        match self {
            Self::Certificates(CaCertificates { roots, place }) => Ok((roots.clone(), place.clone())),
            Self::Insecure => Ok((RootCerts::WebPki, "any certificate: not verified".to_owned())),
            Self::Store => {
                let set = |name| env::var_os(name).filter(|value| !value.is_empty());
                let store = match (set("SSL_CERT_FILE"), set("SSL_CERT_DIR")) {
                    (None, None) => system_store(Path::new("/"))?,
                    (file, dirs) => Some(named_store(file, dirs)?),
                };
                Ok(match store {
                    Some(store) => (store.certificates.into(), store.place),
                    None => (RootCerts::WebPki, "the Mozilla roots built into connect-cache".to_owned()),
                })
            }
        }
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
#[derive(Clone)]
pub struct CaCertificates {
    roots: RootCerts,
    place: String,
}

impl CaCertificates {
    /// Reads PEM text: UTF-8 with or without a byte order mark, or UTF-16 with one. `place` says in messages where it
    /// came from.
    ///
    /// # Errors
    /// [`InvalidConfig`] if the text contains no certificate, or one that cannot be read.
    pub fn from_pem(place: impl Into<String>, pem: impl Into<Vec<u8>>) -> Result<Self, InvalidConfig> {
        Ok(Store::of_text(pem.into(), place.into())?.into_certificates())
    }
}

impl fmt::Debug for CaCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CaCertificates({})", self.place)
    }
}

/// The certificates of a store, each once, in the order of their DER.
struct Store {
    certificates: Vec<Certificate<'static>>,
    place: String,
}

/// Reads the store of the system whose files are in `root`; `None` if it has none.
fn system_store(root: &Path) -> Result<Option<Store>, InvalidConfig> {
    let mut store = Store { certificates: Vec::new(), place: "the system's store".to_owned() };
    for path in BUNDLES.map(|bundle| root.join(bundle)) {
        match read_file(&path) {
            Ok(pem) => {
                store.add(&without_mark(pem));
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            // Do not use other roots instead: they may include a CA that the system's administrator removed.
            Err(error) => {
                let file = format!("the system's store {}", path.display());
                return Err(InvalidConfig::Unreadable { file, error });
            }
        }
        if !store.certificates.is_empty() {
            store.place = format!("{} {}", store.place, path.display());
            break;
        }
    }
    let in_bundle = store.certificates.len();
    let hashed = root.join(HASHED_FILES);
    store.add_directory(&hashed, is_hashed);
    if store.certificates.len() > in_bundle {
        let and = if in_bundle > 0 { " and" } else { "" };
        store.place = format!("{}{and} {}", store.place, hashed.display());
    }
    Ok(Some(store).filter(|store| !store.certificates.is_empty()))
}

/// Reads the store that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
fn named_store(file: Option<OsString>, dirs: Option<OsString>) -> Result<Store, InvalidConfig> {
    let mut store = Store { certificates: Vec::new(), place: String::new() };
    if let Some(file) = &file {
        let path = Path::new(file);
        store = Store::of_file(path, format!("the CA file {} (SSL_CERT_FILE)", path.display()))?;
    }
    if let Some(dirs) = &dirs {
        env::split_paths(dirs).for_each(|dir| store.add_directory(&dir, |_| true));
        let and = if file.is_some() { " and " } else { "" };
        store.place += &format!("{and}the directory {} (SSL_CERT_DIR)", Path::new(dirs).display());
    }
    if store.certificates.is_empty() {
        return Err(InvalidConfig::NoCertificate { place: store.place });
    }
    Ok(store)
}

impl Store {
    /// Reads a file, which must be readable, as [`Store::of_text`] does.
    fn of_file(path: &Path, place: String) -> Result<Self, InvalidConfig> {
        match read_file(path) {
            Ok(pem) => Self::of_text(pem, place),
            Err(error) => {
                let quoted = path.to_string_lossy().starts_with(['"', '\'']);
                Err(match error.kind() {
                    ErrorKind::NotFound if quoted => InvalidConfig::QuotedPath { file: place },
                    _ => InvalidConfig::Unreadable { file: place, error },
                })
            }
        }
    }

    /// Reads PEM text with at least one certificate, each of which must be readable.
    fn of_text(pem: Vec<u8>, place: String) -> Result<Self, InvalidConfig> {
        let pem = without_mark(pem);
        let mut store = Self { certificates: Vec::new(), place };
        let (readable, markers) = (store.add(&pem), markers(&pem));
        if readable < markers {
            return Err(InvalidConfig::DamagedCertificates { place: store.place, readable, markers });
        }
        if readable == 0 {
            return Err(InvalidConfig::NoCertificate { place: store.place });
        }
        Ok(store)
    }

    fn into_certificates(self) -> CaCertificates {
        CaCertificates { roots: self.certificates.into(), place: self.place }
    }

    /// Adds the certificates in PEM text that can be read, and returns their number.
    fn add(&mut self, pem: &[u8]) -> usize {
        let mut readable = 0;
        for item in parse_pem(pem) {
            let Ok(PemItem::Certificate(certificate)) = item else { continue };
            readable += 1;
            let found = self.certificates.binary_search_by(|known| known.der().cmp(certificate.der()));
            if let Err(at) = found {
                self.certificates.insert(at, certificate);
            }
        }
        readable
    }

    /// Adds the certificates in the files of a directory whose names are wanted. A directory of certificates holds
    /// other files too: anything else is skipped.
    fn add_directory(&mut self, dir: &Path, is_wanted: fn(&str) -> bool) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            // Opening a pipe would wait for a writer.
            if !is_wanted(&entry.file_name().to_string_lossy()) || !path.is_file() {
                continue;
            }
            if let Ok(pem) = read_file(&path) {
                self.add(&without_mark(pem));
            }
        }
    }
}

/// Reports whether a file's name is that of a certificate: the hash of its subject, and a number.
fn is_hashed(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, number)| {
        let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Counts the `BEGIN … CERTIFICATE` markers in PEM text, wherever in a line they are.
fn markers(pem: &[u8]) -> usize {
    let text = String::from_utf8_lossy(pem);
    let labels = text.split("-----BEGIN ").skip(1).filter_map(|section| section.split_once("-----"));
    labels.filter(|(label, _)| label.ends_with("CERTIFICATE")).count()
}

/// Returns text without its byte order mark. Of text in UTF-16, as PowerShell writes it, the ASCII characters are
/// kept.
fn without_mark(mut text: Vec<u8>) -> Vec<u8> {
    let mark = match text[..] {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            text.retain(|&byte| byte != 0);
            2
        }
        [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    };
    text.drain(..mark);
    text
}

/// Reads a file of at most 16 MiB.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is larger than 16 MiB"));
    }
    Ok(content)
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
            (format!("{a}{b}{a}"), Ok(2)),
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
            let found = match Store::of_text(text.clone().into(), "the CA file x".to_owned()) {
                Ok(store) => Ok(store.certificates.len()),
                Err(InvalidConfig::DamagedCertificates { readable, markers, .. }) => Err((readable, markers)),
                Err(InvalidConfig::NoCertificate { .. }) => Err((0, 0)),
                Err(other) => panic!("{text}: {other}"),
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
