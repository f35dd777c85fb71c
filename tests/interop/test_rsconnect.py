"""Servers that rsconnect-python saves and `--name` uses."""

import json
import shutil

import pytest

from processes import rsconnect

LISTED = [["Python", "3.7.6", "Local"], ["R", "4.3.0", "Local"]]


class Saving:
    """rsconnect and the program with the same home directory."""

    def __init__(self, program, folder, **environment):
        self.program, self.environment = program, environment
        self.file = folder / "servers.json"

    def rsconnect(self, *words):
        done = rsconnect(self.program.home, *words, **self.environment)
        assert done[0] == 0, (words, done)

    def __call__(self, *words, **environment):
        return self.program(*words, **self.environment, **environment)


@pytest.fixture(params=["home", "xdg"])
def saving(request, program, tmp_path):
    if request.param == "home":
        return Saving(program, program.home / ".rsconnect-python")
    config = tmp_path / "config"
    return Saving(program, config / "rsconnect-python", XDG_CONFIG_HOME=str(config))


def listed(run):
    assert run.status == 0, run
    return [line.split() for line in run.stdout.splitlines()]


def test_uses_a_saved_server(saving, connect):
    server = connect()
    saving.rsconnect("add", "-n", "plain", "-s", server.url, "-k", "admin-key")
    assert "plain" in json.loads(saving.file.read_text())
    assert listed(saving("-n", "plain", "list")) == LISTED
    run = saving("delete", "--name", "plain", "-lR", "-V4.3.0")
    assert run.status == 0, run
    assert server.caches() == [("Python", "3.7.6", "Local")]


def test_uses_the_saved_ca(saving, connect, identity, authority, tmp_path):
    server = connect(identity=identity, prefix="/connect")
    ca = tmp_path / "ca-to-lose.pem"
    shutil.copy(authority.ca, ca)
    saving.rsconnect("add", "-n", "private", "-s", server.url, "-k", "admin-key", "-c", ca)
    ca.unlink()
    assert listed(saving("-n", "private", "list")) == LISTED
    run = saving("-n", "private", "check")
    assert run.status == 0, run
    assert "saved" in run.stdout and "in saved" not in run.stdout, run
    # The same server without the saved CA is not trusted.
    assert saving("list", server=server.url).status == 6


def test_uses_the_saved_insecure_flag(saving, connect, identity):
    server = connect(identity=identity)
    saving.rsconnect("add", "-n", "trusting", "-s", server.url, "-k", "admin-key", "--insecure")
    run = saving("-n", "trusting", "list")
    assert listed(run) == LISTED
    assert "warning: the server's certificate is not verified" in run.stderr, run


def test_selects_a_saved_server_with_its_key(saving, connect):
    one, other = connect(), connect("--cache", "R,4.2.0,Local")
    saving.rsconnect("add", "-n", "one", "-s", one.url, "-k", "admin-key")
    saving.rsconnect("add", "-n", "other", "-s", other.url, "-k", "publisher-key")
    assert listed(saving("-n", "one", "list")) == LISTED

    # A saved server overrides every variable, so that no server gets another's key.
    run = saving("-n", "other", "list", server=one.url, key="admin-key")
    assert run.status == 3, run
    assert [request["user"] for request in other.requests("List")] == ["pat"]
    # Only flags override it.
    assert listed(saving("-n", "other", "-k", "admin-key", "list")) == [["R", "4.2.0", "Local"]]

    run = saving("-n", "another", "list")
    assert run.status == 2, run
    assert "no server is saved as another" in run.stderr, run
    assert "one" in run.stderr and "other" in run.stderr, run
    run = saving("-n", "one", "-s", other.url, "list")
    assert run.status == 2, run


def test_uses_the_default_server_and_the_key_of_an_address(saving, connect):
    one, other = connect(), connect("--cache", "R,4.2.0,Local")
    saving.rsconnect("add", "-n", "one", "-s", one.url + "/", "-k", "admin-key")
    saving.rsconnect("add", "-n", "other", "-s", other.url, "-k", "admin-key", "--set-default")
    run = saving("list")
    assert listed(run) == [["R", "4.2.0", "Local"]]
    assert run.stderr == f"using the saved server other ({other.url}), rsconnect's default\n"
    assert listed(saving("list", "-s", one.url)) == LISTED


def test_accepts_the_arguments_of_rsconnect(saving, connect):
    """The same arguments delete a cache with both programs, from the same saved server."""
    server = connect()
    saving.rsconnect("add", "-n", "both", "-s", server.url, "-k", "admin-key")
    words = ["-n", "both", "-l", "Python", "-V", "3.7.6", "-I", "Local"]
    saving.rsconnect("system", "caches", "delete", *words, "--dry-run")
    run = saving("delete", *words, "--dry-run")
    assert run.status == 0, run
    assert len(server.caches()) == 2
    run = saving("delete", *words)
    assert run.status == 0, run
    assert len(server.caches()) == 1
