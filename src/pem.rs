//! Reads PEM text (RFC 7468), also with text around the sections, indented, or without line breaks.

use ureq::tls::Certificate;

use crate::InvalidConfig;
use crate::der::{SEQUENCE, only, public_key};

/// One section of PEM text.
pub(crate) struct Section<'a> {
    /// The kind of its contents, such as `CERTIFICATE`.
    pub(crate) label: &'a [u8],
    /// The bytes; `None` if its base64 or its end is broken.
    pub(crate) der: Option<Vec<u8>>,
}

/// The sections in PEM text.
pub(crate) struct Sections<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Sections<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Section<'a>> {
        let end_of = |text: &[u8]| text.iter().position(|&byte| byte == b'-');
        let content = loop {
            self.0 = &self.0[end_of(self.0)?..];
            match self.0.strip_prefix(b"-----BEGIN ") {
                Some(content) => break content,
                None => self.0 = &self.0[1..],
            }
        };
        let (label, content) = content.split_at(end_of(content).unwrap_or(content.len()));
        let (der, rest) = decode(content.strip_prefix(b"-----").unwrap_or(content));
        self.0 = rest;
        let end = rest.strip_prefix(b"-----END ").and_then(|rest| rest.strip_prefix(label));
        let der = end.map(|_| der);
        Some(Section { label, der })
    }
}

/// Decodes base64 up to a character that does not belong to it, and returns the rest.
fn decode(mut text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    while let [digit, rest @ ..] = text {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' | b' ' | b'\t' | b'\r' | b'\n' => 64,
            _ => break,
        };
        text = rest;
        if value < 64 {
            bits = bits << 6 | u32::from(value);
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push((bits >> count) as u8);
            }
        }
    }
    (bytes, text)
}

/// Returns the certificates in `pem`, each of which must be usable. `source` names the text in the error.
pub(crate) fn certificates(source: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, InvalidConfig> {
    let mut certificates = Vec::new();
    for section in Sections(pem).filter(|section| section.label.ends_with(b"CERTIFICATE")) {
        let problem = match &section.der {
            // A `TRUSTED CERTIFICATE` has OpenSSL's trust settings, which may say that it must not be trusted.
            _ if !is_plain(section.label) => "has another format; convert it with openssl x509",
            Some(der) if public_key(der, true).is_some() => {
                certificates.push(Certificate::from_der(der).to_owned());
                continue;
            }
            Some(_) => "is not a valid X.509 certificate",
            None => "has invalid base64 or no END line",
        };
        return Err(InvalidConfig::new(format!(
            "{source} contains an invalid certificate: number {}, BEGIN {}, {problem}",
            certificates.len() + 1,
            String::from_utf8_lossy(section.label)
        )));
    }
    if certificates.is_empty() {
        return Err(InvalidConfig::new(format!(
            "{source} contains no certificate; PEM text begins with -----BEGIN CERTIFICATE-----; openssl x509 and \
             openssl pkcs7 -print_certs convert other formats"
        )));
    }
    Ok(certificates)
}

/// Returns the complete certificates in `pem`, and ignores everything else.
pub(crate) fn any_certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let mut certificates = Vec::new();
    for section in Sections(pem) {
        match section.der {
            Some(der) if is_plain(section.label) && only(&der, SEQUENCE).is_some() => {
                certificates.push(Certificate::from_der(&der).to_owned());
            }
            _ => {}
        }
    }
    certificates
}

fn is_plain(label: &[u8]) -> bool {
    [&b"CERTIFICATE"[..], b"X509 CERTIFICATE"].contains(&label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pem: &str) -> Vec<(String, Option<Vec<u8>>)> {
        let label = |section: &Section<'_>| String::from_utf8_lossy(section.label).into_owned();
        Sections(pem.as_bytes()).map(|section| (label(&section), section.der)).collect()
    }

    #[test]
    fn skips_everything_but_certificates_in_a_store() {
        let section =
            |label: &str, base64: &str| format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n");
        // `MAA=` is an empty SEQUENCE, `AgEB` a number.
        let pem = [
            section("TRUSTED CERTIFICATE", "MAA="),
            section("CERTIFICATE", "AgEB"),
            section("CERTIFICATE", "MAA="),
            section("X509 CERTIFICATE", "MAAA"),
            section("X509 CRL", "MAA="),
        ]
        .concat();
        let certificates = any_certificates(pem.as_bytes());
        assert_eq!(certificates.iter().map(Certificate::der).collect::<Vec<_>>(), [[0x30, 0]]);
    }

    #[test]
    fn reads_sections_in_any_layout() {
        let expected =
            [("A B".to_owned(), Some(b"light work.".to_vec())), ("C".to_owned(), Some(vec![0xff]))];
        for pem in [
            "-----BEGIN A B-----\nbGlnaHQgd29yay4=\n-----END A B-----\n-----BEGIN C-----\n/w==\n-----END C-----\n",
            "\u{feff}-----BEGIN A B-----bGlnaHQgd29yay4=-----END A B----------BEGIN C-----/w-----END C-----",
            "a - b\n  -----BEGIN A B-----\r\n\tbGln\r\n aHQgd29yay4=\r\n  -----END A B-----\r\n--\n-----BEGIN C-----\n/w==\n-----END C-----",
        ] {
            assert_eq!(read(pem), expected, "{pem}");
        }
        for pem in ["", "hello", "-", "-----BEGIN", "-----END A-----"] {
            assert_eq!(read(pem), [], "{pem}");
        }
    }

    #[test]
    fn reports_broken_sections() {
        for pem in [
            "-----BEGIN A",
            "-----BEGIN A-----",
            "-----BEGIN A-----\nAA!A\n-----END A-----",
            "-----BEGIN A-----\nAAAA\n-----END B-----",
            "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END A-----",
        ] {
            assert_eq!(read(pem), [("A".to_owned(), None)], "{pem}");
        }
        let cut_short = "-----BEGIN A-----\nAAAA\n-----BEGIN A-----\nAAAA\n-----END A-----";
        assert_eq!(read(cut_short), [("A".to_owned(), None), ("A".to_owned(), Some(vec![0; 3]))]);
    }
}
