"""The API's contract: Prism, between the program and the test server, rejects each request and reply that
`connect-api.yaml` does not allow."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from processes import Service, fetch, free_port, wait_until

CONTRACT = Path(__file__).with_name("connect-api.yaml")
RUNTIME = "/__api__/v1/system/caches/runtime"
R = ("-lR", "-V4.3.0")


class Prism:
    def __init__(self, folder, upstream, port):
        self.upstream, self.url = upstream, f"http://127.0.0.1:{port}"
        # With --errors a violation is answered with an error instead of being noted.
        words = ["prism", "proxy", "--errors", "--host", "127.0.0.1", "--port", port, CONTRACT]
        words.append(f"http://{upstream}")
        self.service = Service("prism", words, folder)
        self.service.wait_for_port(port)
        self.log = self.service.log

    def violations(self):
        """Returns the logged violations. An undocumented status is only logged; any other violation fails the request."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if "Violation:" in line or "/prism/errors#" in line]


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    """Prism in front of an address at which each test starts its own server."""
    prism = Prism(tmp_path_factory.mktemp("prism"), f"127.0.0.1:{free_port()}", free_port())
    yield prism
    prism.service.stop()
    # Now that Prism has ended, its log is complete.
    assert prism.violations() == []


@pytest.fixture(scope="module")
def violated_prism(tmp_path_factory):
    """Another Prism, for tests that cause violations."""
    prism = Prism(tmp_path_factory.mktemp("violated-prism"), f"127.0.0.1:{free_port()}", free_port())
    yield prism
    prism.service.stop()


@pytest.fixture
def run(program, prism, connect):
    """Runs the program through Prism, and asserts its status and that there is no violation."""
    before = prism.violations()

    def run(status, *words, key="admin-key"):
        done = program(*words, "--retries", "0", server=prism.url, key=key)
        assert done.status == status, (done, prism.log.read_text())
        assert prism.violations() == before, done
        return done

    run.connect = lambda *options: connect(*options, listen=prism.upstream)
    return run


def test_lists_and_checks(run):
    server = run.connect()
    assert len(run(0, "list").stdout.splitlines()) == 2
    assert len(json.loads(run(0, "list", "--json").stdout)["caches"]) == 2
    run(0, "check")
    run(0, "check", "--json")
    endpoints = {request["endpoint"] for request in server.requests()}
    assert endpoints == {"DryRun", "List", "Settings", "User"}


def test_deletes(run):
    server = run.connect("--task-seconds", "2")
    assert run(0, "delete", *R, "--dry-run").stdout == ""
    assert len(server.caches()) == 2
    done = run(0, "delete", *R)
    assert done.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n"
    assert len(server.caches()) == 1
    assert len(server.requests("Task")) > 1
    run(4, "delete", *R)
    run(4, "delete", *R, "--dry-run")
    assert '"status":"absent"' in run(0, "delete", *R, "--ignore-not-found", "--json").stdout
    assert '"status":"deleted"' in run(0, "delete", "-lPython", "-V3.7.6", "--json").stdout


def test_reports_a_deletion_that_fails(run):
    run.connect("--fail", "R,4.3.0,Local")
    assert '"status":"failed"' in run(1, "delete", *R, "--json").stdout


def test_reports_a_deletion_that_is_refused(run):
    run.connect()
    for key in ("publisher-key", "viewer-key", "locked-key", "no-such-key"):
        assert '"status":"refused"' in run(3, "delete", *R, "--json", key=key).stdout
        run(3, "list", key=key)
        # The contract has no 403 for `v1/user`, but a locked user gets one.
        if key != "locked-key":
            run(3, "check", key=key)
    # A language that Connect does not know is refused before anything is sent.
    run(2, "delete", "-lJulia", "-V1.11.0")


def test_reports_disabled_cache_management(run):
    run.connect("--management-disabled")
    for words in (["list"], ["delete", *R], ["delete", *R, "--dry-run"], ["check"]):
        assert "code 194" in run(5, *words).stderr


def test_follows_tasks(run):
    run.connect("--task-seconds", "4")
    task = run(0, "delete", *R, "--no-wait").stdout.strip()
    run(7, "task", task)
    run(7, "task", task, "--wait", "--timeout", "0")
    assert '"status":"running"' in run(7, "delete", "-lPython", "-V3.7.6", "--timeout", "1", "--json").stdout
    run(0, "task", task, "--wait")
    assert json.loads(run(0, "task", task, "--json").stdout)["last"] == 2
    run(4, "task", "unknown")


