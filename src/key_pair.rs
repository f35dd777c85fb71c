//! Checks whether a private key belongs to a certificate. ureq panics if rustls or ring refuses the pair, so this
//! module checks everything that they check, and returns the key in the form that they read.

use ureq::tls::PrivateKey;

use crate::der::{BIT_STRING, Der, INTEGER, OCTET_STRING, SEQUENCE, only};
use crate::modular::{add, difference, multiply, number, subtract};
use crate::proxy::base64;

const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// An elliptic curve y² = x³ - 3x + b; its numbers are as in `modular`.
struct Curve {
    /// The content of its AlgorithmIdentifier.
    algorithm: &'static [u8],
    modulus: &'static [u64],
    order: &'static [u64],
    generator: [&'static [u64]; 2],
}

/// P-256 and P-384 (SEC 2, sections 2.4.2 and 2.5.1).
static CURVES: [Curve; 2] = [
    Curve {
        algorithm: b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        modulus: &[0xffffffffffffffff, 0x00000000ffffffff, 0, 0xffffffff00000001],
        order: &[0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000],
        generator: [
            &[0xf4a13945d898c296, 0x77037d812deb33a0, 0xf8bce6e563a440f2, 0x6b17d1f2e12c4247],
            &[0xcbb6406837bf51f5, 0x2bce33576b315ece, 0x8ee7eb4a7c0f9e16, 0x4fe342e2fe1a7f9b],
        ],
    },
    Curve {
        algorithm: b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        modulus: &[
            0x00000000ffffffff,
            0xffffffff00000000,
            0xfffffffffffffffe,
            0xffffffffffffffff,
            0xffffffffffffffff,
            0xffffffffffffffff,
        ],
        order: &[
            0xecec196accc52973,
            0x581a0db248b0a77a,
            0xc7634d81f4372ddf,
            0xffffffffffffffff,
            0xffffffffffffffff,
            0xffffffffffffffff,
        ],
        generator: [
            &[
                0x3a545e3872760ab7,
                0x5502f25dbf55296c,
                0x59f741e082542a38,
                0x6e1d3b628ba79b98,
                0x8eb1c71ef320ad74,
                0xaa87ca22be8b0537,
            ],
            &[
                0x7a431d7c90ea0e5f,
                0x0a60b1ce1d7e819d,
                0xe9da3113b5f0b8c0,
                0xf8f41dbd289a147c,
                0x5d9e98bf9292dc29,
                0x3617de4a96262c6f,
            ],
        ],
    },
];

/// Returns the private key for ureq, or why rustls would refuse it with this SubjectPublicKeyInfo.
#[inline(never)]
pub(crate) fn private_key(public: &[u8], private: &[u8]) -> Result<PrivateKey<'static>, &'static str> {
    let Some((kind, der, is_pair)) = checked(public, private) else {
        return Err(
            "is malformed, of another kind than the certificate, or not RSA (2048, 3072 or 4096 bits), P-256 or P-384",
        );
    };
    // ureq has no public type for the kind of a key, but reads it from PEM text.
    let pem =
        format!("-----BEGIN {kind} PRIVATE KEY-----\n{}\n-----END {kind} PRIVATE KEY-----\n", base64(&der));
    PrivateKey::from_pem(pem.as_bytes()).ok().filter(|_| is_pair).ok_or("does not belong to the certificate")
}

/// Returns the kind of the key as PEM text names it, the key, and whether it belongs to the certificate.
fn checked(public: &[u8], private: &[u8]) -> Option<(&'static str, Vec<u8>, bool)> {
    let mut public = Der(public);
    let algorithm = public.take(SEQUENCE)?;
    let public = only(public.0, BIT_STRING)?.strip_prefix(&[0])?;
    let private = unwrapped(private)?;
    if algorithm == RSA {
        return Some(("RSA", private.to_vec(), is_rsa_pair(public, private)?));
    }
    let curve = CURVES.iter().find(|curve| curve.algorithm == algorithm)?;
    let mut key = Der(only(private, SEQUENCE)?);
    let _version = key.take(INTEGER)?;
    let secret = key.take(OCTET_STRING)?;
    let digits = curve.modulus.len();
    let size = 8 * digits;
    let (x, y) = public.strip_prefix(&[4])?.split_at_checked(size)?;
    if secret.len() != size || y.len() != size {
        return None;
    }
    let is_pair = curve.is_pair(&number(secret, digits), &number(x, digits), &number(y, digits));
    // The public key is optional (RFC 5915, section 3), but ring requires it.
    let of_point = [0xa1, 2 * size as u8 + 4, BIT_STRING, 2 * size as u8 + 2, 0];
    let head: &[u8] = if digits == 4 { &[SEQUENCE, 107] } else { &[SEQUENCE, 0x81, 155] };
    let der = [head, &[INTEGER, 1, 1, OCTET_STRING, size as u8], secret, &of_point, public].concat();
    Some(("EC", der, is_pair))
}

/// Returns the key that PKCS #8 wraps (RFC 5208, section 5), or `private` itself if it is not wrapped.
fn unwrapped(mut private: &[u8]) -> Option<&[u8]> {
    loop {
        let mut key = Der(only(private, SEQUENCE)?);
        let _version = key.take(INTEGER)?;
        if !key.0.starts_with(&[SEQUENCE]) {
            return Some(private);
        }
        let _algorithm = key.take(SEQUENCE)?;
        private = key.take(OCTET_STRING)?;
    }
}

/// Reports whether an RSAPrivateKey (RFC 8017, appendix A.1.2) has this RSAPublicKey; `None` if it is invalid.
fn is_rsa_pair(public: &[u8], private: &[u8]) -> Option<bool> {
    let mut private = Der(only(private, SEQUENCE)?);
    let version = private.take(INTEGER)?;
    let mut numbers = [&[][..]; 8];
    for number in &mut numbers {
        *number = private.take_positive()?;
    }
    let [n, e, d, p, q, p_exponent, q_exponent, q_inverse] = numbers;
    let half = n.len() / 2;
    // e is from 65537 to 2^33 - 1.
    let ascending = [
        (&[1, 0, 0][..], e),
        (e, &[2, 0, 0, 0, 0]),
        (d, n),
        (p_exponent, p),
        (q_exponent, q),
        (q_inverse, p),
    ];
    let is_valid = version == [0]
        && private.0.is_empty()
        && matches!(n.len(), 256 | 384 | 512)
        && (p.len(), q.len()) == (half, half)
        && d.len() > half
        && n[0] >= 0x80
        && ascending.iter().all(|(a, b)| (a.len(), a) < (b.len(), b))
        && numbers[..7].iter().all(|number| number.last().is_some_and(|byte| byte & 1 == 1));
    if !is_valid {
        return None;
    }
    // p × q is less than 2 n: if n divides it, it is n.
    let digits = n.len() / 8;
    let product = multiply(&number(p, digits), &number(q, digits), &number(n, digits));
    let (p, one) = (number(p, digits), number(&[1], digits));
    let is_inverse = multiply(&number(q, digits), &number(q_inverse, digits), &p) == multiply(&one, &one, &p);
    if !is_inverse || product.iter().any(|&digit| digit != 0) {
        return None;
    }
    let mut public = Der(only(public, SEQUENCE)?);
    Some(public.take_positive()? == n && public.take_positive()? == e && public.0.is_empty())
}

/// Formulas of the Explicit-Formulas Database for Jacobian coordinates (x, y, z), where each letter is a number:
/// "dbl-2001-b" doubles the point, "madd-2004-hmv" adds the point (p, q), and the last subtracts the point (i, j) from
/// the affine coordinates.
const DOUBLE: &[u8] =
    b"d=z*z g=y*y b=x*g a=x-d e=x+d a=a*e e=a+a a=a+e b=b+b b=b+b e=g+g g=e+e e=e*g z=y*z z=z+z \
    x=a*a c=b+b x=x-c y=b-x y=a*y y=y-e ";
const ADD: &[u8] =
    b"d=z*z h=p*d h=h-x d=d*z s=q*d s=s-y d=h*h e=d*h v=x*d x=s*s x=x-e c=v+v x=x-c v=v-x v=s*v y=y*e \
    y=v-y z=z*h ";
const COMPARE: &[u8] = b"d=z*z i=i*d x=x-i d=d*z j=j*d y=y-j ";

impl Curve {
    /// Reports whether (x, y) is the generator times `secret`, which must be positive and less than the order.
    fn is_pair(&self, secret: &[u64], x: &[u64], y: &[u64]) -> bool {
        let m = self.modulus;
        let is_less = |a: &[u64], b: &[u64]| difference(a, b).1;
        if !is_less(secret, self.order) || [x, y].iter().any(|number| !is_less(number, m)) {
            return false;
        }
        // The numbers, by their letters, all multiplied by R.
        let mut numbers = vec![Vec::new(); 128];
        let [p, q] = self.generator;
        let one = number(&[1], m.len());
        for (letter, value) in b"pqxyzij".iter().zip([p, q, p, q, &one[..], x, y]) {
            let shifted = (0..64 * m.len()).fold(value.to_vec(), |value, _| add(&value, &value, m));
            numbers[usize::from(*letter)] = shifted;
        }
        let mut run = |formula: &[u8]| {
            for step in formula.chunks_exact(6) {
                let [a, b] = [step[2], step[4]].map(|letter| &numbers[usize::from(letter)]);
                let operation = match step[3] {
                    b'*' => multiply,
                    b'+' => add,
                    _ => subtract,
                };
                numbers[usize::from(step[0])] = operation(a, b, m);
            }
        };
        // The point is never zero nor (p, q) before an addition: the bits so far are a number that is greater than one
        // and less than the order.
        let mut is_first = true;
        for i in (0..64 * m.len()).rev() {
            let bit = secret[i / 64] >> (i % 64) & 1;
            if !is_first {
                run(DOUBLE);
                if bit == 1 {
                    run(ADD);
                }
            }
            is_first &= bit == 0;
        }
        run(COMPARE);
        let is_zero = |letter: u8| numbers[usize::from(letter)].iter().all(|&digit| digit == 0);
        is_zero(b'x') && is_zero(b'y') && !is_first
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
    use rustls::crypto::ring::sign::any_supported_type;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::sign::{CertifiedKey, SigningKey};
    use rustls::{RootCertStore, SignatureScheme, server::ParsedCertificate};

    use super::*;
    use crate::der::public_key;
    use crate::der::tests::element;

    /// Keys of each kind, made by OpenSSL and by ring.
    fn pairs() -> [KeyPair; 3] {
        [
            KeyPair::from_pem(include_str!("../tests/keys/rsa-2048.pem")).unwrap(),
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
            KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        ]
    }

    fn certificate(key: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let mut scts =
            rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2], vec![4, 1, 0]);
        scts.set_criticality(true);
        params.custom_extensions = vec![scts];
        params.self_signed(key).unwrap().der().to_vec()
    }

