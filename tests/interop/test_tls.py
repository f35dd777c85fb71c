"""TLS with OpenSSL: in nginx, limited to a version, in HAProxy, and in `openssl s_server`."""

import itertools
import json
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki import KEYS, Authority, certified_by_openssl, self_signed
from processes import Service, wait_until

VERSIONS = ["TLSv1.2", "TLSv1.3"]
# The certificate is issued by the root, or by an intermediate authority.
CHAINS = ["root", "intermediate"]
# Keys, as `openssl req -newkey` names them.
P521 = "ec -pkeyopt ec_paramgen_curve:P-521"
SUPPORTED = ["rsa:2048", "rsa:4096", *(f"ec -pkeyopt ec_paramgen_curve:P-{bits}" for bits in (256, 384)), "ed25519"]


def block(port, identity, backend, protocols="TLSv1.2 TLSv1.3", more=""):
    return f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_ciphers DEFAULT:@SECLEVEL=0;
    {more}
    ssl_protocols {protocols};
    ssl_certificate {identity.chain};
    ssl_certificate_key {identity.key};
    location / {{ proxy_pass {backend}; }}
  }}
"""


def test_accepts_versions_keys_and_chains(program, connect, nginx, ports, tmp_path):
    backend = connect(*(word for n in range(12) for word in ("--cache", f"R,4.{n}.0,Local")))
    cases, blocks = [], []
    for kind in KEYS:
        root = Authority(tmp_path, f"root-{kind}", kind=kind)
        intermediate = Authority(tmp_path, f"intermediate-{kind}", root, kind)
        for chain, version in itertools.product(CHAINS, VERSIONS):
            issuer = root if chain == "root" else intermediate
            identity = issuer.issue(f"{kind}-{chain}-{version}")
            cases.append((ports(), version, root.ca))
            blocks.append(block(cases[-1][0], identity, backend.url, version))
    log = nginx("".join(blocks), *(port for port, _, _ in cases))

    for n, (port, version, ca) in enumerate(cases):
        run = program("delete", "-lR", f"-V4.{n}.0", "-c", ca, server=f"https://localhost:{port}")
        assert run.status == 0, run
        # The certificates name the address too.
        run = program("list", "--json", SSL_CERT_FILE=ca, server=f"https://127.0.0.1:{port}")
        assert run.status == 0, run
        assert len(json.loads(run.stdout)["caches"]) == len(cases) - n - 1
        # nginx writes its log after its reply.
        wait_until(lambda at=port: len(log.lines(at)) >= 3, "nginx has logged a deletion, a poll and a list")
        lines = log.lines(port)
        assert {line.split()[0] for line in lines} == {version}
    assert backend.caches() == []


@pytest.fixture(scope="module")
def refused(authority, tmp_path_factory):
    """Returns certificates that are rejected, each with the CA to trust and the texts of the error."""
    folder = tmp_path_factory.mktemp("refused")
    stranger = Authority(folder, "stranger")
    intermediate = Authority(folder, "intermediate", authority)
    by_openssl = Authority(folder, "by-openssl", kind="rsa")
    not_a_ca = Authority(folder, "not-a-ca", authority, is_ca=False)
    permitted = x509.NameConstraints([x509.DNSName("example.com")], None)
    constrained = Authority(folder, "constrained", authority, constraints=permitted)
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")
    (folder / "san.cnf").write_text("subjectAltName=DNS:localhost")
    version_3 = ["-extfile", folder / "san.cnf"]
    made = self_signed(folder, "self-signed")
    made_with_name = self_signed(folder, "self-signed-san", "-addext", "subjectAltName=DNS:localhost")
    cases = {
        "unknown issuer": (
            stranger.issue("foreign"),
            authority.ca,
            ["no trusted CA issued it", "openssl x509 -in FILE -noout -text"],
        ),
        "intermediate not sent": (
            intermediate.issue("bare", whole=False),
            authority.ca,
            ["no trusted CA issued it", "openssl x509 -in FILE -noout -text"],
        ),
        "wrong name": (
            authority.issue("wrong-name", names=["connect.example.com", "127.0.0.99"]),
            authority.ca,
            ["it is for another name", "subject alternative name"],
        ),
        "no subject alternative name": (
            authority.issue("no-san", names=[]),
            authority.ca,
            ["it has no subject alternative name", "a common name does not count"],
        ),
        "expired": (
            authority.issue("expired", since=-30, until=-1),
            authority.ca,
            ["it has expired", "check this host's clock"],
        ),
        "not yet valid": (
            authority.issue("early", since=2, until=30),
            authority.ca,
            ["it is not valid yet", "check this host's clock"],
        ),
        "version 1": (
            by_openssl.issue_by_openssl("version-1"),
            by_openssl.ca,
            ["it is not X.509 version 3", "have it reissued as version 3"],
        ),
        "SHA-1": (
            by_openssl.issue_by_openssl("sha-1", "-sha1", *version_3),
            by_openssl.ca,
            ["its signature algorithm is weak or unknown", "signatures with SHA-2"],
        ),
        "RSA of 1024 bits": (
            by_openssl.issue_by_openssl("rsa-1024", *version_3, key="rsa:1024"),
            by_openssl.ca,
            ["its signature is wrong, or a key is too short", "RSA (2048 bits or more"],
        ),
        "for clients": (
            authority.issue("for-clients", extensions=[(client, False)]),
            authority.ca,
            ["its extended key usage does not include servers", "serverAuth"],
        ),
        "critical extension": (
            authority.issue("critical", extensions=[(unknown, True)]),
            authority.ca,
            ["it has an unknown critical extension", "not critical"],
        ),
        "name constraints": (
            constrained.issue("constrained-leaf"),
            authority.ca,
            ["its CA is not allowed to issue certificates for this name", "name constraints"],
        ),
        "issued by a server": (
            not_a_ca.issue("by-a-server"),
            authority.ca,
            ["its issuer is not allowed to issue certificates", "CA:TRUE"],
        ),
        "self-signed": (made, made.chain, ["it is a CA certificate", "CA:TRUE"]),
        "self-signed with a name": (
            made_with_name,
            made_with_name.chain,
            ["it is a CA certificate", "CA:TRUE", "-addext basicConstraints=critical,CA:FALSE"],
        ),
        "self-signed and not trusted": (made_with_name, authority.ca, ["CA:TRUE"]),
    }
    return cases


def test_explains_rejected_certificates(program, connect, nginx, ports, refused):
    backend = connect()
    at = {case: ports() for case in refused}
    log = nginx("".join(block(at[case], refused[case][0], backend.url) for case in refused), *at.values())
    for case, (_, ca, words) in refused.items():
        server = f"https://localhost:{at[case]}"
        for command in (["list"], ["delete", "-lR", "-V4.3.0"]):
            run = program(*command, "-v", "-c", ca, server=server)
            assert run.status == 6, (case, run)
            error = run.stderr.splitlines()[-1]
            assert error.startswith("error: "), (case, run)
            for word in ["server certificate rejected", *words]:
                assert word in error, (case, run)
            assert "retrying" not in run.stderr, (case, run)
        assert log.lines(at[case]) == [], case

        run = program("list", "--insecure", server=server)
        assert run.status == 0, (case, run)
        assert "warning: the server's certificate is not verified" in run.stderr, (case, run)
    assert {request["endpoint"] for request in backend.requests()} == {"List"}


def test_accepts_self_signed_certificates_made_as_advised(program, connect, nginx, ports, tmp_path):
    """The advice of the error about CA:TRUE produces a certificate that is accepted."""
    advised = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost"]
    identity = self_signed(tmp_path, "advised", *advised)
    backend, port = connect(), ports()
    nginx(block(port, identity, backend.url), port)
    run = program("list", "-c", identity.chain, server=f"https://localhost:{port}")
    assert run.status == 0, run


def test_reads_a_directory_of_certificates(program, connect, authority, identity, tmp_path):
    """The directory is as c_rehash leaves it, with a link named by the hash, and with other files."""
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "README").write_text("Not a certificate.")
    (folder / "ours.pem").write_bytes(authority.ca.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True, stdin=subprocess.DEVNULL)
    server = connect(identity=identity).url
    for environment in ({"SSL_CERT_DIR": folder}, {"SSL_CERT_DIR": f"/nonexistent:{folder}"}):
        run = program("check", server=server, **environment)
        assert run.status == 0, run
        assert "SSL_CERT_DIR" in run.stdout, run
    # The system's store does not contain the authority.
    run = program("list", server=server)
    assert run.status == 6, run
    assert "no trusted CA issued it" in run.stderr, run


@pytest.fixture
def s_server(tmp_path, ports):
    """Starts `openssl s_server`, which sends a file that contains a complete reply."""
    services = []

    def start(identity, *options):
        page = tmp_path / "__api__/v1/system/caches/runtime"
        page.parent.mkdir(parents=True, exist_ok=True)
        body = '{"caches":[{"language":"R","version":"4.3.0","image_name":"Local"}]}'
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        page.write_text(head + body, newline="")
        port = ports()
        words = ["openssl", "s_server", "-HTTP", "-accept", f"127.0.0.1:{port}"]
        words += ["-cert", identity.chain, "-cert_chain", identity.chain, "-key", identity.key, *options]
        services.append(Service(f"s_server-{len(services)}", words, tmp_path))
        services[-1].wait_for_port(port)
        return f"https://localhost:{port}"

    yield start
    for service in services:
        service.stop()


def assert_fails(run, *words):
    """Asserts that a run exits with 6 after one attempt, with these words in the error."""
    assert run.status == 6, run
    error = run.stderr.splitlines()[-1]
    assert error.startswith("error: "), run
    for word in words:
        assert word in error, run
    assert "retrying" not in run.stderr, run
    assert "dry run" not in run.stderr, run


@pytest.mark.parametrize("version", VERSIONS)
def test_names_the_client_certificate_that_openssl_requires(program, authority, s_server, version):
    # OpenSSL has no more specific alert for it in TLS 1.2.
    problem = {"TLSv1.2": "fatal alert: HandshakeFailure", "TLSv1.3": "requires a client certificate"}[version]
    limit = "-" + version.lower().replace("v", "").replace(".", "_")
    server = s_server(authority.issue("requires"), limit, "-Verify", "2", "-verify_return_error", "-CAfile", authority.ca)
    run = program("delete", "-lR", "-V4.3.0", "-c", authority.ca, server=server)
    assert_fails(run, problem, "client certificate", "stunnel")


@pytest.mark.parametrize("version", VERSIONS)
def test_names_the_client_certificate_that_nginx_requires(program, connect, authority, nginx, ports, version):
    backend, port = connect(), ports()
    more = f"ssl_verify_client on; ssl_client_certificate {authority.ca};"
    nginx(block(port, authority.issue("requires"), backend.url, version, more), port)
    run = program("delete", "-lR", "-V4.3.0", "-c", authority.ca, server=f"https://localhost:{port}")
    assert_fails(run, "client certificate", "stunnel")
    assert backend.requests() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_names_the_client_certificate_that_haproxy_requires(program, connect, authority, ports, tmp_path, version):
    identity, backend, port = authority.issue("haproxy"), connect(), ports()
    both = tmp_path / "both.pem"
    both.write_bytes(identity.chain.read_bytes() + identity.key.read_bytes())
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(f"""\
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen tls
  bind 127.0.0.1:{port} ssl crt {both} ca-file {authority.ca} verify required ssl-min-ver {version} ssl-max-ver {version}
  server connect {backend.url.removeprefix("http://")}
