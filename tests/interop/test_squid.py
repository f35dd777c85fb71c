"""squid with Debian's stock access rules, with and without basic authentication."""

import base64
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from processes import Service, wait_until

STOCK = Path("/etc/squid/squid.conf")
USER, PASSWORD = "robot", "p@ss:w/rd%"
# The same, encoded for a URL.
CREDENTIALS = "robot:p%40ss%3Aw%2Frd%25"
OUTPUT = "Deleting runtime cache...\nSuccessfully deleted runtime cache\n"


# Only squid resolves these names: a server on loopback is never reached through a proxy. The second name is that of
# the https server.
NAME, TLS_NAME = "connect.test", "tls.connect.test"


def named(server):
    """Returns the address of a plain http server, by its name."""
    return server.url.replace("127.0.0.1", NAME)


class Squid:
    def __init__(self, folder, port, auth, https_host, https_port):
        self.folder, self.port = folder, port
        (folder / "hosts").write_text(f"127.0.0.1 {NAME}\n{https_host} {TLS_NAME}\n")
        rules = "\n".join(stock_rules(auth, https_port, folder))
        (folder / "squid.conf").write_text(f"""\
{rules}
http_port 127.0.0.1:{port}
hosts_file {folder}/hosts
pid_filename none
coredump_dir {folder}
cache_log {folder}/cache.log
access_log stdio:{folder}/access.log
shutdown_lifetime 0 seconds
{"cache_effective_user proxy" if os.geteuid() == 0 else ""}
""")
        if auth:
            (folder / "passwords").write_text(f"{USER}:{apr1(PASSWORD)}\n")
        if os.geteuid() == 0:
            for path in [folder, *folder.iterdir()]:
                shutil.chown(path, "proxy", "proxy")
        self.service = Service("squid", ["squid", "-N", "-f", folder / "squid.conf"], folder)
        self.service.wait_for_port(port)

    def environment(self, credentials=None):
        user = f"{credentials}@" if credentials else ""
        proxy = f"http://{user}127.0.0.1:{self.port}"
        return {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}

    def requests(self):
        """Returns the requests as (result, method, target). Squid logs a request when it is complete."""
        log = self.folder / "access.log"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        # A line without a method is a connection without a request, such as the one that waits for the port.
        return [(line[3], line[5], line[6]) for line in lines if line[5] != "-"]


def stock_rules(auth, https_port, folder):
    """Yields the access rules that Debian ships, with additions at the place that their comments provide."""
    for line in STOCK.read_text().splitlines():
        if not re.match(r"(acl|http_access|refresh_pattern)\s", line):
            continue
        if auth and line.startswith("http_access allow localhost") and "manager" not in line:
            yield f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/passwords"
            yield "auth_param basic children 1"
            yield "acl users proxy_auth REQUIRED"
            yield "http_access deny !users"
        yield line
        if line.startswith("acl SSL_ports") and https_port != 443:
            # Without root, the https server uses another port than 443, which squid has to allow.
            yield f"acl SSL_ports port {https_port}"


def apr1(password):
    words = ["openssl", "passwd", "-apr1", "-stdin"]
    done = subprocess.run(words, input=password, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def https_address(ports):
    """Returns an address on port 443, which the stock rules require, if this user may bind it; else on a free port."""
    host = ".".join(["127", *(str(random.randrange(1, 255)) for _ in range(3))])
    try:
        with socket.socket() as probe:
            probe.bind((host, 443))
        return host, 443
    except PermissionError:
        return host, ports()


@pytest.fixture
def https(connect, authority, ports):
    """Starts an https server with a name that squid resolves."""
    host, port = https_address(ports)
    identity = authority.issue("squid", names=[TLS_NAME, host])
    server = connect("--task-seconds", "3", identity=identity, listen=f"{host}:{port}")
    server.host, server.direct_url = host, server.url
    server.name = f"{TLS_NAME}:{port}"
    server.url = f"https://{server.name}"
    return server


@pytest.fixture
def squid(ports):
    """Starts squid, in a directory that squid's own user can write to."""
    started = []

    def start(auth=False, https=None):
        folder = Path(tempfile.mkdtemp(prefix="squid-"))
        host, port = (https.host, https.port) if https else ("127.0.0.1", 443)
        started.append(Squid(folder, ports(), auth, host, port))
        return started[-1]

    yield start
    for squid in started:
        squid.service.stop()
        shutil.rmtree(squid.folder)


@pytest.fixture(params=[False, True], ids=["open", "basic authentication"])
def proxy(request, squid, https):
    """Squid, and an environment with valid credentials."""
    squid = squid(request.param, https)
    return squid, squid.environment(CREDENTIALS if request.param else None)


def assert_secret(run):
    """Asserts that the credentials are in no output, in any form."""
    coded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, CREDENTIALS, CREDENTIALS.partition(":")[2], coded, "admin-key"):
        assert secret not in run.stdout + run.stderr, run