def test_resolves_the_task_of_a_server_that_restarts(run, program, prism):
    server = run.connect("--task-seconds", "600")
    done = program.start("delete", *R, "--json", server=prism.url)
    wait_until(lambda: server.requests("Task"), "the first poll is answered")
    server.restart()
    assert done.end().status == 6, done
    assert '"status":"unknown"' in done.stdout, done
    assert server.requests("DryRun")
    run(0, "list")


def test_purges(run):
    caches = [f"R,4.{minor}.0,Local" for minor in range(4)] + ["Python,3.7.6,Local"]
    options = [word for cache in caches for word in ("--cache", cache)]
    server = run.connect("--task-seconds", "1", "--fail", "R,4.0.0,Local", *options)
    run(0, "purge", "--orphaned", "--dry-run")
    # This server offers R 4.3.0 and Python 3.7.6.
    run(0, "purge", "--orphaned", "--version", "4.2.*", "--yes")
    assert {"InstallationsR", "DryRun"} <= {request["endpoint"] for request in server.requests()}
    assert len(server.caches()) == 4
    lines = run(1, "purge", "--all", "--yes", "--json").stdout.splitlines()
    assert sorted(json.loads(line)["status"] for line in lines) == ["deleted"] * 3 + ["failed"]
    assert [cache[1] for cache in server.caches()] == ["4.0.0"]


def test_selects_orphaned_caches_by_both_lists_of_installations(run):
    caches = ["R,4.2.0,Local", "Python,3.8.0,Local", "R,4.3.0,Local"]
    server = run.connect(*(word for cache in caches for word in ("--cache", cache)))
    assert len(run(0, "list", "--orphaned").stdout.splitlines()) == 2
    assert {"InstallationsR", "InstallationsPython"} <= {request["endpoint"] for request in server.requests()}


# The following tests show that Prism detects violations.


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("DELETE", RUNTIME, {"language": "R", "version": "4.3.0"}),
        ("DELETE", RUNTIME, {"language": "R", "version": "4.3.0", "image_name": ""}),
        ("DELETE", RUNTIME, {"language": "R", "version": "4.3.0", "image_name": "Local", "dry_run": "yes"}),
        ("DELETE", RUNTIME, None),
        ("GET", "/__api__/v1/tasks/x?wait=21", None),
        ("GET", "/__api__/v1/tasks/x?first=-1", None),
        ("GET", "/__api__/v1/tasks/x?first=one", None),
        ("GET", "/__api__/v1/no/such/path", None),
        ("POST", RUNTIME, {"language": "R", "version": "4.3.0", "image_name": "Local"}),
    ],
)
def test_prism_rejects_invalid_requests(violated_prism, connect, method, path, body):
    server = connect(listen=violated_prism.upstream)
    status, problem = fetch(violated_prism.url + path, method, body)
    assert status in (404, 405, 422), problem
    assert "stoplight.io/prism/errors" in problem["type"]
    assert server.requests() == []


class InvalidServer(BaseHTTPRequestHandler):
    """A server whose replies all have the wrong shape."""

    def do_GET(self):
        body = b'{"caches":[{"language":"R","version":4}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_prism_rejects_invalid_replies(violated_prism, program):
    host, port = violated_prism.upstream.split(":")
    before = len(violated_prism.violations())
    with ThreadingHTTPServer((host, int(port)), InvalidServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            status, problem = fetch(violated_prism.url + RUNTIME)
            run = program("list", "--retries", "0", server=violated_prism.url)
        finally:
            server.shutdown()
            thread.join()
    assert status == 500
    assert problem["title"] == "Request/Response not valid"
    assert run.status == 6, run
    assert len(violated_prism.violations()) > before


def test_prism_logs_undocumented_statuses(violated_prism, program, connect):
    connect("--old", listen=violated_prism.upstream)
    before = len(violated_prism.violations())
    run = program("list", server=violated_prism.url)
    # The reply passes through: the server is too old, and answers the list with 404.
    assert run.status == 5, run
    noted = wait_until(lambda: violated_prism.violations()[before:], "Prism has written its log")
    assert "Unable to match the returned status code" in noted[0]