    fn verdict(certificate: &[u8], private: &[u8]) -> Option<(&'static str, Vec<u8>, bool)> {
        checked(public_key(certificate, false)?, private)
    }

    /// Does what ureq does with an accepted pair, and signs with it. Panics as ureq does.
    fn load(certificate: &[u8], kind: &str, der: &[u8]) -> Arc<dyn SigningKey> {
        let pem = format!(
            "-----BEGIN {kind} PRIVATE KEY-----\n{}\n-----END {kind} PRIVATE KEY-----\n",
            base64(der)
        );
        let key = any_supported_type(&PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let chain = vec![CertificateDer::from(certificate.to_vec())];
        CertifiedKey::new(chain, key.clone()).keys_match().unwrap();
        for scheme in [
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
        ] {
            // A key whose exponents are wrong loads, and cannot sign.
            let _ = key.choose_scheme(&[scheme]).map(|signer| signer.sign(b"message"));
        }
        key
    }

    /// Returns copies of `bytes` with one byte changed, every `step` bytes.
    fn damaged(bytes: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> {
        (0..bytes.len()).step_by(step).map(move |i| {
            let mut copy = bytes.to_vec();
            copy[i] ^= [1, 0x80, 0xff][i / step % 3];
            copy
        })
    }

    #[test]
    fn accepts_pairs_that_belong_together_in_each_format() {
        for key in pairs() {
            let (certificate, pkcs8) = (certificate(&key), key.serialize_der());
            let (kind, der, is_pair) = verdict(&certificate, &pkcs8).unwrap();
            assert!(is_pair, "{kind}");
            load(&certificate, kind, &der);
            // The result is PKCS #1 or SEC 1, which is accepted too.
            assert_eq!(verdict(&certificate, &der).unwrap(), (kind, der, true));

            for other in pairs().iter().filter(|other| other.algorithm() == key.algorithm()) {
                let is_same = other.public_key_raw() == key.public_key_raw();
                let (_, _, is_pair) = verdict(&certificate, &other.serialize_der()).unwrap();
                assert_eq!(is_pair, is_same, "{kind}");
            }
        }
    }

    #[test]
    fn accepts_only_secrets_between_zero_and_the_order() {
        for curve in &CURVES {
            let bytes = |number: &[u64]| {
                number.iter().rev().flat_map(|digit| digit.to_be_bytes()).collect::<Vec<_>>()
            };
            let one = number(&[1], curve.order.len());
            let (after, _) = difference(curve.order, &number(&[0xff; 64], 8)[..one.len()]);
            let (before, _) = difference(curve.order, &one);
            let [x, y] = curve.generator.map(bytes);
            let minus_y = bytes(&difference(curve.modulus, curve.generator[1]).0);
            let accepts = |secret: &[u64], y: &[u8]| {
                let (x, y) = (number(&x, one.len()), number(y, one.len()));
                curve.is_pair(secret, &x, &y)
            };
            assert!(accepts(&one, &y) && !accepts(&one, &minus_y));
            assert!(accepts(&before, &minus_y) && !accepts(&before, &y));
            assert!(
                !accepts(&after, &y) && !accepts(curve.order, &y) && !accepts(&number(&[], one.len()), &y)
            );
        }
    }

    #[test]
    fn accepts_rsa_numbers_exactly_if_ring_does() {
        let key = KeyPair::from_pem(include_str!("../tests/keys/rsa-2048.pem")).unwrap().serialize_der();
        let mut der = Der(only(unwrapped(&key).unwrap(), SEQUENCE).unwrap());
        der.take(INTEGER).unwrap();
        let numbers: Vec<&[u8]> = (0..8).map(|_| der.take_positive().unwrap()).collect();
        let integer = |number: &[u8]| {
            let sign = if number[0] >= 0x80 { &[0][..] } else { &[] };
            element(INTEGER, [sign, number].concat())
        };
        let integers =
            |numbers: &[&[u8]]| numbers.iter().flat_map(|number| integer(number)).collect::<Vec<_>>();
        let even = |number: &[u8]| [&number[..number.len() - 1], &[number[number.len() - 1] & 0xfe]].concat();
        let top = |length: usize| [vec![0x80], vec![0xff; length - 1]].concat();
        let mut verdicts = [0, 0];
        for i in 0..8 {
            let shorter = &numbers[i][1..];
            for replacement in [
                numbers[i].to_vec(),
                even(numbers[i]),
                shorter.to_vec(),
                top(numbers[i].len()),
                top(128),
                top(129),
                top(256),
                vec![1],
                vec![3],
                vec![1, 0, 1],
                vec![1, 0, 0],
                vec![0xff, 0xff],
                vec![1, 0xff, 0xff, 0xff, 0xff],
                vec![2, 0, 0, 0, 1],
                vec![1, 0, 0, 0, 0, 1],
                numbers[0].to_vec(),
                numbers[3].to_vec(),
                numbers[4].to_vec(),
            ] {
                if replacement[0] == 0 {
                    continue;
                }
                let mut changed = numbers.clone();
                changed[i] = &replacement;
                let der = element(SEQUENCE, [vec![INTEGER, 1, 0], integers(&changed)].concat());
                let pem = format!(
                    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
                    base64(&der)
                );
                let rustls =
                    any_supported_type(&PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()).is_ok();
                let ours = is_rsa_pair(&element(SEQUENCE, integers(&changed[..2])), &der).is_some();
                assert_eq!(ours, rustls, "number {i}: {replacement:x?}");
                verdicts[usize::from(ours)] += 1;
            }
        }
        assert!(verdicts[0] > 40 && verdicts[1] > 8, "{verdicts:?}");
    }

    #[test]
    fn accepts_no_damaged_key_that_rustls_refuses() {
        for key in pairs() {
            let (certificate, pkcs8) = (certificate(&key), key.serialize_der());
            let (kind, der, _) = verdict(&certificate, &pkcs8).unwrap();
            // Multiplying a point is slow without optimization.
            let step = if kind == "EC" { 2 } else { 1 };
            let mut accepted = 0;
            for damaged in damaged(&pkcs8, step).chain(damaged(&der, step)) {
                if let Some((kind, der, true)) = verdict(&certificate, &damaged) {
                    load(&certificate, kind, &der);
                    accepted += 1;
                }
            }
            // Changes to the version or the attributes of PKCS #8, for example, make no difference.
            assert!(accepted > 0, "{kind}");
        }
    }

    #[test]
    fn accepts_damaged_certificates_only_if_rustls_does() {
        for key in pairs() {
            let whole = certificate(&key);
            let pkcs8 = key.serialize_der();
            for damaged in damaged(&whole, 1) {
                let parsed = CertificateDer::from(damaged.clone());
                let (client, ca) = (public_key(&damaged, false), public_key(&damaged, true));
                assert_eq!(ParsedCertificate::try_from(&parsed).is_ok(), client.is_some(), "{damaged:x?}");
                assert_eq!(RootCertStore::empty().add(parsed).is_ok(), ca.is_some(), "{damaged:x?}");
                // Checking a pair is slow without optimization.
                if client == public_key(&whole, false) {
                    continue;
                }
                if let Some((kind, der, true)) = verdict(&damaged, &pkcs8) {
                    load(&damaged, kind, &der);
                }
            }
        }
    }
}
