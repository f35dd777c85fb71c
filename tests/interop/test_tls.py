"""TLS as OpenSSL speaks it: in nginx, limited to a version, and in `openssl s_server`."""

import itertools
import json
import subprocess

import pytest

from pki import KEYS, Authority, self_signed
from processes import Service, wait_until

VERSIONS = ["TLSv1.2", "TLSv1.3"]
# A chain ends with the authority, or goes by an intermediate one.
CHAINS = ["root", "intermediate"]


def block(port, identity, backend, protocols="TLSv1.2 TLSv1.3"):
    return f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols {protocols};
    ssl_certificate {identity.chain};
    ssl_certificate_key {identity.key};
    location / {{ proxy_pass {backend}; }}
  }}
"""


def test_versions_keys_and_chains(program, connect, nginx, ports, tmp_path):
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
        # By address as well: the certificates name both.
        run = program("list", "--json", SSL_CERT_FILE=ca, server=f"https://127.0.0.1:{port}")
        assert run.status == 0, run
        assert len(json.loads(run.stdout)["caches"]) == len(cases) - n - 1
        # nginx writes its log after its reply.
        wait_until(lambda at=port: len(log.lines(at)) >= 3, "nginx has logged a deletion, a look and a list")
        lines = log.lines(port)
        assert {line.split()[0] for line in lines} == {version}
    assert backend.caches() == []


@pytest.fixture(scope="module")
def refused(authority, tmp_path_factory):
    """Certificates that are refused: each with the CA to trust, the reason and the next step."""
    folder = tmp_path_factory.mktemp("refused")
    stranger = Authority(folder, "stranger")
    intermediate = Authority(folder, "intermediate", authority)
    made = self_signed(folder, "self-signed")
    made_with_name = self_signed(folder, "self-signed-san", "-addext", "subjectAltName=DNS:localhost")
    cases = {
        "unknown issuer": (
            stranger.issue("foreign"),
            authority.ca,
            ["no trusted CA issued it", "--cacert FILE"],
        ),
        "intermediate not sent": (
            intermediate.issue("bare", whole=False),
            authority.ca,
            ["no trusted CA issued it", "--cacert FILE"],
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
        "self-signed": (made, made.chain, ["it is marked as a CA's certificate", "CA:TRUE"]),
        "self-signed with a name": (
            made_with_name,
            made_with_name.chain,
            ["it is marked as a CA's certificate", "CA:TRUE", "-addext basicConstraints=critical,CA:FALSE"],
        ),
        "self-signed and not trusted": (made_with_name, authority.ca, ["CA:TRUE"]),
    }
    return cases


def test_certificates_that_are_refused(program, connect, nginx, ports, refused):
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
            for word in ["the server's certificate is refused", *words]:
                assert word in error, (case, run)
            assert "trying again" not in run.stderr, (case, run)
        assert log.lines(at[case]) == [], case

        run = program("list", "--insecure", server=server)
        assert run.status == 0, (case, run)
        assert "warning: the server's certificate is not verified" in run.stderr, (case, run)
    assert {request["endpoint"] for request in backend.requests()} == {"List"}


def test_the_advice_on_self_signed_certificates_helps(program, connect, nginx, ports, tmp_path):
    """What the error about CA:TRUE says to do makes a certificate that is accepted."""
    advised = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost"]
    identity = self_signed(tmp_path, "advised", *advised)
    backend, port = connect(), ports()
    nginx(block(port, identity, backend.url), port)
    run = program("list", "-c", identity.chain, server=f"https://localhost:{port}")
    assert run.status == 0, run


def test_a_folder_of_certificates(program, connect, authority, identity, tmp_path):
    """As OpenSSL's c_rehash leaves one, with a link by hash and other things in it."""
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
    # Without any of it, the system's store does not know our authority.
    run = program("list", server=server)
    assert run.status == 6, run
    assert "no trusted CA issued it" in run.stderr, run


@pytest.fixture
def s_server(tmp_path, ports):
    """Starts `openssl s_server`, which sends a file that holds a whole reply."""
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
def test_openssl_servers(program, authority, s_server, kind, options):
    server = s_server(authority.issue(f"s-server-{kind}", kind=kind), *options)
    run = program("list", "-c", authority.ca, server=server)
    assert run.status == 0, run
    assert run.stdout.split() == ["R", "4.3.0", "Local"], run


@pytest.mark.parametrize(
    "options",
    [
        ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
        # Without forward secrecy.
        ["-tls1_2", "-cipher", "AES128-SHA"],
    ],
    ids=" ".join,
)
def test_tls_that_is_too_old(program, authority, s_server, options):
    server = s_server(authority.issue("old", kind="rsa"), *options)
    run = program("list", "--retries", "0", "-c", authority.ca, server=server)
    assert run.status == 6, run
    error = run.stderr.splitlines()[-1]
    assert error.startswith("error: cannot list the runtime caches: TLS failed"), run
    assert "TLS 1.2 or 1.3" in error, run
