"""A server with several addresses, some of which do not answer."""

import os
import re
import socket
import subprocess

import pytest

from processes import TIMEOUT, in_namespace


@pytest.fixture
def silent():
    """Makes a port of ::1 silent by filling its queue, so that the system drops further connections."""
    sockets = []

    def start(port):
        listener = socket.socket(socket.AF_INET6)
        sockets.append(listener)
        listener.bind(("::1", port))
        listener.listen(0)
        with pytest.raises(TimeoutError):
            for _ in range(10):
                sockets.append(socket.create_connection(("::1", port), timeout=0.2))

    yield start
    for each in sockets:
        each.close()


def test_deletes_by_the_second_address_if_the_first_is_silent(program, connect, silent, tmp_path):
    server = connect()
    silent(server.port)
    # IPv6 comes first by RFC 6724.
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 connect.test\n127.0.0.1 connect.test\n")
    url = server.url.replace("127.0.0.1", "connect.test")
    run = program("delete", "-lR", "-V4.3.0", "-v", "--request-timeout", "3", server=url, hosts=hosts)
    assert run.status == 0, run
    [first, *others] = [int(ms) for ms in re.findall(r" bytes in (\d+) ms", run.stderr)]
    # The first address gets two thirds of the time. The connection is then used again.
    assert 2000 <= first < 3000, run
    assert len(others) >= 2 and "retrying" not in run.stderr, run


def test_deletes_on_a_host_with_ipv6_alone(tmp_path):
    script = """
        set -eu
        ip link set lo up
        ip addr del 127.0.0.1/8 dev lo
        "$CONNECT_TEST_SERVER_BIN" --listen '[::1]:0' --ready "$0" &
        trap 'kill $!' EXIT
        until [ -s "$0" ]; do sleep 0.02; done
        "$CONNECT_CACHE_BIN" delete -l R -V 4.3.0 -s "$(head -n1 "$0")"
    """
    done = subprocess.run(
        in_namespace("--net", "sh", "-c", script, tmp_path / "ready"),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, "CONNECT_API_KEY": "admin-key"},
    )
    assert done.returncode == 0, done
    assert done.stdout.endswith("Deleting runtime cache...\nSuccessfully deleted runtime cache\n"), done
    assert " on http://[::1]:" in done.stderr, done
