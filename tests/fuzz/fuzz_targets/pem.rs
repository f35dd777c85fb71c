//! Checks the files with CA certificates, client certificates and keys: the program accepts those that rustls can use.

#![no_main]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use arbitrary::Arbitrary;
use connect_cache::{Client, ClientCertificate, Config, Trust};
use connect_cache_fuzz::{Change, one_of};
use libfuzzer_sys::fuzz_target;
use pem::{EncodeConfig, LineEnding, Pem};
use rustls::RootCertStore;

#[derive(Arbitrary, Debug)]
struct Input {
    certificates: Vec<u8>,
    key: u8,
    wrong: Wrong,
    layout: Layout,
}

#[derive(Arbitrary, Debug)]
enum Wrong {
    Nothing,
    Certificate { number: u8, change: Change },
    Key(Change),
    Text(Change),
    Label(u8),
}

#[derive(Arbitrary, Debug)]
struct Layout {
    crlf: bool,
    wrap: u8,
    text: u8,
    utf16: bool,
    one_file: bool,
}

type Der = &'static [u8];

/// Certificates; the CA has the key of the second one.
const CERTIFICATES: [Der; 5] = [
    include_bytes!("../keys/rsa.certificate.der"),
    include_bytes!("../keys/p256.certificate.der"),
    include_bytes!("../keys/p384.certificate.der"),
    include_bytes!("../keys/ca.certificate.der"),
    // Without extensions, it is of version 1.
    include_bytes!("../keys/v1.certificate.der"),
];
const KEYS: [(&str, Der); 6] = [
    ("PRIVATE KEY", include_bytes!("../keys/rsa.pkcs8.der")),
    ("PRIVATE KEY", include_bytes!("../keys/p256.pkcs8.der")),
    ("PRIVATE KEY", include_bytes!("../keys/p384.pkcs8.der")),
    ("RSA PRIVATE KEY", include_bytes!("../keys/rsa.traditional.der")),
    ("EC PRIVATE KEY", include_bytes!("../keys/p256.traditional.der")),
    ("EC PRIVATE KEY", include_bytes!("../keys/p384.traditional.der")),
];
const LABELS: [&str; 5] = [
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "CERTIFICATE REQUEST",
    "ENCRYPTED PRIVATE KEY",
];
const TEXTS: [&str; 5] = ["", "\n", "# a comment - with -- dashes\n", "subject=CN = host\r\n", "\u{feff}"];

impl Input {
    /// Returns the certificates after a change.
    fn certificates(&self) -> Vec<Vec<u8>> {
        let mut certificates: Vec<Vec<u8>> =
            self.certificates.iter().take(4).map(|number| one_of(&CERTIFICATES, *number).to_vec()).collect();
        if let Wrong::Certificate { number, change } = &self.wrong {
            if let Some(certificate) = certificates.get_mut(usize::from(*number)) {
                change.apply(certificate);
            }
        }
        certificates
    }

    /// Returns the texts with the certificates and with the key.
    fn texts(&self, certificates: &[Vec<u8>]) -> [String; 2] {
        let (label, key) = one_of(&KEYS, self.key);
        let mut key = key.to_vec();
        if let Wrong::Key(change) = &self.wrong {
            change.apply(&mut key);
        }
        let certificate_label = match self.wrong {
            Wrong::Label(number) => one_of(&LABELS, number),
            _ => "CERTIFICATE",
        };
        let mut texts = [String::new(), self.section(label, key)];
        for certificate in certificates {
            texts[0].push_str(&self.section(certificate_label, certificate.clone()));
        }
        if self.layout.one_file {
            let key = texts[1].clone();
            texts[0].push_str(&key);
        }
        if let Wrong::Text(change) = &self.wrong {
            texts = texts.map(|text| change.of(&text));
        }
        texts
    }

    fn section(&self, label: &str, der: Vec<u8>) -> String {
        let Layout { crlf, wrap, text, .. } = self.layout;
        let ending = if crlf { LineEnding::CRLF } else { LineEnding::LF };
        let config = EncodeConfig::new().set_line_ending(ending).set_line_wrap(usize::from(wrap).max(4));
        format!("{}{}", one_of(&TEXTS, text), pem::encode_config(&Pem::new(label, der), config))
    }

    /// Writes a text as the layout says, and returns the file.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        static FOLDER: OnceLock<PathBuf> = OnceLock::new();
        let folder = FOLDER.get_or_init(|| {
            let folder = std::env::temp_dir().join(format!("connect-cache-fuzz-pem-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("a folder");
            folder
        });
        let file = folder.join(name);
        // PowerShell writes UTF-16.
        let utf16 = || [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let bytes: Vec<u8> = if self.layout.utf16 { utf16() } else { text.as_bytes().to_vec() };
        fs::write(&file, bytes).expect("a file");
        file
    }
}

/// Starts a server that accepts connections and closes them, and returns its address.
fn server() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        thread::spawn(move || listener.incoming().for_each(drop));
        format!("https://{address}")
    })
}

fn config() -> Config {
    let mut config = Config::new(server().parse().expect("an address"), "a-key".parse().expect("a key"));
    config.retries = Some(0);
    config
}

fn check_ca(input: &Input, certificates: &[Vec<u8>], file: &Path) {
    let mut config = config();
    config.trust = Trust::file(file).expect("a file");
    let accepts = Client::new(config).map(|_| ());
    let rustls_accepts = |der: &Vec<u8>| RootCertStore::empty().add(der.as_slice().into()).is_ok();
    let expected = !certificates.is_empty() && certificates.iter().all(rustls_accepts);
    match &input.wrong {
        // The change may be to the text around a section, or have removed one.
        Wrong::Text(_) => {}
        Wrong::Label(number) => assert!(accepts.is_err() || number % 5 < 2, "{input:?}"),
        // rustls does not read all of a certificate of version 1.
        Wrong::Certificate { .. } => assert!(expected || accepts.is_err(), "{input:?}"),
        _ => assert_eq!(accepts.is_ok(), expected, "{input:?}: {accepts:?}"),
    }
}

fn check_client(input: &Input, file: &Path, key: Option<&Path>) {
    let pair = ClientCertificate::files(file, key);
    let key_of = |certificate: u8| [Some(0), Some(1), Some(2), Some(1), None][usize::from(certificate % 5)];
    let first = input.certificates.first();
    let belongs = first.is_some_and(|certificate| key_of(*certificate) == Some(input.key % 6 % 3));
    match (&input.wrong, pair) {
        (_, Ok(pair)) => {
            assert!(belongs || matches!(input.wrong, Wrong::Text(_)), "{input:?}");
            let mut config = config();
            config.trust = Trust::Insecure;
            config.client_certificate = Some(pair);
            // ureq would panic if rustls refused the pair.
            let _ = Client::new(config).map(|client| client.server_settings());
        }
        (Wrong::Nothing, Err(error)) => assert!(!belongs, "{input:?}: {error}"),
        _ => {}
    }
}

fuzz_target!(|input: Input| {
    let certificates = input.certificates();
    let [text, key] = input.texts(&certificates);
    let file = input.file("certificates", &text);
    check_ca(&input, &certificates, &file);
    let key = (!input.layout.one_file).then(|| input.file("key", &key));
    check_client(&input, &file, key.as_deref());
});
