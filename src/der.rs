//! The parts of DER (X.690) and X.509 (RFC 5280) that decide whether rustls accepts a certificate. rustls silently
//! drops a CA certificate that it cannot read, and ureq panics if rustls refuses a client certificate.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;
const BOOLEAN: u8 = 0x01;
const OID: u8 = 0x06;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The extension of Certificate Transparency (RFC 6962, section 3.3).
const SCT_LIST: &[u8] = b"\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02";

/// Elements in DER, of which those left to read remain.
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

impl<'a> Der<'a> {
    /// Takes the next element, which must have this tag, and returns its content.
    pub(crate) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (length, rest) = match rest {
            [length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
            [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
            [0x82, high @ 1..=0xff, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(content)
    }

    /// Takes a positive INTEGER, and returns its bytes without a leading zero.
    pub(crate) fn take_positive(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            [0, digits @ ..] if digits.first() >= Some(&0x80) => Some(digits),
            digits @ [1..=0x7f, ..] => Some(digits),
            _ => None,
        }
    }
}

/// Returns the content of the only element in `der`, which must have this tag.
pub(crate) fn only(der: &[u8], tag: u8) -> Option<&[u8]> {
    let mut elements = Der(der);
    elements.take(tag).filter(|_| elements.0.is_empty())
}

/// Returns the content of a certificate's SubjectPublicKeyInfo if rustls accepts the certificate: as a CA's, or as
/// the client's own, which must be of version 3 and without critical extensions that rustls does not know.
pub(crate) fn public_key(certificate: &[u8], is_ca: bool) -> Option<&[u8]> {
    let mut signed = Der(only(certificate, SEQUENCE)?);
    let mut body = Der(signed.take(SEQUENCE)?);
    let algorithm = signed.take(SEQUENCE)?;
    only(signed.0, BIT_STRING)?.strip_prefix(&[0])?;
    let has_version = body.0.starts_with(&[VERSION]);
    if has_version && body.take(VERSION)? != [INTEGER, 1, 2] || !has_version && !is_ca {
        return None;
    }
    let _serial_number = body.take(INTEGER)?;
    if body.take(SEQUENCE)? != algorithm {
        return None;
    }
    let (_issuer, _validity, _subject) = (body.take(SEQUENCE)?, body.take(SEQUENCE)?, body.take(SEQUENCE)?);
    let key = body.take(SEQUENCE)?;
    if !body.0.is_empty() {
        check_extensions(body.0, is_ca).filter(|()| has_version)?;
    }
    (certificate.len() < 0xffff).then_some(key)
}

/// Returns `Some` if rustls accepts the extensions: those that it knows occur only once and are well-formed, and, except
/// for a CA, none that it does not know is critical.
fn check_extensions(extensions: &[u8], is_ca: bool) -> Option<()> {
    let mut extensions = Der(only(only(extensions, EXTENSIONS)?, SEQUENCE)?);
    let mut seen = 0u64;
    while !extensions.0.is_empty() {
        let mut extension = Der(extensions.take(SEQUENCE)?);
        let id = extension.take(OID)?;
        let is_critical = match extension.0.first() {
            Some(&BOOLEAN) => match extension.take(BOOLEAN)? {
                [0] => false,
                [0xff] => true,
                _ => return None,
            },
            _ => false,
        };
        let value = only(extension.0, OCTET_STRING)?;
        let known = match id {
            // Key usage.
            [0x55, 0x1d, 15] => 15,
            // Subject alternative name, basic and name constraints, CRL distribution points, extended key usage.
            [0x55, 0x1d, known @ (17 | 19 | 30 | 31 | 37)] => only(value, SEQUENCE).map(|_| *known)?,
            SCT_LIST => only(value, OCTET_STRING).map(|_| 0)?,
            _ if is_critical && !is_ca => return None,
            _ => continue,
        };
        if seen >> known & 1 == 1 {
            return None;
        }
        seen |= 1 << known;
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Encodes an element.
    pub(crate) fn element(tag: u8, content: Vec<u8>) -> Vec<u8> {
        let length = (content.len() as u16).to_be_bytes();
        let head = match content.len() {
            0..0x80 => vec![tag, length[1]],
            0x80..0x100 => vec![tag, 0x81, length[1]],
            _ => vec![tag, 0x82, length[0], length[1]],
        };
        [head, content].concat()
    }

    #[test]
    fn takes_positive_integers_without_needless_zeros() {
        for (content, digits) in [
            (&[1, 2][..], Some(&[1, 2][..])),
            (&[0x7f], Some(&[0x7f])),
            (&[0, 0x80], Some(&[0x80])),
            (&[0, 0xff, 1], Some(&[0xff, 1])),
            (&[0, 0x7f], None),
            (&[0, 0, 0x80], None),
            (&[0x80], None),
            (&[0], None),
            (&[], None),
        ] {
            let integer = element(INTEGER, content.to_vec());
            assert_eq!(Der(&integer).take_positive(), digits, "{content:?}");
        }
    }

    #[test]
    fn accepts_version_1_only_for_a_ca() {
        let key = rcgen::KeyPair::generate().unwrap();
        let version_3 = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
        assert!(public_key(version_3.der(), true).is_some() && public_key(version_3.der(), false).is_some());

        // Without the version, and without extensions, which version 1 does not have.
        let mut signed = Der(only(version_3.der(), SEQUENCE).unwrap());
        let mut body = Der(signed.take(SEQUENCE).unwrap());
        body.take(VERSION).unwrap();
        let fields = body.0;
        for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
            body.take(tag).unwrap();
        }
        let fields = &fields[..fields.len() - body.0.len()];
        let body = element(SEQUENCE, fields.to_vec());
        let version_1 = element(SEQUENCE, [&body, signed.0].concat());
        assert!(public_key(&version_1, true).is_some() && public_key(&version_1, false).is_none());
    }
}
