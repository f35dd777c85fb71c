"""nginx as a gateway: it terminates TLS, serves Connect under a path, and times out after five seconds."""

import re
import socket

import pytest

from processes import wait_until

OUTPUT = "Deleting runtime cache...\nSuccessfully deleted runtime cache\n"
DELETE = ("delete", "-lR", "-V4.3.0", "-v")
LEFT = [("R", "4.3.0", "Local"), ("Python", "3.7.6", "Local")]


@pytest.fixture
def gateway(nginx, identity, ports):
    """Starts nginx in front of a backend; returns the https and http addresses, and nginx's log."""

    def start(backend):
        port, plain = ports(), ports()
        log = nginx(
            f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {identity.chain};
    ssl_certificate_key {identity.key};
    location /connect/ {{
      proxy_pass {backend}/;
      proxy_read_timeout 5s;
    }}
  }}
  server {{
    listen 127.0.0.1:{plain};
    return 301 https://localhost:{port}$request_uri;
  }}
""",
            port,
            plain,
        )
        return f"https://localhost:{port}/connect", f"http://127.0.0.1:{plain}/connect", log

    return start


def polls(run):
    """Returns the `wait` and the status of each poll, as `-v` shows them."""
    found = re.findall(r"^GET \S+/v1/tasks/\w+\?first=\d+&wait=(\d+): (\d+),", run.stderr, re.M)
    return [(int(wait), int(status)) for wait, status in found]


def test_halves_the_wait_of_polls_that_the_gateway_loses(program, connect, gateway, authority):
    backend = connect("--task-seconds", "25")
    server, _, log = gateway(backend.url)
    run = program(*DELETE, "-c", authority.ca, server=server)
    assert run.status == 0, run
    # Each line is printed once, although polls were lost.
    assert run.stdout == OUTPUT, run
    assert backend.caches() == LEFT[1:]

    seen = polls(run)
    lost = [at for at, (_, status) in enumerate(seen) if status == 504]
    assert lost, "no poll was held for longer than nginx waits"
    for at in lost:
        limit = seen[at][0] // 2
        assert all(wait <= limit for wait, _ in seen[at + 1 :]), seen
    assert seen[-1][1] == 200
    # Up to the first lost poll, the waits grow.
    growing = [wait for wait, _ in seen[: lost[0] + 1]]
    assert growing == [1, 2, 4, 8, 16][: len(growing)], seen
    requests = [line.split()[1:3] for line in log.lines()]
    caches = "/connect/__api__/v1/system/caches/runtime"
    assert requests[:2] == [["GET", caches], ["DELETE", caches]]
    assert {method for method, _ in requests[2:]} == {"GET"}


@pytest.mark.parametrize("gone", [False, True], ids=["still there", "gone"])
def test_resolves_a_task_that_a_restart_lost(program, connect, gateway, authority, ports, gone):
    listen = f"127.0.0.1:{ports()}"
    backend = connect("--task-seconds", "600", listen=listen)
    server, _, _ = gateway(backend.url)
    run = program.start(*DELETE, "-c", authority.ca, server=server)
    answered = wait_until(lambda: backend.requests("Task"), "the first poll is answered")
    task = answered[0]["path"].rpartition("/")[2]
    backend.service.kill()
    left = ["--cache", "R,4.2.0,Local"] if gone else []
    backend = connect(*left, listen=listen)

    run.end()
    assert run.stdout == OUTPUT.splitlines(True)[0], run
    assert "checking whether the cache is still there" in run.stderr, run
    assert backend.requests("DryRun"), run
    assert not backend.requests("Delete"), run
    if gone:
        assert run.status == 0, run
        assert "deleted R 4.3.0 Local" in run.stderr, run
        return
    assert run.status == 6, run
    # No node knows the task any more, so the error does not offer to resume it.
    error = run.stderr.splitlines()[-1]
    assert "which still exists" in error and "see 'connect-cache list" in error, run
    assert backend.caches() == LEFT
    again = program("task", task, "--wait", "-c", authority.ca, server=server)
    assert again.status == 4, again


def test_reports_an_unknown_outcome_in_json(program, connect, gateway, authority):
    backend = connect("--task-seconds", "600")
    server, _, _ = gateway(backend.url)
    run = program.start("delete", "-lR", "-V4.3.0", "--json", "-c", authority.ca, server=server)
    wait_until(lambda: backend.requests("Task"), "the first poll is answered")
    backend.restart()
    run.end()
    assert run.status == 6, run
    assert '"status":"unknown"' in run.stdout, run
    assert '"output":["Deleting runtime cache..."]' in run.stdout, run


def test_reports_a_backend_that_is_down(program, connect, gateway, authority):
    backend = connect()
    server, _, _ = gateway(backend.url)
    backend.stop()
    # A port that is bound without listening refuses connections, and no other program gets it.
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", backend.port))
        run = program("list", "--retries", "1", "-c", authority.ca, server=server)
    assert run.status == 6, run
    assert "HTTP 502" in run.stderr, run


def test_explains_wrong_addresses(program, connect, gateway, authority):
    server, plain, _ = gateway(connect().url)
    for address, words in [
        (server.removesuffix("/connect"), ["HTTP 404", "check the server URL, including any path prefix"]),
        (server.replace("https:", "http:"), ["the server uses https on this port; use " + server]),
        (plain.replace("http:", "https:"), ["seems to use plain http on this port; use " + plain]),
        # The redirect is not followed, and the error names the address to configure.
        (plain, ["HTTP 301", f"use {server} as the server"]),
    ]:
        run = program("list", "--retries", "0", "-c", authority.ca, server=address)
        assert run.status == 6, run
        for word in words:
            assert word in run.stderr, run