""")
    service = Service("haproxy", [shutil.which("haproxy"), "-db", "-f", configuration], tmp_path)
    try:
        service.wait_for_port(port)
        run = program("list", "-c", authority.ca, server=f"https://localhost:{port}")
    finally:
        service.stop()
    # HAProxy may close the connection before its alert is read, in which case the program retries.
    error = run.stderr.splitlines()[-1]
    assert run.status == 6 and "client certificate" in error and "stunnel" in error, run
    assert backend.requests() == []


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    "options",
    [
        ["-tls1_2"],
        ["-tls1_2", "-cipher", "ECDHE+AES128"],
        ["-tls1_2", "-cipher", "ECDHE+CHACHA20"],
        ["-tls1_2", "-groups", "P-384"],
        ["-tls1_3"],
        ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "-groups", "P-256"],
    ],
    ids=" ".join,
)
def test_connects_to_openssl_servers(program, authority, s_server, kind, options):
    server = s_server(authority.issue(f"s-server-{kind}", kind=kind), *options)
    run = program("list", "-c", authority.ca, server=server)
    assert run.status == 0, run
    assert run.stdout.split() == ["R", "4.3.0", "Local"], run


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("key", SUPPORTED)
def test_accepts_keys_made_by_openssl(program, s_server, tmp_path, key, option):
    root, identity = certified_by_openssl(tmp_path, key)
    run = program("list", "-c", root, server=s_server(identity, option))
    assert run.status == 0, run


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(("ca_key", "key"), [(P521, "rsa:2048"), ("rsa:2048", P521)], ids=["CA", "server"])
def test_names_the_supported_curves_if_a_key_is_on_p521(program, s_server, tmp_path, ca_key, key, option):
    root, identity = certified_by_openssl(tmp_path, key, ca_key)
    run = program("list", "--retries", "0", "-c", root, server=s_server(identity, option))
    assert_fails(run, "P-256", "P-384")


@pytest.mark.parametrize(
    "options",
    [
        ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
        # A cipher without forward secrecy.
        ["-tls1_2", "-cipher", "AES128-SHA"],
    ],
    ids=" ".join,
)
def test_rejects_old_tls_versions_and_ciphers(program, authority, s_server, options):
    server = s_server(authority.issue("old", kind="rsa"), *options)
    run = program("list", "--retries", "0", "-c", authority.ca, server=server)
    assert run.status == 6, run
    error = run.stderr.splitlines()[-1]
    assert error.startswith(f"error: cannot list the runtime caches on {server}: TLS failed"), run
    assert "TLS 1.2 or 1.3" in error, run
