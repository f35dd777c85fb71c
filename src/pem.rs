//! Certificates in PEM text.

use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::InvalidConfig;

/// Returns the certificates in `pem`, all of which must be whole. `source` names the text in the error.
pub(crate) fn certificates(source: &str, pem: &[u8]) -> Result<Vec<Certificate<'static>>, InvalidConfig> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) if is_whole(certificate.der()) => {
                certificates.push(certificate)
            }
            Ok(PemItem::Certificate(_)) | Err(_) => {
                return Err(InvalidConfig::new(format!("{source} has a broken certificate in it")));
            }
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

/// Returns the whole certificates in `pem`, whatever else it holds.
pub(crate) fn any_certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) if is_whole(certificate.der()) => Some(certificate),
            _ => None,
        })
        .collect()
}

/// Reports whether `der` is one SEQUENCE, as a certificate is (RFC 5280, section 4.1), and as long as it says.
/// rustls silently drops a root that is not, and the server's certificate would then have an "unknown issuer".
fn is_whole(der: &[u8]) -> bool {
    match der {
        [0x30, 0x81, length, content @ ..] => content.len() == usize::from(*length),
        [0x30, 0x82, high, low, content @ ..] => {
            content.len() == usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn accepts_only_a_sequence_of_the_stated_length() {
        let of = |head: &[u8], length: usize| [head, &vec![0; length]].concat();
        for whole in [of(&[0x30, 0x81, 200], 200), of(&[0x30, 0x82, 1, 0], 256)] {
            assert!(is_whole(&whole));
            assert!(!is_whole(&whole[..whole.len() - 1]));
            assert!(!is_whole(&[&whole[..], &[0]].concat()));
        }
        for broken in [&of(&[0x31, 0x82, 1, 0], 256)[..], &[0x30, 0x80, 0, 0], &[0x30], b"hello", b""] {
            assert!(!is_whole(broken), "{broken:?}");
        }
    }
}
