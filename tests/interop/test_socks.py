"""SOCKS5 proxies: microsocks, with and without a password, and Dante."""

import os
import shutil

import pytest

from processes import Service, with_hosts

# Only the proxies resolve this name: a server on loopback is never reached through a proxy.
NAME = "connect.test"
USER, PASSWORD = "robot", "p@ss:w/rd%"
CREDENTIALS = "robot:p%40ss%3Aw%2Frd%25"
OUTPUT = "Deleting runtime cache...\nSuccessfully deleted runtime cache\n"


@pytest.fixture
def start(tmp_path, ports):
    """Starts a proxy, and returns its host and port."""
    services = []
    (tmp_path / "hosts").write_text(f"127.0.0.1 {NAME}\n")

    def start(words):
        port = ports()
        words = with_hosts(tmp_path / "hosts", [str(word).format(port=port) for word in words])
        services.append(Service("socks", words, tmp_path))
        services[-1].wait_for_port(port)
        return f"127.0.0.1:{port}"

    yield start
    for service in services:
        service.stop()


@pytest.fixture
def microsocks(start):
    return lambda *options: start([shutil.which("microsocks"), "-i", "127.0.0.1", "-p", "{port}", *options])


@pytest.fixture
def dante(start, tmp_path):
    def start_dante(rule):
        configuration = tmp_path / "danted.conf"
        user = "root" if os.geteuid() == 0 else os.getlogin()
        # The shell that starts Dante writes the port into the file.
        configuration.write_text(f"""\
logoutput: stderr
internal: 127.0.0.1 port = PORT
external: lo
socksmethod: none
clientmethod: none
user.privileged: {user}
user.unprivileged: {user}
client pass {{ from: 0/0 to: 0/0 }}
socks {rule} {{ from: 0/0 to: 0/0 }}
""")
        replace = f"sed -i s/PORT/{{port}}/ {configuration}"
        return start(["sh", "-c", f"{replace}; exec danted -f {configuration} -p {tmp_path}/danted.pid"])

    return start_dante


def addresses(server):
    """Returns schemes with addresses of a server: a name that the proxy resolves, and one that this host does."""
    return [
        ("socks5h", server.url.replace("127.0.0.1", NAME)),
        ("socks5", server.url.replace("127.0.0.1", "127.1")),
    ]


def test_carries_plain_http(program, connect, microsocks, dante):
    for proxy in (microsocks(), dante("pass")):
        for scheme, url in addresses(server := connect("--task-seconds", "1")):
            run = program("list", server=url, ALL_PROXY=f"{scheme}://{proxy}")
            assert run.status == 0, run
        run = program("delete", "-lR", "-V4.3.0", server=url, ALL_PROXY=f"{scheme}://{proxy}")
        assert (run.status, run.stdout) == (0, OUTPUT), run
        assert server.caches() == [("Python", "3.7.6", "Local")]


def test_carries_https(program, connect, authority, microsocks, dante):
    server = connect(identity=authority.issue("socks", names=[NAME]))
    [(scheme, url), _] = addresses(server)
    for proxy in (microsocks(), dante("pass")):
        words = ("delete", "-lR", "-V4.3.0", "-d", "-c", authority.ca)
        run = program(*words, server=url, HTTPS_PROXY=f"{scheme}://{proxy}")
        assert run.status == 0, run


def test_sends_a_password(program, connect, microsocks):
    server, proxy = connect(), microsocks("-u", USER, "-P", PASSWORD)
    for scheme, url in addresses(server):
        run = program("list", "-vv", server=url, ALL_PROXY=f"{scheme}://{CREDENTIALS}@{proxy}")
        assert run.status == 0, run
        assert PASSWORD not in run.stderr and CREDENTIALS not in run.stderr, run


@pytest.mark.parametrize("credentials", ["", "robot:wrong-pass@"])
def test_reports_refused_credentials(program, connect, microsocks, credentials):
    server, proxy = connect(), microsocks("-u", USER, "-P", PASSWORD)
    [(scheme, url), _] = addresses(server)
    proxy = f"{scheme}://{credentials}{proxy}"
    run = program("list", "-q", "--retries", "0", server=url, ALL_PROXY=proxy)
    assert run.status == 6, run
    problem = "it rejected the user name and password" if credentials else "it requires a user name and password"
    assert f"connection through proxy {proxy.replace(credentials, '***@' if credentials else '')}" in run.stderr, run
    assert problem in run.stderr and "wrong-pass" not in run.stderr, run
    assert server.requests() == []


def test_reports_refused_connections(program, connect, dante, microsocks, ports):
    server = connect()
    [(scheme, url), _] = addresses(server)
    for proxy, url, problem in (
        (dante("block"), url, "connection not allowed by ruleset"),
        (microsocks(), f"http://{NAME}:{ports()}", "connection refused"),
    ):
        run = program("list", "-q", "--retries", "0", server=url, ALL_PROXY=f"{scheme}://{proxy}")
        assert run.status == 6, run
        assert f"connection through proxy {scheme}://{proxy} failed: " in run.stderr, run
        assert problem in run.stderr, run
    assert server.requests() == []
