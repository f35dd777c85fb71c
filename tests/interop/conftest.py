"""Fixtures: the program, test servers, certificates, and the components between them."""

import itertools
import signal
from pathlib import Path

import pytest

from pki import Authority
from processes import Connect, Program, Service, free_port, nginx_command


def pytest_configure():
    # If the tests are terminated, their fixtures still end the processes that they started.
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


@pytest.fixture
def program(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    program = Program(home)
    yield program
    program.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A private certificate authority."""
    return Authority(tmp_path_factory.mktemp("pki"), "ca")


@pytest.fixture(scope="session")
def identity(authority):
    """A certificate for this host by the private authority."""
    return authority.issue("server")


@pytest.fixture
def connect(tmp_path):
    """Starts test servers."""
    servers = []

    def start(*options, **settings):
        servers.append(Connect(tmp_path / f"connect-{len(servers)}", *options, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def nginx(tmp_path):
    """Starts nginx with `server` blocks that listen on these ports; returns its access log."""
    services = []
    numbers = itertools.count()

    def start(servers, *ports):
        folder = tmp_path / f"nginx-{next(numbers)}"
        folder.mkdir()
        service = Service("nginx", nginx_command(folder, servers), folder)
        services.append(service)
        for port in ports:
            service.wait_for_port(port)
        return AccessLog(folder / "access.log")

    yield start
    for service in services:
        service.stop()


class AccessLog:
    """The requests that nginx answered."""

    def __init__(self, file):
        self.file = Path(file)

    def lines(self, port=None):
        """Returns the requests to a port, or all, without the port."""
        lines = (line.split(" ", 1) for line in self.file.read_text().splitlines())
        return [rest for at, rest in lines if port in (None, int(at))]


@pytest.fixture
def ports():
    """Free ports, all different."""
    taken = set()

    def take():
        while (port := free_port()) in taken:
            pass
        taken.add(port)
        return port

    return take
