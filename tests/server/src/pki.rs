//! Certificates generated for a test: a private authority and the certificates that it issues, valid or not.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};

use crate::task::random_id;

/// A certificate chain with its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The server's certificate, then the intermediate ones.
    pub cert_pem: String,
    /// The private key of the first certificate.
    pub key_pem: String,
}

impl Identity {
    /// Returns a self-signed certificate for the names of [`Leaf::default`]. With `ca_true` it
    /// also says that it is an authority, as those of `openssl req -x509` do.
    pub fn self_signed(ca_true: bool) -> Identity {
        let leaf = Leaf { is_ca: ca_true, ..Leaf::default() };
        let key = new_key();
        let cert = leaf.params().self_signed(&key).expect("a certificate can sign itself");
        Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    }
}

/// The contents of a certificate. By default, it is a valid server certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// DNS names and IP addresses, by default this host's and `connect.test`. If there are none, the certificate
    /// has no subject alternative name.
    pub names: Vec<String>,
    /// The start of its validity, in days from now.
    pub not_before: i64,
    /// The end of its validity, in days from now.
    pub not_after: i64,
    /// Mark it as an authority's certificate.
    pub is_ca: bool,
    /// Issue it by an intermediate authority, whose certificate is in the chain.
    pub intermediate: bool,
    /// Do not mark the intermediate certificate as an authority's.
    pub issuer_is_no_ca: bool,
    /// Allow the intermediate authority to issue certificates for this name only.
    pub constraint: Option<String>,
    /// Issue it for a client instead of a server.
    pub is_client: bool,
    /// Add a critical extension that is unknown to all clients.
    pub has_unknown_extension: bool,
}

impl Default for Leaf {
    fn default() -> Leaf {
        Leaf {
            names: ["127.0.0.1", "localhost", "::1", "connect.test"].map(String::from).to_vec(),
            not_before: -1,
            not_after: 30,
            is_ca: false,
            intermediate: false,
            issuer_is_no_ca: false,
            constraint: None,
            is_client: false,
            has_unknown_extension: false,
        }
    }
}

impl Leaf {
    fn params(&self) -> CertificateParams {
        let mut params = params("connect-test-server", self.names.clone());
        params.not_before = days_from_now(self.not_before).into();
        params.not_after = days_from_now(self.not_after).into();
        if self.is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        } else {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![match self.is_client {
                true => ExtendedKeyUsagePurpose::ClientAuth,
                false => ExtendedKeyUsagePurpose::ServerAuth,
            }];
        }
        if self.has_unknown_extension {
            let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            extension.set_criticality(true);
            params.custom_extensions.push(extension);
        }
        params
    }
}

/// A private certificate authority.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Default for Ca {
    fn default() -> Ca {
        Ca::new()
    }
}

impl Ca {
    /// Returns a new authority with a key of its own.
    pub fn new() -> Ca {
        let (params, key) = (ca_params("connect-test-server root"), new_key());
        let cert = params.self_signed(&key).expect("an authority signs itself");
        Ca { issuer: Issuer::new(params, key), pem: cert.pem() }
    }

    /// Returns the authority's certificate, for clients to trust.
    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// Issues a certificate with its chain and a key of its own.
    pub fn issue(&self, leaf: &Leaf) -> Identity {
        if !leaf.intermediate {
            return issue(&self.issuer, leaf);
        }
        let (mut params, key) = (ca_params("connect-test-server intermediate"), new_key());
        if leaf.issuer_is_no_ca {
            params.is_ca = IsCa::ExplicitNoCa;
        }
        if let Some(name) = &leaf.constraint {
            let permitted_subtrees = vec![GeneralSubtree::DnsName(name.clone())];
            params.name_constraints =
                Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        }
        let cert = params.signed_by(&key, &self.issuer).expect("an authority signs another");
        let mut identity = issue(&Issuer::new(params, key), leaf);
        identity.cert_pem += &cert.pem();
        identity
    }
}

fn issue(issuer: &Issuer<'_, KeyPair>, leaf: &Leaf) -> Identity {
    let key = new_key();
    let cert = leaf.params().signed_by(&key, issuer).expect("an authority signs a server's certificate");
    Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem() }
}

fn ca_params(name: &str) -> CertificateParams {
    // If two authorities had the same name, clients would confuse them and report a bad signature.
    let name = format!("{name} {}", random_id());
    let mut params = params(&name, Vec::new());
    params.not_before = days_from_now(-365).into();
    params.not_after = days_from_now(365).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params(name: &str, names: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("names are ASCII");
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    // Python 3.13 rejects certificates without this extension.
    params.use_authority_key_identifier_extension = true;
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system gives random numbers")
}

fn days_from_now(days: i64) -> SystemTime {
    let span = Duration::from_secs(days.unsigned_abs() * 24 * 60 * 60);
    if days < 0 { SystemTime::now() - span } else { SystemTime::now() + span }
}
