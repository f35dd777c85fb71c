"""Certificates, generated for each test."""

import datetime
import ipaddress
import subprocess
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

KEYS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
}
DAY = datetime.timedelta(days=1)
LOCAL = ("localhost", "127.0.0.1")


class Identity(NamedTuple):
    """The files of a certificate, followed by intermediate ones, and of its key."""

    chain: Path
    key: Path


class Authority:
    """A certificate authority. `ca` is the file of its certificate."""

    def __init__(self, folder, name, issuer=None, kind="p256", constraints=None, is_ca=True):
        self.folder, self.kind = Path(folder), kind
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = KEYS[kind]()
        basic = x509.BasicConstraints(ca=is_ca, path_length=None)
        builder = _builder(self.name, self.key).add_extension(basic, critical=True)
        if constraints:
            builder = builder.add_extension(constraints, critical=True)
        signer = issuer or self
        self.certificate = builder.issuer_name(signer.name).sign(signer.key, hashes.SHA256())
        # A server sends these after its own certificate: all certificates except the root's.
        self.intermediates = _pem(self.certificate) + issuer.intermediates if issuer else b""
        self.ca = self.folder / f"{name}.pem"
        self.ca.write_bytes(_pem(self.certificate))

    def issue(self, label, *, names=LOCAL, kind=None, since=-1, until=1, whole=True, extensions=()):
        """Issues an identity that is valid from `since` until `until`, in days from now.

        `extensions` are pairs of an extension and whether it is critical. Without `whole` the intermediate
        certificates are missing, as on a misconfigured server.
        """
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        key = KEYS[kind or self.kind]()
        builder = _builder(subject, key, since, until).issuer_name(self.name)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if names:
            names = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(names, critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        identity = Identity(self.folder / f"{label}.pem", self.folder / f"{label}.key")
        chain = _pem(builder.sign(self.key, hashes.SHA256())) + (self.intermediates if whole else b"")
        identity.chain.write_bytes(chain)
        identity.key.write_bytes(_private(key))
        return identity

    def issue_by_openssl(self, label, *options, key="rsa:2048"):
        """Issues an identity by `openssl x509 -req`: of version 1 unless the options name extensions."""
        identity = Identity(self.folder / f"{label}.pem", self.folder / f"{label}.key")
        issuer, request = self.folder / f"{label}.issuer", self.folder / f"{label}.csr"
        issuer.write_bytes(_private(self.key))
        words = f"openssl req -newkey {key} -nodes -subj /CN=localhost".split()
        run = lambda *words: subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        run(*words, "-keyout", identity.key, "-out", request)
        words = "openssl x509 -req -days 30 -set_serial 7".split()
        run(*words, "-in", request, "-CA", self.ca, "-CAkey", issuer, "-out", identity.chain, *options)
        return identity


def self_signed(folder, label, *options):
    """Returns a self-signed identity, made by `openssl req -x509`."""
    identity = Identity(Path(folder) / f"{label}.pem", Path(folder) / f"{label}.key")
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost".split()
    words += [*options, "-keyout", identity.key, "-out", identity.chain]
    subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return identity


def certified_by_openssl(folder, key, ca_key=None):
    """Returns the certificate of an authority, and an identity that it issued, both made by openssl with these keys."""
    folder = Path(folder)
    root, ca, request = folder / "openssl-ca.pem", folder / "openssl-ca.key", folder / "openssl.csr"
    identity = Identity(folder / "openssl.pem", folder / "openssl.key")
    extensions = folder / "openssl.cnf"
    extensions.write_text("subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n")
    for words in (
        f"req -x509 -newkey {ca_key or key} -nodes -days 30 -subj /CN=root -keyout {ca} -out {root}",
        f"req -newkey {key} -nodes -subj /CN=localhost -keyout {identity.key} -out {request}",
        f"x509 -req -days 30 -in {request} -CA {root} -CAkey {ca} -extfile {extensions} -out {identity.chain}",
    ):
        subprocess.run(["openssl", *words.split()], check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return root, identity


def _builder(subject, key, since=-1, until=1):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now + since * DAY).not_valid_after(now + until * DAY)


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