def test_tunnels_https(program, proxy, https, authority):
    squid, environment = proxy
    run = program("delete", "-lR", "-V4.3.0", "-vv", "-c", authority.ca, server=https.url, **environment)
    assert run.status == 0, run
    assert run.stdout == OUTPUT, run
    assert_secret(run)
    tunnels = wait_until(squid.requests, "squid has logged the tunnel")
    assert {(method, target) for _, method, target in tunnels} == {("CONNECT", https.name)}
    # The first request has the credentials, and the run uses one connection.
    assert [result for result, _, _ in tunnels] == ["TCP_TUNNEL/200"]


def test_sends_plain_http_in_absolute_form(program, proxy, connect, ports):
    squid, environment = proxy
    # The stock rules deny CONNECT to this port, as to Connect's default port 3939.
    server = connect("--task-seconds", "3", listen=f"127.0.0.1:{ports()}")
    run = program("delete", "-lR", "-V4.3.0", "-vv", server=named(server), **environment)
    assert run.status == 0, run
    assert run.stdout == OUTPUT, run
    assert_secret(run)
    assert server.caches() == [("Python", "3.7.6", "Local")]

    def logged():
        requests = squid.requests()
        return requests if len(requests) == len(server.requests()) else None

    requests = wait_until(logged, "squid has logged all requests")
    api = f"{named(server)}/__api__/v1"
    caches = f"{api}/system/caches/runtime"
    assert requests[:2] == [("TCP_MISS/200", "GET", caches), ("TCP_MISS/200", "DELETE", caches)]
    assert len(requests) > 3
    for result, method, target in requests[2:]:
        assert (result, method) == ("TCP_MISS/200", "GET")
        assert target.startswith(f"{api}/tasks/")


def test_carries_list_check_and_purge(program, proxy, connect, https, authority):
    squid, environment = proxy
    server = connect()
    for words in (["list"], ["check"], ["purge", "--orphaned", "-d"]):
        assert (run := program(*words, server=named(server), **environment)).status == 0, run
        run = program(*words, "-c", authority.ca, server=https.url, **environment)
        assert run.status == 0, run


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("credentials", [None, "robot:wrong-pass", "nobody:p%40ss"])
def test_reports_refused_credentials(program, squid, connect, https, authority, scheme, credentials):
    server = https if scheme == "https" else connect()
    url = https.url if scheme == "https" else named(server)
    squid = squid(True, https)
    words = ("list", "-vv", "--retries", "0", "-c", authority.ca)
    run = program(*words, server=url, **squid.environment(credentials))
    assert run.status == 6, run
    assert "HTTP 407" in run.stderr, run
    advice = "the proxy rejected the user name and password" if credentials else "the proxy requires credentials"
    assert advice in run.stderr.splitlines()[-1], run
    assert "wrong-pass" not in run.stderr and "p@ss" not in run.stderr, run
    assert base64.b64encode(b"robot:wrong-pass").decode() not in run.stderr, run
    assert run.stderr.splitlines()[-1].startswith("error: "), run
    assert "proxy" in run.stderr.splitlines()[-1], run
    assert server.requests() == []


def test_reports_a_denied_tunnel(program, squid, connect, identity, authority):
    squid = squid()
    server = connect(identity=identity)
    words = ("delete", "-lR", "-V4.3.0", "--retries", "0", "-c", authority.ca)
    run = program(*words, server=named(server), **squid.environment())
    assert run.status == 6, run
    assert f"connection through proxy http://127.0.0.1:{squid.port} failed" in run.stderr, run
    assert "403" in run.stderr, run
    assert server.requests() == []


def test_honors_no_proxy(program, squid, connect):
    squid, server = squid(), connect()
    # The program does not recognize this as a loopback address.
    url = server.url.replace("127.0.0.1", "127.1")
    for exceptions in ("*", f"example.com, 127.1:{server.port}", "example.com 127.1"):
        run = program("list", server=url, **squid.environment() | {"NO_PROXY": exceptions})
        assert run.status == 0, run
    assert squid.requests() == []
    # NO_PROXY with another name makes no difference.
    assert program("list", server=url, **squid.environment() | {"NO_PROXY": "example.com"}).status == 0
    wait_until(squid.requests, "squid has logged the request")


def test_connects_to_loopback_directly(program, squid, connect, https, authority):
    squid = squid(False, https)
    for url in (connect().url, https.direct_url):
        run = program("list", "-c", authority.ca, server=url, **squid.environment())
        assert run.status == 0 and not run.stderr, run
    assert squid.requests() == []


def test_sends_nothing_if_the_proxy_is_down(program, squid, connect):
    squid, server = squid(), connect()
    squid.service.stop()
    run = program("list", "--retries", "0", server=named(server), **squid.environment(CREDENTIALS))
    assert run.status == 6, run
    assert f"connection through proxy http://***@127.0.0.1:{squid.port} failed" in run.stderr, run
    assert_secret(run)
    assert server.requests() == []
